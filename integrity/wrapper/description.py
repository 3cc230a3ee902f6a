"""The job description, checked: whatever is wrong with it is said before anything is touched."""

import os
import posix

from integrity.wrapper.beneath import names_beneath
from integrity.wrapper.errors import UnusableError
from integrity.wrapper.limits import LIMITS
from integrity.wrapper.signals import signal
from integrity.wrapper.values import (
    MAX_SECONDS,
    argument,
    arguments,
    checked_path,
    entries_of,
    expect,
    fewer_than,
    flag,
    known_keys,
    optional,
    seconds,
    typed,
)

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

JOB_SCHEMA = "pirene.job/1"
DEFAULT_TAIL_BYTES = 65536
MAX_TAIL_BYTES = 1 << 30  # it is held in memory
DEFAULT_GRACE_SECONDS = 5.0
INPUT_KEYS = ("name", "path", "role", "sha256", "size", "digest_origin", "optional", "url", "source", "file")
OUTPUT_KEYS = ("name", "path", "role", "optional")
INPUT_ROLES = ("input", "inout", "checkpoint", "executable")
OUTPUT_ROLES = ("output", "inout", "checkpoint")
REWRITTEN_ROLES = ("inout", "checkpoint")  # the command is meant to change these: not compared afterwards


PROTECTION_LEVELS = ("guard", "copy", "seal")
PROTECTED_FOLDER = ".pirene-protected"
STEPS = ("setup", "pre", "post", "cleanup")
CHECKPOINT_SIGNALS = ("TERM", "INT", "HUP", "USR1", "USR2")


class Step:
    """One command of a job; of all but ``main`` the output is captured and there is no input."""

    def __init__(self, name: str, argv: "list[bytes]") -> None:
        self.name = name
        self.argv = argv
        self.stdin: "bytes | None" = None
        self.stdout: "bytes | None" = None
        self.stderr: "bytes | None" = None
        self.passthrough = False


class Job:
    """A job description, checked. ``document`` is what was given; paths are absolute bytes, unless said otherwise."""

    def __init__(self, document: "Mapping[str, Any]") -> None:
        self.document = document
        expect(document, "schema", JOB_SCHEMA)
        for key, kind in (("run_id", str), ("job", int), ("id", str), ("attempt", int)):
            typed(document, key, kind)
        for key in ("site", "reuse_key"):
            optional(document, key, str, None)
        transformation = optional(document, "transformation", dict, {})
        for key in transformation:
            optional(transformation, key, str, None)
        given = optional(document, "work_dir", str, None)
        if given is not None and not given.startswith("/"):
            raise UnusableError("work_dir: expected an absolute path or null, found %r" % given)
        self.work_dir = working_folder() if given is None else checked_path(given, "work_dir")
        self.stage_in = [_staging(entry) for entry in entries_of(document, "stage_in")]
        self.environment, self.recorded_names = _environment(optional(document, "environment", dict, {}))
        self.metadata_file = self._optional_path("metadata_file")
        self.inputs = [self._input(entry) for entry in entries_of(document, "inputs")]
        self.tail_bytes: int = fewer_than(document, "tail_bytes", int, MAX_TAIL_BYTES, DEFAULT_TAIL_BYTES)
        grace = fewer_than(document, "grace_seconds", (int, float), MAX_SECONDS, DEFAULT_GRACE_SECONDS)
        self.grace_seconds = float(grace)
        self.main = Step("main", arguments(document, "argv", "argv"))
        self.main.stdin = self._optional_path("stdin")
        self.main.stdout = self._optional_path("stdout")
        self.main.stderr = self._optional_path("stderr")
        self.main.passthrough = flag(document, "passthrough", "passthrough")
        steps = known_keys(document, "steps", STEPS)
        self.steps = {name: Step(name, arguments(steps, name, "steps." + name)) for name in steps}
        self.walltime_seconds = seconds(document, "walltime_seconds")
        self.checkpoint_seconds, self.checkpoint_signal = _checkpoint(document)
        self.limits = _limits(document)
        self.deliver = self._optional_path("deliver")
        self.outputs = [self._output(entry) for entry in entries_of(document, "outputs")]
        protection = known_keys(document, "protection", ("level", "folder", "arguments"))
        self.protection: str = optional(protection, "level", str, PROTECTION_LEVELS[0])
        if self.protection not in PROTECTION_LEVELS:
            words = (", ".join(PROTECTION_LEVELS), self.protection)
            raise UnusableError("protection.level: expected any of %s, found %r" % words)
        self.protected_dir = self.absolute(optional(protection, "folder", str, PROTECTED_FOLDER), "protection.folder")
        self.protects_arguments = flag(protection, "arguments", "protection.arguments")
        self.staged_links = {b"/".join(names) for _, names, is_copied in self.stage_in if not is_copied}
        if self.metadata_file is not None:
            self.environment[b"PIRENE_METADATA"] = self.environment[b"KICKSTART_METADATA"] = self.metadata_file

    @property
    def owns_folder(self) -> bool:
        """Whether the work folder is the job's alone, so that its outputs must lie in it."""
        return self.document.get("work_dir") is not None or self.deliver is not None

    @property
    def verified_steps(self) -> "list[Step]":
        """Those that run once the inputs have been verified: what `setup` is to read nobody has looked at."""
        return [self.main, *(step for name, step in self.steps.items() if name != "setup")]

    def absolute(self, text: str, key: str) -> bytes:
        """A path of the description, taken from the work folder."""
        return os.path.join(self.work_dir, checked_path(text, key))

    def _optional_path(self, key: str) -> "bytes | None":
        text = optional(self.document, key, str, None)
        return None if text is None else self.absolute(text, key)

    def _use(
        self, entry: "Mapping[str, Any]", key: str, keys: "tuple[str, ...]", roles: "tuple[str, ...]"
    ) -> "dict[str, Any]":
        use = {name: entry.get(name) for name in keys}
        typed(use, "name", str)
        self.absolute(typed(use, "path", str), key + ".path")
        use["optional"] = flag(use, "optional", key + ".optional")
        if use["role"] not in roles:
            raise UnusableError("%s: expected a role of %s, found %r" % (key, ", ".join(roles), use["role"]))
        return use

    def _input(self, entry: "Mapping[str, Any]") -> "dict[str, Any]":
        use = self._use(entry, "inputs", INPUT_KEYS, INPUT_ROLES)
        sha256 = optional(use, "sha256", str, None)
        if sha256 is not None and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
            raise UnusableError(
                "inputs.sha256 of %r: expected 64 lower-case hex digits, found %r" % (use["name"], sha256)
            )
        for key, kind in (("size", int), ("source", int), ("file", int), ("url", str), ("digest_origin", str)):
            optional(use, key, kind, None)
        return use

    def _output(self, entry: "Mapping[str, Any]") -> "dict[str, Any]":
        use = self._use(entry, "outputs", OUTPUT_KEYS, OUTPUT_ROLES)
        if self.owns_folder and not names_beneath(use["path"]):
            raise UnusableError(
                "outputs.path: expected a path below the work folder, which is the job's own, found %r" % use["path"]
            )
        return use


def working_folder() -> bytes:
    """The folder that this process works in. Raises UnusableError where it has been removed."""
    try:
        return os.getcwdb()
    except FileNotFoundError:
        raise UnusableError("work_dir: null stands for the current folder, which no longer exists") from None


def _staging(entry: "Mapping[str, Any]") -> "tuple[bytes, list[bytes], bool]":
    """(absolute path that is staged in, the names on the way from the work folder to it, whether it is copied)."""
    source = checked_path(typed(entry, "from", str), "stage_in.from")
    to = checked_path(typed(entry, "to", str), "stage_in.to")
    names = [name for name in to.split(b"/") if name not in (b"", b".")]
    if not source.startswith(b"/") or to.startswith(b"/") or not names or b".." in names:
        raise UnusableError(
            "stage_in: expected an absolute `from` and a `to` below the work folder, found %r" % dict(entry)
        )
    return source, names, flag(entry, "copy", "stage_in.copy")


def _checkpoint(document: "Mapping[str, Any]") -> "tuple[float | None, int]":
    """(seconds after which the command is to write its checkpoint or None, the signal that says so)."""
    found = known_keys(document, "checkpoint", ("after_seconds", "signal"))
    name = optional(found, "signal", str, "TERM")
    if name not in CHECKPOINT_SIGNALS:
        raise UnusableError("checkpoint.signal: expected any of %s, found %r" % (", ".join(CHECKPOINT_SIGNALS), name))
    return seconds(found, "after_seconds"), getattr(signal, "SIG" + name)


def _limits(document: "Mapping[str, Any]") -> "dict[str, int]":
    limits = known_keys(document, "limits", LIMITS)
    for name in limits:
        if not 1 <= typed(limits, name, int) < 1 << 62:
            raise UnusableError("limits.%s: expected a number from 1 to 2**62, found %r" % (name, limits[name]))
    return dict(limits)


def _environment(document: "Mapping[str, Any]") -> "tuple[dict[bytes, bytes], list[bytes]]":
    """The command's environment, and the names that may be recorded."""
    environment = {} if document.get("clear") else _own_environment()
    for name, value in optional(document, "set", dict, {}).items():
        if not name or "=" in name:
            raise UnusableError("environment.set: expected a name without `=`, found %r" % name)
        environment[argument(name, "environment.set")] = argument(value, "environment.set." + name)
    names = optional(document, "record", list, [])
    return environment, [argument(name, "environment.record") for name in names]


def _own_environment() -> "dict[bytes, bytes]":
    environment = dict(posix.environ)  # as it was given; `os.environb` makes a copy of it one by one
    # Since 3.7 Python sets LC_CTYPE for itself in the C locale; the command must not inherit what nobody gave it.
    if environment.get(b"LC_CTYPE") in (b"C.UTF-8", b"C.utf8", b"UTF-8"):
        try:
            with open("/proc/self/environ", "rb") as initial:
                if not any(entry.startswith(b"LC_CTYPE=") for entry in initial.read().split(b"\0")):
                    del environment[b"LC_CTYPE"]
        except OSError:
            return environment  # without /proc there is no telling: leave it
    return environment
