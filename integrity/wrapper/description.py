"""The job description, checked: whatever is wrong with it is said before anything is touched."""

import os

from integrity.wrapper.errors import UnusableError
from integrity.wrapper.notation import to_bytes

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

JOB_SCHEMA = "pirene.job/1"
DEFAULT_TAIL_BYTES = 65536
DEFAULT_GRACE_SECONDS = 5.0
INPUT_KEYS = ("name", "path", "role", "sha256", "size", "digest_origin", "optional", "url", "source", "file")
OUTPUT_KEYS = ("name", "path", "role", "optional")
INPUT_ROLES = ("input", "inout", "checkpoint", "executable")
OUTPUT_ROLES = ("output", "inout", "checkpoint")
REWRITTEN_ROLES = ("inout", "checkpoint")  # the command is meant to change these: not compared afterwards


class Job:
    """A job description, checked. ``document`` is what was given; paths are absolute bytes, unless said otherwise."""

    def __init__(self, document: "Mapping[str, Any]") -> None:
        self.document = document
        _expect(document, "schema", JOB_SCHEMA)
        for key, kind in (("run_id", str), ("job", int), ("id", str), ("attempt", int)):
            _typed(document, key, kind)
        for key in ("site", "reuse_key"):
            _optional(document, key, str, None)
        transformation = _optional(document, "transformation", dict, {})
        for key in transformation:
            _optional(transformation, key, str, None)
        given = _optional(document, "work_dir", str, None)
        if given is not None and not given.startswith("/"):
            raise UnusableError("work_dir: expected an absolute path or null, found %r" % given)
        self.work_dir = working_folder() if given is None else checked_path(given, "work_dir")
        self.stage_in = [_staging(entry) for entry in _entries(document, "stage_in")]
        self.argv = [_argument(value, "argv") for value in _typed(document, "argv", list)]
        if not self.argv or not self.argv[0]:
            raise UnusableError("argv: expected the executable and its arguments, found %r" % document["argv"])
        self.environment, self.recorded_names = _environment(_optional(document, "environment", dict, {}))
        self.stdin = self._optional_path("stdin")
        self.stdout = self._optional_path("stdout")
        self.stderr = self._optional_path("stderr")
        self.metadata_file = self._optional_path("metadata_file")
        self.inputs = [self._input(entry) for entry in _entries(document, "inputs")]
        self.outputs = [
            self._use(entry, "outputs", OUTPUT_KEYS, OUTPUT_ROLES) for entry in _entries(document, "outputs")
        ]
        self.tail_bytes = max(0, _optional(document, "tail_bytes", int, DEFAULT_TAIL_BYTES))
        self.grace_seconds = max(0.0, float(_optional(document, "grace_seconds", (int, float), DEFAULT_GRACE_SECONDS)))
        self.passthrough = _flag(document, "passthrough", "passthrough")
        self.deliver = self._optional_path("deliver")
        if self.metadata_file is not None:
            self.environment[b"PIRENE_METADATA"] = self.environment[b"KICKSTART_METADATA"] = self.metadata_file

    def absolute(self, text: str, key: str) -> bytes:
        """A path of the description, taken from the work folder."""
        return os.path.join(self.work_dir, checked_path(text, key))

    def _optional_path(self, key: str) -> "bytes | None":
        text = _optional(self.document, key, str, None)
        return None if text is None else self.absolute(text, key)

    def _use(
        self, entry: "Mapping[str, Any]", key: str, keys: "tuple[str, ...]", roles: "tuple[str, ...]"
    ) -> "dict[str, Any]":
        use = {name: entry.get(name) for name in keys}
        _typed(use, "name", str)
        self.absolute(_typed(use, "path", str), key + ".path")
        use["optional"] = _flag(use, "optional", key + ".optional")
        if use["role"] not in roles:
            raise UnusableError("%s: expected a role of %s, found %r" % (key, ", ".join(roles), use["role"]))
        return use

    def _input(self, entry: "Mapping[str, Any]") -> "dict[str, Any]":
        use = self._use(entry, "inputs", INPUT_KEYS, INPUT_ROLES)
        sha256 = _optional(use, "sha256", str, None)
        if sha256 is not None and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
            raise UnusableError(
                "inputs.sha256 of %r: expected 64 lower-case hex digits, found %r" % (use["name"], sha256)
            )
        for key, kind in (("size", int), ("source", int), ("file", int), ("url", str), ("digest_origin", str)):
            _optional(use, key, kind, None)
        return use


def working_folder() -> bytes:
    """The folder that this process works in. Raises UnusableError where it has been removed."""
    try:
        return os.getcwdb()
    except FileNotFoundError:
        raise UnusableError("work_dir: null stands for the current folder, which no longer exists") from None


def _expect(document: "Mapping[str, Any]", key: str, value: str) -> None:
    if document.get(key) != value:
        raise UnusableError("%s: expected %r, found %r" % (key, value, document.get(key)))


def _typed(document: "Mapping[str, Any]", key: str, kind: "Any") -> "Any":
    value = document.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UnusableError(
            "%s: expected a value of type %s, found %r" % (key, getattr(kind, "__name__", "number"), value)
        )
    return value


def _optional(document: "Mapping[str, Any]", key: str, kind: "Any", default: "Any") -> "Any":
    return default if document.get(key) is None else _typed(document, key, kind)


def _flag(document: "Mapping[str, Any]", key: str, shown: str) -> bool:
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise UnusableError("%s: expected true or false, found %r" % (shown, value))
    return bool(value)


def _entries(document: "Mapping[str, Any]", key: str) -> "list[Mapping[str, Any]]":
    entries = _optional(document, key, list, [])
    if not all(isinstance(entry, dict) for entry in entries):
        raise UnusableError("%s: expected a list of objects" % key)
    return list(entries)


def _argument(value: "Any", key: str) -> bytes:
    if not isinstance(value, str) or "\0" in value:
        raise UnusableError("%s: expected text without a NUL character, found %r" % (key, value))
    try:
        return to_bytes(value)
    except UnicodeEncodeError:
        raise UnusableError("%s: %r holds a surrogate that stands for no byte" % (key, value)) from None


def checked_path(text: str, key: str) -> bytes:
    """The bytes of a path; ``key`` is named where it is none. Raises UnusableError."""
    if not text:
        raise UnusableError("%s: expected a path, found an empty text" % key)
    return _argument(text, key)


def _staging(entry: "Mapping[str, Any]") -> "tuple[bytes, list[bytes], bool]":
    """(absolute path that is staged in, the names on the way from the work folder to it, whether it is copied)."""
    source = checked_path(_typed(entry, "from", str), "stage_in.from")
    to = checked_path(_typed(entry, "to", str), "stage_in.to")
    names = [name for name in to.split(b"/") if name not in (b"", b".")]
    if not source.startswith(b"/") or to.startswith(b"/") or not names or b".." in names:
        raise UnusableError(
            "stage_in: expected an absolute `from` and a `to` below the work folder, found %r" % dict(entry)
        )
    return source, names, _flag(entry, "copy", "stage_in.copy")


def _environment(document: "Mapping[str, Any]") -> "tuple[dict[bytes, bytes], list[bytes]]":
    """The command's environment, and the names that may be recorded."""
    environment = {} if document.get("clear") else _own_environment()
    for name, value in _optional(document, "set", dict, {}).items():
        if not name or "=" in name:
            raise UnusableError("environment.set: expected a name without `=`, found %r" % name)
        environment[_argument(name, "environment.set")] = _argument(value, "environment.set." + name)
    names = _optional(document, "record", list, [])
    return environment, [_argument(name, "environment.record") for name in names]


def _own_environment() -> "dict[bytes, bytes]":
    environment = dict(os.environb)
    # Since 3.7 Python sets LC_CTYPE for itself in the C locale; the command must not inherit what nobody gave it.
    if environment.get(b"LC_CTYPE") in (b"C.UTF-8", b"C.utf8", b"UTF-8"):
        try:
            with open("/proc/self/environ", "rb") as initial:
                if not any(entry.startswith(b"LC_CTYPE=") for entry in initial.read().split(b"\0")):
                    del environment[b"LC_CTYPE"]
        except OSError:
            return environment  # without /proc there is no telling: leave it
    return environment
