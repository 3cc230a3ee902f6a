"""Invocation records read quickly: decoded by their types, then looked at for what types do not tell.

`decode` takes a record only if it has exactly the keys that the wrapper writes, each once and with a value of its type,
and agrees with itself; then every value is what `provenance.records.read_record` makes of it. About anything else it
says nothing, not that it is wrong: None sends it to that reader, which has the last word and the words for it.
"""

from __future__ import annotations

import datetime as dt
import re

import msgspec
from msgspec import Struct

from provenance.checked_json import TIME, UINT64_MAX, MalformedError, parse_object
from provenance.commits import time_text
from provenance.identity import MAX_OUTPUTS
from provenance.records import FINDING
from provenance.urls import is_copy_url
from provenance.wire import (
    InputEntry,
    Looked,
    MachineEntry,
    MetadataEntry,
    OutputEntry,
    RecordEntry,
    TransformationEntry,
    UsageEntry,
    WrapperEntry,
    looks_of,
    source_of_run,
)

_read = msgspec.json.Decoder(RecordEntry).decode
_COLONS_OF_TIME = 2
_TIME = (
    r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_TIMES = re.compile(f"(?:{_TIME})*")
"""Days that every month has; of the others `datetime` knows which there are."""


def _keys_of(kind: type[Struct]) -> int:
    return len(kind.__struct_fields__)


_RECORD_KEYS, _INPUT_KEYS, _OUTPUT_KEYS = _keys_of(RecordEntry), _keys_of(InputEntry), _keys_of(OutputEntry)
_USAGE_KEYS, _METADATA_KEYS = _keys_of(UsageEntry), _keys_of(MetadataEntry)
_MACHINE_KEYS, _TRANSFORMATION_KEYS, _WRAPPER_KEYS = (
    _keys_of(kind) for kind in (MachineEntry, TransformationEntry, WrapperEntry)
)
_TAIL_KEYS = 2  # size and text: `_agrees` takes no others


def decode(data: bytes) -> RecordEntry | None:
    """The record in ``data``, if it is just as the wrapper writes them; None: ask `read_record`."""
    try:
        entry = _read(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if _doubles_a_key(data, entry) or not _agrees(entry):
        return None
    return entry


def _doubles_a_key(data: bytes, entry: RecordEntry) -> bool:
    """Whether an object has two keys of one name: the decoder keeps the last one and says nothing.

    A colon ends a key or stands in a string. There are at least as many as the entry has keys and its strings have
    colons; if there are no more, then no key comes twice. A colon could be written as an escape, which nobody does.
    """
    surplus = data.count(b":") - _keys(entry) - _colons(entry)
    if surplus == 0 and b"\\u003" not in data:
        return False
    try:
        parse_object(data)  # some other string has colons: take a close look
    except MalformedError:
        return True
    return False


def _colons(entry: RecordEntry) -> int:
    """How many colons those strings hold that usually have some."""
    looks = len(entry.inputs) + len(entry.changed_inputs) + len(entry.outputs)
    texts = [*entry.argument_vector, *entry.environment.values()]
    texts += [seen.url for seen in entry.inputs if seen.url is not None]
    streams = (entry.stdout, entry.stderr, entry.metadata)
    texts += [stream.text for stream in streams if stream is not None and stream.text is not None]
    if entry.machine is not None:
        texts += entry.machine.uname.values()
    return _COLONS_OF_TIME * (2 + looks) + "".join(texts).count(":")


def _keys(entry: RecordEntry) -> int:
    """How many keys a document has that holds this entry and nothing else, each once."""
    found = _RECORD_KEYS + len(entry.environment)
    found += _INPUT_KEYS * (len(entry.inputs) + len(entry.changed_inputs)) + _OUTPUT_KEYS * len(entry.outputs)
    found += _TAIL_KEYS * ((entry.stdout is not None) + (entry.stderr is not None))
    if entry.machine is not None:
        found += _MACHINE_KEYS + len(entry.machine.uname)
    if entry.transformation is not None:
        found += _TRANSFORMATION_KEYS
    if entry.wrapper is not None:
        found += _WRAPPER_KEYS
    if entry.usage is not None:
        found += _USAGE_KEYS
    return found if entry.metadata is None else found + _METADATA_KEYS


def _agrees(entry: RecordEntry) -> bool:
    """Whether the entry is free of everything that `read_record` refuses and types do not tell."""
    good = entry.status == "succeeded"
    if good and (entry.exit_code != 0 or entry.signal is not None or entry.changed_inputs):
        return False
    if source_of_run(entry.run_id) is None:
        return False
    tails = [tail for tail in (entry.stdout, entry.stderr) if tail is not None]
    if any(tail.text is None or tail.base64 is not None for tail in tails):
        return False
    inputs, outputs = entry.inputs + entry.changed_inputs, entry.outputs
    if len(inputs) + 2 * len(outputs) > MAX_OUTPUTS:
        return False
    if len(outputs) > 1 and len({output.name for output in outputs}) != len(outputs):
        return False
    return (
        all(_input_agrees(seen, good) for seen in inputs)
        and all(_output_agrees(output, good) for output in outputs)
        and _are_digests_and_times(entry)
    )


def _input_agrees(seen: InputEntry, good: bool) -> bool:
    if seen.verdict == "ok":
        if seen.actual_sha256 is None or seen.actual_size_bytes is None:
            return False
        if seen.expected_sha256 is not None and seen.expected_sha256 != seen.actual_sha256:
            return False
    elif good and not (seen.verdict == "missing" and seen.optional):
        return False
    return _fits(seen) and (seen.url is None or is_copy_url(seen.url))


def _output_agrees(output: OutputEntry, good: bool) -> bool:
    if output.verdict == "ok":
        if output.actual_sha256 is None or output.actual_size_bytes is None:
            return False
    elif good and not (output.verdict == "missing" and output.optional):
        return False
    return _fits(output) and (output.kind is not None or output.actual_sha256 is None)


def _fits(seen: Looked) -> bool:
    """What inputs and outputs have in common: words of the form of a finding, numbers of 64 bits."""
    return (
        (seen.finding is None or FINDING.fullmatch(seen.finding) is not None)
        and (seen.inode is None or seen.inode <= UINT64_MAX)
        and (seen.device is None or seen.device <= UINT64_MAX)
    )


def _are_digests_and_times(entry: RecordEntry) -> bool:
    """Whether each of these texts, whose length is known, is what it should be: a digest in lower case, a time."""
    digests, times = [entry.reuse_key], [entry.start, entry.end]
    for seen in looks_of(entry):
        digests += (seen.actual_sha256, seen.expected_sha256)
        times.append(seen.at)
    written = "".join(filter(None, digests))
    try:
        if bytes.fromhex(written).hex() != written:
            return False  # in capitals, or with white space between
    except ValueError:
        return False
    return _TIMES.fullmatch("".join(times)) is not None or all(_is_time(time) for time in times)


def _is_time(text: str) -> bool:
    try:
        return TIME.fullmatch(text) is not None and time_text(dt.datetime.fromisoformat(text)) == text
    except (ValueError, OverflowError):
        return False
