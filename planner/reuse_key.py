"""The key of a computation: two jobs with one key would make the same outputs, wherever, whenever and for whomever they
run.

It holds what can change the bytes of an output and nothing else: no paths, times, sites, run ids or job ids. The
planner computes it from what it expects, the engine again from what the wrapper really saw; both call `reuse_key`.

The key is the SHA-256 of a list of fields in one fixed order. A text or a byte string is written as its length in bytes
(8 bytes, big-endian) and its bytes, a list as the number of its members and its members: so no two different
computations have one encoding. What may be absent is a list of none or one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

VERSION = "pirene.reuse/1"
"""Changes whenever the encoding or the meaning of a field does: keys of different versions never match."""


def reuse_key(
    *,
    executable_sha256: bytes,
    container_sha256: bytes | None,
    arguments: Iterable[str],
    streams: tuple[str | None, str | None, str | None],
    environment: Mapping[str, str],
    inputs: Mapping[str, bytes],
    outputs: Iterable[str],
    salt: str,
) -> bytes:
    """The key, 32 bytes. The order of arguments counts; that of environment, inputs and outputs does not.

    ``streams`` are the names that standard input, output and error are connected to. ``inputs`` maps the name of every
    file that the job reads (inout included, checkpoints not) to its SHA-256; ``outputs`` are the names that it is
    declared to write (inout included, checkpoints not). ``salt`` is the user's own way to tell computations apart.
    """
    before, after = around_inputs(
        executable_sha256=executable_sha256,
        container_sha256=container_sha256,
        arguments=arguments,
        streams=streams,
        environment=environment,
        outputs=outputs,
        salt=salt,
    )
    read = _list([_text(name) + _bytes(inputs[name]) for name in sorted(inputs)])
    return hashlib.sha256(before + read + after).digest()


def around_inputs(
    *,
    executable_sha256: bytes,
    container_sha256: bytes | None,
    arguments: Iterable[str],
    streams: tuple[str | None, str | None, str | None],
    environment: Mapping[str, str],
    outputs: Iterable[str],
    salt: str,
) -> tuple[bytes, bytes]:
    """What a key is hashed of before and after the list of inputs: for whoever learns their digests later."""
    before = (
        _text(VERSION),
        _bytes(executable_sha256),
        _list([] if container_sha256 is None else [_bytes(container_sha256)]),
        _list([_text(argument) for argument in arguments]),
        _list([_list([] if name is None else [_text(name)]) for name in streams]),
        _list([_text(name) + _text(environment[name]) for name in sorted(environment)]),
    )
    return b"".join(before), _list([_text(name) for name in sorted(set(outputs))]) + _text(salt)


def _text(value: str) -> bytes:
    # File names that are not UTF-8 arrive as surrogate escapes; they must have an encoding of their own.
    return _bytes(value.encode("utf-8", "surrogatepass"))


def _bytes(value: bytes) -> bytes:
    return len(value).to_bytes(8, "big") + value


def _list(members: list[bytes]) -> bytes:
    return len(members).to_bytes(8, "big") + b"".join(members)
