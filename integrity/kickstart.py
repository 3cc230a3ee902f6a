"""Runs one attempt of one job: verifies inputs, runs the command, hashes outputs, writes one invocation record.

It exists because nobody else stands where the bytes are read: on the worker, right before and right after the command.
It is one self-contained file for the standard library of Python 3.6 (what the workers of EL8 have), copied to worker
nodes and run as ``python3 -I -S kickstart.py --job FILE|- --record FILE``; the local engine's launcher imports it by
path and calls ``run_attempt`` in a forked child. ``docs/formats/invocation.md`` describes both documents.

It refuses: to start a command one of whose inputs is not, byte for byte, what was expected; to call an attempt a
success if an input was touched while the command ran, an output is missing or a symbolic link; to write over a record.

Paths, arguments and environment are bytes in here, whatever the locale says; documents hold them as UTF-8 with
surrogate escapes. A process that calls ``run_attempt`` must have no other children: whatever it has is waited for.
"""

import errno
import fcntl
import functools
import hashlib
import json
import os
import resource  # noqa: F401 - wait4 needs it, and would load it anew in every forked child
import select
import signal
import stat
import sys
import time

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, NoReturn

VERSION = "1"
JOB_SCHEMA = "pirene.job/1"
RECORD_SCHEMA = "pirene.invocation/1"

EXIT_SUCCEEDED = 0
EXIT_FAILED = 1
EXIT_UNUSABLE = 2
EXIT_INTEGRITY = 3
EXIT_UNRECORDED = 4

CODE_NOT_RUNNABLE = 126  # as shells have it: found, but it cannot be run
CODE_NOT_FOUND = 127

DEFAULT_PATH = b"/usr/bin:/bin"  # of a command whose environment has none
DEFAULT_TAIL_BYTES = 65536
DEFAULT_GRACE_SECONDS = 5.0
METADATA_LIMIT_BYTES = 1 << 20
HALF_CHARACTERS = "".join(chr(code) for code in range(0xDC80, 0xDD00))  # what a cut through a character leaves behind
RESERVED_BYTES = 1 << 18  # for a record: two tails of the usual length, escaped, and the rest
PIPE_BYTES = 1 << 16  # what a pipe holds
BLOCK_BYTES = 1 << 18  # fits the second-level cache; larger blocks hash no faster
RACY_NS = 20 * 1000 * 1000  # ctime ticks at up to 10 ms on older kernels: a younger one proves nothing
KILL_INTERVAL_SECONDS = 0.05  # between rounds of SIGKILL, for processes that were forked during the last one
MAX_LINKS = 40  # the kernel's own limit on symbolic links in a path

FOLDER_HEADER = b"pirene-folder/1\0"
EMPTY_FOLDER = b"-" * 64

# What the record calls it, what the system calls it, and the unit that the system counts it in (seconds, bytes or one).
USAGE = {
    "utime": ("ru_utime", 1),
    "stime": ("ru_stime", 1),
    "maxrss": ("ru_maxrss", 1024),
    "minflt": ("ru_minflt", 1),
    "majflt": ("ru_majflt", 1),
    "nvcsw": ("ru_nvcsw", 1),
    "nivcsw": ("ru_nivcsw", 1),
    "inblock": ("ru_inblock", 512),
    "outblock": ("ru_oublock", 512),
}

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

INPUT_KEYS = ("name", "path", "role", "sha256", "size", "digest_origin", "optional", "url", "source", "file")
OUTPUT_KEYS = ("name", "path", "role", "optional")
INPUT_ROLES = ("input", "inout", "checkpoint", "executable")
OUTPUT_ROLES = ("output", "inout", "checkpoint")
REWRITTEN_ROLES = ("inout", "checkpoint")  # the command is meant to change these: not compared afterwards


class UnusableError(Exception):
    """The job description cannot be used; the message names the key."""


class UnrecordedError(Exception):
    """No record can be written: there is one, another wrapper is at work on it, or the disk refuses."""


class UnreadableError(Exception):
    """A file's bytes could not be read whole, or moved while they were read; never the ground for a digest."""


class StoppedError(Exception):
    """The wrapper was told to stop, and its patience is over."""


class UnpreparedError(Exception):
    """The command could not be started; ``exit_code`` is what a shell would have said, or None."""

    def __init__(self, message: str, exit_code: "int | None" = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


# ---------------------------------------------------------------------------------------------------- text and time


def to_bytes(text: str) -> bytes:
    """The bytes that a string of a document stands for: UTF-8 with surrogate escapes, in every locale."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """How a document holds these bytes: the inverse of ``to_bytes``."""
    return data.decode("utf-8", "surrogateescape")


def clock_ns() -> int:
    """The time of day in nanoseconds since 1970, to the microsecond (time_ns came with Python 3.7)."""
    return int(time.time() * 1000000) * 1000


def time_text(nanoseconds: int) -> str:
    """A time of day in UTC with microseconds: 2026-11-23T05:20:00.123456Z."""
    seconds, rest = divmod(nanoseconds, 1000000000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%06dZ" % (rest // 1000)


def what_is_in(path: str) -> str:
    """What the system says in a file of its own; nothing where it has none."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def reason(error: OSError) -> str:
    """What the system said, without the path that the sentence around it already has."""
    return error.strerror or str(error)


# ------------------------------------------------------------------------------------------------- the description


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
        self.work_dir = _working_folder() if given is None else _path(given, "work_dir")
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
        return os.path.join(self.work_dir, _path(text, key))

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


def _working_folder() -> bytes:
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


def _path(text: str, key: str) -> bytes:
    if not text:
        raise UnusableError("%s: expected a path, found an empty text" % key)
    return _argument(text, key)


def _staging(entry: "Mapping[str, Any]") -> "tuple[bytes, list[bytes], bool]":
    """(absolute path that is staged in, the names on the way from the work folder to it, whether it is copied)."""
    source = _path(_typed(entry, "from", str), "stage_in.from")
    to = _path(_typed(entry, "to", str), "stage_in.to")
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


# ------------------------------------------------------------------------------------------------ signals and the end


class Stop:
    """Whether the wrapper was told to stop, and for how much longer it may go on. Also wakes a sleeping poll.

    ``patience_seconds`` is what it may still take after the signal, or after ``since``, whichever is later.
    """

    def __init__(self) -> None:
        self.signal = None  # type: int | None
        self.count = 0
        self.patience_seconds = 0.0
        self.since = 0.0
        self._at = 0.0
        self.wake, self._wake_end = os.pipe()
        self.inherited = {}  # type: dict[int, Any]

    def install(self) -> None:
        """Take the stop signals, except those that were ignored from the start (nohup), and the ends of children.

        Whoever forks this process may block them before: what came in between is taken now.
        """
        for descriptor in (self.wake, self._wake_end):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_end)
        for number in STOP_SIGNALS:
            self.inherited[number] = signal.getsignal(number)
            if self.inherited[number] != signal.SIG_IGN:
                signal.signal(number, self._told)
        self.inherited[signal.SIGCHLD] = signal.SIG_DFL
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOP_SIGNALS, signal.SIGCHLD))

    def reset(self) -> None:
        """What the command gets: signals as the wrapper got them; Python's own ignored SIGPIPE and SIGXFSZ undone."""
        signal.set_wakeup_fd(-1)
        for number, handler in self.inherited.items():
            signal.signal(number, signal.SIG_IGN if handler == signal.SIG_IGN else signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)

    def _told(self, number: int, frame: object) -> None:
        if self.signal is None:
            self.signal = number
            self._at = time.monotonic()
        self.count += 1

    def check(self) -> None:
        """Raise StoppedError once the wrapper was told to stop and its patience is over."""
        if self.signal is not None and time.monotonic() >= max(self._at, self.since) + self.patience_seconds:
            raise StoppedError("stopped by %s" % signal.Signals(self.signal).name)

    def drain(self) -> None:
        """Forget the wake-ups so far."""
        try:
            while os.read(self.wake, 4096):
                pass
        except BlockingIOError:
            return


# ------------------------------------------------------------------------------------------------- files and digests


class Survey:
    """What the system says of a file or folder without reading it.

    ``fingerprint`` moves with identity, size, mtime and ctime (of everything in it, for a folder). Of a folder ``size``
    is the sum of its files, ``mtime_ns`` and ``ctime_ns`` are the newest in it.
    """

    def __init__(self, kind: str, status: os.stat_result) -> None:
        self.kind = kind
        self.fingerprint = _identity(status)  # type: tuple[Any, ...]
        self.size = status.st_size
        self.mtime_ns = status.st_mtime_ns
        self.ctime_ns = status.st_ctime_ns
        self.inode = status.st_ino
        self.device = status.st_dev
        self.uid = status.st_uid


class Content:
    """The digest of all bytes of a file or folder, and of its first ``prefix_size`` bytes where it is longer."""

    def __init__(self, sha256: str, size: int, prefix_sha256: "str | None") -> None:
        self.sha256 = sha256
        self.size = size
        self.prefix_sha256 = prefix_sha256


def _identity(status: os.stat_result) -> "tuple[int, ...]":
    kind = stat.S_IFMT(status.st_mode)
    return status.st_dev, status.st_ino, kind, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def survey(descriptor: int) -> Survey:
    """Survey an open file or folder; raises UnreadableError for anything else, OSError where the system refuses."""
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return Survey("file", status)
    if not stat.S_ISDIR(status.st_mode):
        raise UnreadableError("it is %s, neither a regular file nor a folder" % kind_name(status.st_mode))
    found = Survey("folder", status)
    found.size = 0
    lines = hashlib.sha256(repr(found.fingerprint).encode())
    for path, entry, _, _ in walk(descriptor):
        lines.update(b"%d %s\0%r\0" % (len(path), path, _identity(entry)))
        found.size += entry.st_size if stat.S_ISREG(entry.st_mode) else 0
        found.mtime_ns = max(found.mtime_ns, entry.st_mtime_ns)
        found.ctime_ns = max(found.ctime_ns, entry.st_ctime_ns)
    found.fingerprint = (lines.hexdigest(),)
    return found


def kind_name(mode: int) -> str:
    """What a file of this mode is, for a message."""
    names = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a regular file",
    }
    return names.get(stat.S_IFMT(mode), "of an unknown kind")


def walk(folder: int, prefix: bytes = b"") -> "Iterator[tuple[bytes, os.stat_result, int, bytes]]":
    """Everything below an open folder, as (path, status, descriptor of its folder, name), sorted by the bytes of path.

    The path of a folder ends in a slash, which makes depth-first order the order of whole paths. No link is followed.
    """
    entries = []
    for text in os.listdir(folder):
        name = os.fsencode(text)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        entries.append((name + b"/" if stat.S_ISDIR(status.st_mode) else name, name, status))
    entries.sort(key=lambda entry: entry[0])
    for key, name, status in entries:
        yield prefix + key, status, folder, name
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                yield from walk(inner, prefix + key)
            finally:
                os.close(inner)


def hash_stream(descriptor: int, about: int, prefix_size: "int | None", check: "Callable[[], None]") -> Content:
    """Hash from the current position to the end, in one pass, calling ``check`` before every block.

    ``about`` is the size that the file is likely to have: a small one must not cost the touching of a large buffer.
    """
    whole = hashlib.sha256()
    prefix_sha256 = None
    size = 0
    buffer = memoryview(bytearray(min(BLOCK_BYTES, max(about + 1, 4096))))
    while True:
        check()
        count = os.readv(descriptor, [buffer])
        if not count:
            return Content(whole.hexdigest(), size, prefix_sha256)
        if prefix_size is not None and size <= prefix_size < size + count:
            cut = prefix_size - size
            whole.update(buffer[:cut])
            prefix_sha256 = whole.hexdigest()
            whole.update(buffer[cut:count])
        else:
            whole.update(buffer[:count])
        size += count


def hash_folder(descriptor: int, check: "Callable[[], None]") -> Content:
    """The digest of a folder's sorted manifest; ``integrity/digest.py`` defines its form.

    Raises UnreadableError where the folder holds anything but regular files and folders.
    """
    manifest = hashlib.sha256(FOLDER_HEADER)
    size = 0
    empty = None  # type: bytes | None
    for path, status, folder, name in walk(descriptor):
        if empty is not None and not path.startswith(empty):
            manifest.update(EMPTY_FOLDER + b"  " + empty + b"\0")
        empty = path if stat.S_ISDIR(status.st_mode) else None
        if stat.S_ISREG(status.st_mode):
            content = _hash_entry(folder, name, status.st_size, check)
            manifest.update(content.sha256.encode() + b"  " + path + b"\0")
            size += content.size
        elif empty is None:
            raise UnreadableError("it holds %r, which is %s" % (to_text(path), kind_name(status.st_mode)))
    if empty is not None:
        manifest.update(EMPTY_FOLDER + b"  " + empty + b"\0")
    return Content(manifest.hexdigest(), size, None)


def _hash_entry(folder: int, name: bytes, about: int, check: "Callable[[], None]") -> Content:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        return hash_stream(descriptor, about, None, check)
    finally:
        os.close(descriptor)


def read_content(
    path: bytes, follow: bool, settle: bool, prefix_size: "int | None", check: "Callable[[], None]"
) -> "tuple[Survey, Content]":
    """Hash a file or folder so that the digest is that of bytes which did not move meanwhile.

    With ``settle`` it first waits until the ctime is so old that any later change moves it. Raises OSError or
    UnreadableError.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a named pipe must not block the open
    descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    try:
        before = survey(descriptor)
        age_ns = clock_ns() - before.ctime_ns
        if settle and abs(age_ns) < RACY_NS:
            time.sleep((RACY_NS - age_ns) / 1e9)
            before = survey(descriptor)
        if before.kind == "file":
            content = hash_stream(descriptor, before.size, prefix_size, check)
        else:
            content = hash_folder(descriptor, check)
        there = os.stat(path, follow_symlinks=follow)
        if survey(descriptor).fingerprint != before.fingerprint or content.size != before.size:
            raise UnreadableError("it changed while it was read")
        if (there.st_dev, there.st_ino) != (before.device, before.inode):
            raise UnreadableError("another file took its place while it was read")
        return before, content
    finally:
        os.close(descriptor)


def link_chain(path: bytes) -> "list[tuple[int, int, int, bytes]]":
    """The symbolic links that ``path`` leads through: one swapped and swapped back leaves its target's ctime alone."""
    chain = []  # type: list[tuple[int, int, int, bytes]]
    while len(chain) < MAX_LINKS:
        status = os.lstat(path)
        if not stat.S_ISLNK(status.st_mode):
            break
        target = os.readlink(path)
        chain.append((status.st_dev, status.st_ino, status.st_ctime_ns, target))
        path = os.path.join(os.path.dirname(path), target)
    return chain


@functools.lru_cache(maxsize=None)
def user_name(uid: int) -> str:
    """The name of a user, or the number where nobody knows a name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# ------------------------------------------------------------------------------------------- verification of inputs


class Verified:
    """An input that was looked at, with what a later look is compared with; ``found`` is None if it was unreadable."""

    def __init__(
        self, entry: "dict[str, Any]", path: bytes, found: "Survey | None", links: "list[tuple[int, int, int, bytes]]"
    ) -> None:
        self.entry = entry
        self.path = path
        self.found = found
        self.links = links

    def unchanged(self) -> bool:
        """Whether the path still leads to the same file through the same links, untouched.

        A link that the command removed is no change while its target is as it was: jobs clean up behind themselves.
        """
        path = self.path
        if self.links and not os.path.lexists(path):
            path = to_bytes(self.entry["target"])
        elif link_chain(path) != self.links:
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return self.found is not None and survey(descriptor).fingerprint == self.found.fingerprint
        finally:
            os.close(descriptor)


def classify(entry: "Mapping[str, Any]", content: Content) -> "str | None":
    """The finding class of an input that was read whole, or None: it is as expected.

    `appended` is certain: the first ``size`` bytes have the expected digest. `truncated` says only that bytes are
    missing: what is left may be altered as well. With no digest expected, a size that differs is all there is to go by.
    """
    if entry["sha256"] == content.sha256 or (entry["sha256"] is None and entry["size"] in (None, content.size)):
        return None
    if content.size == 0 or (entry["size"] is not None and content.size < entry["size"]):
        return "truncated"
    if entry["sha256"] is not None and entry["sha256"] == content.prefix_sha256:
        return "appended"
    return "content-mismatch"


def verify_input(given: "Mapping[str, Any]", path: bytes, stage: str, stop: Stop) -> Verified:
    """Hash one input and compare; ``entry`` of what comes back is its entry of the record, good or bad."""
    entry = dict(given)
    for key in ("actual_sha256", "actual_size", "mtime_ns", "ctime_ns", "inode", "device", "owner", "finding", "error"):
        entry[key] = None
    entry.update(kind=None, at=time_text(clock_ns()), stage=stage, protection="guard", verdict="ok")
    entry["target"] = to_text(os.path.realpath(path)) if os.path.lexists(path) else None
    begin = time.monotonic()
    found = None
    links = []  # type: list[tuple[int, int, int, bytes]]
    try:
        links = link_chain(path)
        found, content = read_content(path, True, True, entry["size"], stop.check)
    except (OSError, UnreadableError, RecursionError) as error:
        absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
        entry["verdict"] = "missing" if absent else "unreadable"
        entry["finding"] = None if absent and entry["optional"] else entry["verdict"]
        entry["error"] = reason(error) if isinstance(error, OSError) else str(error)
    else:
        entry.update(_described(found), actual_sha256=content.sha256, actual_size=content.size)
        entry["finding"] = classify(entry, content)
        entry["verdict"] = "ok" if entry["finding"] is None else "mismatch"
    entry["seconds"] = round(time.monotonic() - begin, 6)
    return Verified(entry, path, found, links)


def _described(found: Survey) -> "dict[str, Any]":
    return {
        "kind": found.kind,
        "mtime_ns": found.mtime_ns,
        "ctime_ns": found.ctime_ns,
        "inode": found.inode,
        "device": found.device,
        "owner": user_name(found.uid),
    }


def changed_input(verified: Verified, stop: Stop) -> "dict[str, Any] | None":
    """An input that is not as it was before the command started, hashed again; None: it is untouched."""
    try:
        if verified.unchanged():
            return None
    except (OSError, UnreadableError, RecursionError):
        pass  # the entry below tells what is wrong with it
    given = {key: verified.entry[key] for key in INPUT_KEYS}
    given.update(sha256=verified.entry["actual_sha256"], size=verified.entry["actual_size"])
    given["digest_origin"] = given["digest_origin"] or "observed"
    entry = verify_input(given, verified.path, "post-exec", stop).entry
    entry["finding"] = entry["finding"] or (None if entry["verdict"] == "ok" else entry["verdict"])
    if entry["verdict"] == "ok":
        entry.update(verdict="mismatch", finding="content-mismatch")
        entry["error"] = "it was altered or replaced while the command ran; its bytes are the expected ones again"
    return entry


def hash_output(given: "Mapping[str, Any]", path: bytes, command_succeeded: bool, stop: Stop) -> "dict[str, Any]":
    """Hash one output: its entry of the record. A missing one is a finding only if the command claims success."""
    entry = dict(given)
    for key in ("sha256", "size", "mtime_ns", "ctime_ns", "inode", "device", "owner", "finding", "error"):
        entry[key] = None
    entry.update(kind=None, at=time_text(clock_ns()), stage="output", verdict="ok")
    begin = time.monotonic()
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise UnreadableError("it is a symbolic link; an output must be a file or folder of its own")
        found, content = read_content(path, False, False, None, stop.check)
        entry.update(_described(found), sha256=content.sha256, size=content.size)
    except (FileNotFoundError, NotADirectoryError) as error:
        entry.update(verdict="missing", error=reason(error))
        entry["finding"] = "missing" if command_succeeded and not entry["optional"] else None
    except (OSError, UnreadableError, RecursionError, StoppedError) as error:
        text = reason(error) if isinstance(error, OSError) else str(error)
        entry.update(verdict="unreadable", finding="unreadable", error=text)
    entry["seconds"] = round(time.monotonic() - begin, 6)
    return entry


# ------------------------------------------------------------------------------------------------- before the command


def stage(work_dir: bytes, source: bytes, names: "list[bytes]", copy: bool, check: "Callable[[], None]") -> None:
    """Make work_dir/names... a symbolic link to ``source``, or a copy of it.

    Every folder on the way is one of the work folder's own. What an earlier attempt left there is replaced: a link by a
    link, a file by a copy; anything else in the way is an error.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(work_dir, flags & ~os.O_NOFOLLOW)
    try:
        for name in names[:-1]:
            try:
                os.mkdir(name, dir_fd=folder)
            except FileExistsError:
                pass  # made for another file, or by an earlier attempt
            inner = os.open(name, flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        make_way(names[-1], folder, stat.S_ISREG if copy else stat.S_ISLNK)
        if copy:
            copy_file(source, names[-1], folder, check)
        else:
            os.symlink(source, names[-1], dir_fd=folder)
    finally:
        os.close(folder)


def make_way(name: bytes, folder: int, expected: "Callable[[int], bool]") -> None:
    """Remove what is at ``name``, if it is of the kind that an earlier attempt would have left there."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not expected(mode):
        raise FileExistsError(errno.EEXIST, "%s is in the way" % kind_name(mode))
    os.unlink(name, dir_fd=folder)


def copy_file(source: bytes, name: bytes, folder: int, check: "Callable[[], None]") -> None:
    """Copy a regular file, writable for its owner: the command changes it in place. It is verified as any input is.

    A missing source is left to that verification, which says so.
    """
    try:
        descriptor = _open_regular(os.path.realpath(source), os.O_RDONLY)
    except FileNotFoundError:
        return
    with open(descriptor, "rb", buffering=0) as reader:
        mode = stat.S_IMODE(os.fstat(reader.fileno()).st_mode) | stat.S_IWUSR
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, mode, dir_fd=folder), "wb") as writer:
            for block in iter(lambda: reader.read(BLOCK_BYTES), b""):
                check()
                writer.write(block)


def prepare(job: Job, check: "Callable[[], None]") -> None:
    """Make the work folder and what is staged in, take an older metadata file away. Raises UnpreparedError."""
    try:
        os.makedirs(job.work_dir, exist_ok=True)
    except OSError as error:
        raise UnpreparedError("cannot make the work folder %r: %s" % (to_text(job.work_dir), reason(error))) from error
    for source, names, copy in job.stage_in:
        try:
            stage(job.work_dir, source, names, copy, check)
        except OSError as error:
            to = to_text(b"/".join(names))
            words = ("copy" if copy else "link", to, to_text(source), reason(error))
            raise UnpreparedError("cannot make the %s %r of %r: %s" % words) from error
    if job.metadata_file is not None:
        try:
            remove_if_there(job.metadata_file)
        except OSError as error:
            text = to_text(job.metadata_file)
            raise UnpreparedError("cannot clear the metadata file %r: %s" % (text, reason(error))) from error


def resolve(job: Job) -> "tuple[bytes, bytes]":
    """(what to hand to execve, its absolute path). A name without a slash is looked up along the command's own PATH."""
    name = job.argv[0]
    if b"/" in name:
        return name, os.path.join(job.work_dir, name)
    for folder in job.environment.get(b"PATH", DEFAULT_PATH).split(b":"):
        candidate = os.path.join(job.work_dir, folder, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate, candidate
    raise UnpreparedError("cannot run %r: there is no such program along PATH" % to_text(name), CODE_NOT_FOUND)


def not_run(executable: bytes, number: int) -> UnpreparedError:
    """Why execve refused, in words that help."""
    if number == errno.ENOENT:
        if not os.path.exists(executable):
            return UnpreparedError("cannot run %r: there is no such file" % to_text(executable), CODE_NOT_FOUND)
        why = "the interpreter that its first line (or its header) names is missing"
    elif number == errno.ENOEXEC:
        why = "it is neither a program for this machine nor a script whose first line starts with #!"
    elif number == errno.EACCES:
        why = "it is not executable, or it is a folder (permission denied)"
    else:
        why = os.strerror(number)
    return UnpreparedError("cannot run %r: %s" % (to_text(executable), why), CODE_NOT_RUNNABLE)


class Streams:
    """The command's standard input, output and error: ``ends`` are what it gets, ``pipes`` what the wrapper reads."""

    def __init__(self, job: Job) -> None:
        self.ends = []  # type: list[int]
        self.pipes = {}  # type: dict[int, Tail]
        self.tails = {
            "stdout": Tail(job.tail_bytes, 1 if job.passthrough else None),
            "stderr": Tail(job.tail_bytes, 2 if job.passthrough else None),
        }
        self._files = {"stdout": job.stdout, "stderr": job.stderr}
        try:
            if job.passthrough and job.stdin is None:
                self.ends.append(os.dup(0))
            else:
                self.ends.append(self._open(job.stdin or b"/dev/null", "stdin", os.O_RDONLY))
            self._output("stdout")
            if job.stderr is not None and job.stderr == job.stdout:
                self.ends.append(os.dup(self.ends[1]))  # one file, one position: neither writes over the other
            else:
                self._output("stderr")
        except UnpreparedError:
            self.close_ends()
            raise

    def _output(self, name: str) -> None:
        path = self._files[name]
        if path is not None:
            self.ends.append(self._open(path, name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW))
            return
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self.ends.append(writer)
        self.pipes[reader] = self.tails[name]

    def _open(self, path: bytes, name: str, flags: int) -> int:
        try:
            if flags & os.O_CREAT:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            return os.open(path, flags | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise UnpreparedError("cannot open %r as %s: %s" % (to_text(path), name, reason(error))) from error

    def close_ends(self) -> None:
        """Close what the command has got."""
        for descriptor in self.ends:
            os.close(descriptor)
        self.ends = []

    def read(self, descriptor: int) -> bool:
        """Take what is there; False at the end of the pipe, which is then closed."""
        try:
            chunk = os.read(descriptor, PIPE_BYTES)
        except BlockingIOError:
            return True
        if chunk and self.pipes[descriptor].add(chunk):
            return True
        os.close(descriptor)
        del self.pipes[descriptor]
        return False

    def drain(self) -> None:
        """Take what the ended processes left in the pipes, without waiting for anyone who still holds one open."""
        for descriptor in list(self.pipes):
            tail = self.pipes[descriptor]
            size = -1
            while descriptor in self.pipes and tail.size != size:
                size = tail.size
                self.read(descriptor)

    def documents(self) -> "dict[str, Any]":
        """What the record says of both streams."""
        for name, path in self._files.items():
            if path is not None:
                self.tails[name].read_file(path)
        return {name: tail.document() for name, tail in self.tails.items()}


class Tail:
    """The last ``limit`` bytes of a stream, and how many bytes there were; all of it is passed on to ``onward``."""

    def __init__(self, limit: int, onward: "int | None") -> None:
        self.limit = limit
        self._onward = onward
        self.size = 0
        self._data = bytearray()

    def add(self, chunk: bytes) -> bool:
        """Take the next bytes of the stream; False once nobody reads what is passed on: the command must hear of it."""
        self.size += len(chunk)
        self._data += chunk
        if len(self._data) > 2 * self.limit:
            del self._data[: len(self._data) - self.limit]
        try:
            rest = memoryview(chunk if self._onward is not None else b"")
            while rest and self._onward is not None:
                select.select([], [self._onward], [])  # somebody may have made it non-blocking
                rest = rest[os.write(self._onward, rest) :]
        except OSError:
            return False
        return True

    def read_file(self, path: bytes) -> None:
        """Take the end of a file; one that is gone or unreadable counts as empty (its output entry says why)."""
        try:
            with open(path, "rb", opener=_open_regular) as file:
                self.size = file.seek(0, os.SEEK_END)
                file.seek(max(0, self.size - self.limit))
                self._data = bytearray(file.read(self.limit))
        except OSError:
            return

    def document(self) -> "dict[str, Any]":
        """The record's form: text where it is UTF-8, else base64."""
        data = bytes(self._data[max(0, len(self._data) - self.limit) :])
        if len(data) < self.size:
            # The cut may have gone through a character: drop the rest of it.
            cut = 0
            while cut < min(3, len(data)) and data[cut] & 0xC0 == 0x80:
                cut += 1
        else:
            cut = 0
        try:
            return {"size": self.size, "text": data[cut:].decode("utf-8")}
        except UnicodeDecodeError:
            import binascii

            return {"size": self.size, "base64": binascii.b2a_base64(data, newline=False).decode("ascii")}


def _open_regular(path: "Any", flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


# ------------------------------------------------------------------------------------------------------- the command


@functools.lru_cache(maxsize=None)
def libc_prctl() -> "Callable[[int, int], int]":
    """prctl(2) with one argument; raises OSError. Loaded once: the launcher does it for all of its children."""
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.restype = ctypes.c_int
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def call(option: int, value: int) -> int:
        if prctl(option, value, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, "prctl(%d): %s" % (option, os.strerror(number)))
        return 0

    return call


class Command:
    """The running command and all of its descendants, until the last one has ended.

    ``status`` is the wait status of the command itself; ``usage`` sums up everything that was reaped.
    """

    def __init__(self, job: Job, executable: bytes, streams: Streams, stop: Stop) -> None:
        self._stop = stop
        self._streams = streams
        self._grace_seconds = job.grace_seconds
        self.exec_errno = None  # type: int | None
        self.told = None  # type: set[int] | None  # those that the stop signal was passed on to
        self._reaped = False
        self.status = None  # type: int | None
        self.duration = None  # type: float | None
        self.usage = dict.fromkeys(USAGE, 0)  # type: dict[str, Any]
        self._errors, error_end = os.pipe()
        self._begin = time.monotonic()
        wrapper = os.getpid()
        # A signal that arrives between fork and exec must reach the command, not die in this program's handler.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, signal.SIGCHLD))
        self.pid = os.fork()
        if self.pid == 0:
            _become(job, executable, streams.ends, stop, mask, wrapper, error_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(error_end)
        streams.close_ends()

    def wait(self) -> None:
        """Read the pipes and reap until no descendant is left; on a stop signal TERM to all, after the grace KILL."""
        poll = select.poll()
        for descriptor in (self._stop.wake, self._errors, *self._streams.pipes):
            poll.register(descriptor, select.POLLIN)
        kill_at = None  # type: float | None
        while self._reap():
            if self._stop.signal is not None and self.told is None:
                kill_at = time.monotonic() + self._grace_seconds
                self.told = set()
                self._tell(descendants(process_tree(), [os.getpid()]))
            elif self.told is not None and self._reaped:
                # Forked while the others were told, and its parent is gone. A child of one that lives may be its way
                # of ending well: that is left alone.
                self._tell(process_tree().get(os.getpid(), []))
            self._reaped = False
            if kill_at is not None and (self._stop.count > 1 or time.monotonic() >= kill_at):
                signal_descendants(signal.SIGKILL)
                kill_at = time.monotonic() + KILL_INTERVAL_SECONDS
            timeout = None if kill_at is None else max(0.0, kill_at - time.monotonic()) * 1000
            for descriptor, _ in poll.poll(timeout):
                if not self._ready(descriptor):
                    poll.unregister(descriptor)
        if self._errors >= 0:
            self._ready(self._errors)
        self._streams.drain()

    def _tell(self, pids: "list[int]") -> None:
        for pid in pids:
            if self.told is not None and pid not in self.told:
                self.told.add(pid)
                send(pid, signal.SIGTERM)
                send(pid, signal.SIGCONT)  # a stopped process must wake up to end

    def _ready(self, descriptor: int) -> bool:
        if descriptor == self._stop.wake:
            self._stop.drain()
            return True
        if descriptor == self._errors:
            text = os.read(descriptor, 16)
            self.exec_errno = int(text) if text else None
            os.close(descriptor)
            self._errors = -1
            return False
        return self._streams.read(descriptor)

    def _reap(self) -> bool:
        """Take all that has ended; False once there is no descendant left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._reaped = True
            if pid == self.pid:
                self.status = status
                self.duration = time.monotonic() - self._begin
            self._add(usage)

    def _add(self, usage: "Any") -> None:
        for name, (field, unit) in USAGE.items():
            value = getattr(usage, field) * unit
            self.usage[name] = max(self.usage[name], value) if name == "maxrss" else round(self.usage[name] + value, 6)


def _become(
    job: Job, executable: bytes, ends: "list[int]", stop: Stop, mask: "Any", wrapper: int, errors: int
) -> "NoReturn":
    """In the forked child: turn into the command. Dies with the wrapper; reports a refused exec through ``errors``."""
    try:
        libc_prctl()(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != wrapper:
            os._exit(CODE_NOT_RUNNABLE)  # the wrapper died before the line above took effect
        os.setsid()  # a job that signals its process group must not reach the wrapper
        os.chdir(job.work_dir)
        for target, descriptor in enumerate(ends):
            os.dup2(descriptor, target)
        stop.reset()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execve(executable, job.argv, job.environment)
    except OSError as error:
        os.write(errors, b"%d" % (error.errno or errno.EIO))
    finally:
        os._exit(CODE_NOT_RUNNABLE)


def process_tree() -> "dict[int, list[int]]":
    """The children of every process that there is, from one look at /proc."""
    children = {}  # type: dict[int, list[int]]
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rsplit(b")", 1)[1].split()  # a command name may hold anything, `)` included
            except (OSError, IndexError):
                continue  # it has just ended
            children.setdefault(int(fields[1]), []).append(int(name))
    return children


def descendants(tree: "Mapping[int, list[int]]", roots: "list[int]") -> "list[int]":
    """All processes below ``roots``, without them, whatever their session or process group."""
    found = []  # type: list[int]
    pending = list(roots)
    while pending:
        below = tree.get(pending.pop(), [])
        found.extend(below)
        pending.extend(below)
    return found


def signal_descendants(number: int) -> None:
    """Send a signal to every descendant of this process that may be sent one."""
    for pid in descendants(process_tree(), [os.getpid()]):
        send(pid, number)


def send(pid: int, number: int) -> None:
    """Signal a process, unless it has ended or runs as another user: whoever waits for its end goes on waiting."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


# -------------------------------------------------------------------------------------------------------- the record


@functools.lru_cache(maxsize=None)
def facts() -> "Mapping[str, Any]":
    """What is true of every attempt by this user on this machine; the launcher asks once for all of its children."""
    uname = os.uname()
    page_size = os.sysconf("SC_PAGE_SIZE")
    with open(os.path.abspath(__file__), "rb") as source:
        sha256 = hashlib.sha256(source.read()).hexdigest()
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "user": user_name(os.getuid()),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "umask": "%04o" % umask,
        "hostname": uname.nodename,
        "hostaddr": _host_address(),
        "machine": {
            "uname": {
                "system": uname.sysname,
                "nodename": uname.nodename,
                "release": uname.release,
                "version": uname.version,
                "machine": uname.machine,
            },
            "page_size": page_size,
            "ram_total": page_size * os.sysconf("SC_PHYS_PAGES"),
            "cpu_count": os.cpu_count(),
        },
        "wrapper": {"version": VERSION, "python": sys.version.split()[0], "sha256": sha256},
    }


def _host_address() -> "str | None":
    """The address that this host sends from: connecting a datagram socket sends nothing and asks no name server."""
    import socket

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 of RFC 5737: never a real host
            return str(probe.getsockname()[0])
    except OSError:
        return None


def read_metadata(path: "bytes | None") -> "dict[str, Any] | None":
    """What the job wrote about itself, cut at 1 MiB; None: nothing, or nothing that is a regular file."""
    if path is None:
        return None
    try:
        with open(path, "rb", opener=_open_regular) as file:
            data = file.read(METADATA_LIMIT_BYTES + 1)
    except OSError:
        return None
    text = to_text(data[:METADATA_LIMIT_BYTES])
    if len(data) > METADATA_LIMIT_BYTES:
        return {"text": text.rstrip(HALF_CHARACTERS), "truncated": True}
    return {"text": text, "truncated": False}


class Lock:
    """An exclusive flock on RECORD.lock, from before anything is touched until the record is there; then removed."""

    def __init__(self, record: bytes) -> None:
        self.path = record + b".lock"
        while True:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._descriptor)
                raise UnrecordedError("another wrapper is at work on %r" % to_text(record)) from None
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise UnrecordedError("cannot lock %r: %s" % (to_text(self.path), reason(error))) from error
                self._sign()
            if self._is_named():
                return
            os.close(self._descriptor)  # its owner removed it between our open and our lock: take the next one

    def _sign(self) -> None:
        """A file system without locks: then the text says who is at work (planner/locks.py reads it)."""
        os.ftruncate(self._descriptor, 0)  # who had it before may have had a longer name
        # The 22nd field, proc(5); the second is a name in parentheses, with anything in it.
        started = what_is_in("/proc/self/stat").rpartition(")")[2].split()[19:20] or ["?"]
        boot = what_is_in("/proc/sys/kernel/random/boot_id").strip() or "?"
        text = "%s %d %s %s\n" % (os.uname()[1], os.getpid(), started[0], boot)
        os.pwrite(self._descriptor, text.encode("utf-8", "replace"), 0)

    def _is_named(self) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        mine = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def release(self) -> None:
        """Remove the file while the lock is held, then let go."""
        remove_if_there(self.path)
        os.close(self._descriptor)


class Draft:
    """The record's temporary file, with space reserved in it before anything is touched.

    So a job that fills the disk cannot keep its own end from being recorded, and none starts that could not be. Used
    while the lock is held: a temporary file that is there was left by a wrapper that died. Raises UnrecordedError.
    """

    def __init__(self, record: bytes) -> None:
        self.record = record
        self.path = record + b".tmp"
        try:
            remove_if_there(self.path)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._refused(error) from error
        try:
            os.posix_fallocate(self._descriptor, 0, RESERVED_BYTES)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self.discard()
                raise self._refused(error) from error
            # A file system that reserves nothing: the record takes its chance at the end.

    def publish(self, document: "Mapping[str, Any]") -> None:
        """Write the record, fsync, link it to its name, fsync of the folder.

        A failed fsync is final: what the system then holds in its cache is not what the disk has.
        """
        data = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.ftruncate(self._descriptor, len(data))
            os.fsync(self._descriptor)
            os.link(self.path, self.record)
            folder = os.open(os.path.dirname(self.record), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._refused(error) from error

    def discard(self) -> None:
        """Remove the temporary name; a record that has been published keeps its own."""
        os.close(self._descriptor)
        try:
            remove_if_there(self.path)
        except OSError:
            return  # the next wrapper of this attempt removes it

    def _refused(self, error: OSError) -> UnrecordedError:
        return UnrecordedError("cannot write %r: %s" % (to_text(self.record), reason(error)))


def remove_if_there(path: bytes) -> None:
    """Unlink, where there is something to unlink."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


# ------------------------------------------------------------------------------------------------------- the attempt


class Attempt:
    """One attempt from its first step to its record; ``record`` fills up on the way."""

    def __init__(self, job: Job, stop: Stop) -> None:
        self.job = job
        self.stop = stop
        self.command = None  # type: Command | None
        self.streams = None  # type: Streams | None
        self.verified = []  # type: list[Verified]
        document = job.document
        self.record = {"schema": RECORD_SCHEMA}  # type: dict[str, Any]
        for key in ("run_id", "job", "id", "attempt", "transformation", "site", "reuse_key"):
            self.record[key] = document.get(key)
        self.record.update(status="failed", failure=None, interrupted=False, start=time_text(clock_ns()), end=None)
        self.record.update(duration=None, exit_code=None, signal=None, pid=os.getpid(), cwd=to_text(job.work_dir))
        self.record.update(facts())
        self.record["argument_vector"] = [to_text(argument) for argument in job.argv]
        self.record["executable"] = None
        self.record["environment"] = {
            to_text(name): to_text(job.environment[name]) for name in job.recorded_names if name in job.environment
        }
        nothing = {"size": 0, "text": ""}
        self.record.update(usage=None, inputs=[], changed_inputs=[], outputs=[], stdout=nothing, stderr=nothing)
        self.record["metadata"] = None

    def run(self) -> None:
        """Prepare, verify, execute, look again, hash outputs. What goes wrong ends up in the record."""
        try:
            libc_prctl()(PR_SET_CHILD_SUBREAPER, 1)
            prepare(self.job, self.stop.check)
            if not self._verify():
                return
            self.stop.check()
            self._execute()
        except UnpreparedError as error:
            self._fail(str(error))
            self.record["exit_code"] = error.exit_code
        except StoppedError as error:
            self._fail("%s before the command started" % error)
        if self.command is not None:
            self._look_again()
            if self.job.deliver is not None:
                self._deliver(self.job.deliver)

    def finish(self) -> "dict[str, Any]":
        """The record as it is written: a success only if nothing said otherwise."""
        if self.record["failure"] is None:
            self.record["status"] = "succeeded"
        self.record["interrupted"] = self.stop.signal is not None
        self.record["end"] = time_text(clock_ns())
        return self.record

    def abandon(self, error: Exception) -> None:
        """After a bug of ours: no process may stay behind, and the record says what happened."""
        while True:
            signal_descendants(signal.SIGKILL)
            try:
                os.wait4(-1, 0)
            except ChildProcessError:
                break
        self.record["failure"] = None
        self._fail("a bug in the wrapper: %s: %s" % (type(error).__name__, error))

    def _fail(self, failure: str, status: str = "failed") -> None:
        """The first thing that went wrong is the one that is told; the lists have the rest."""
        if self.record["failure"] is None:
            self.record["failure"] = failure
            self.record["status"] = status

    def _verify(self) -> bool:
        for given in self.job.inputs:
            path = self.job.absolute(given["path"], "inputs.path")
            verified = verify_input(given, path, "pre-exec", self.stop)
            self.record["inputs"].append(verified.entry)
            if verified.entry["finding"] is not None:
                self._fail(describe(verified.entry), "integrity_failed")
            elif verified.found is not None and verified.entry["role"] not in REWRITTEN_ROLES:
                self.verified.append(verified)
        return self.record["failure"] is None

    def _execute(self) -> None:
        executable, absolute = resolve(self.job)
        self.record["executable"] = to_text(absolute)
        self.streams = Streams(self.job)
        command = Command(self.job, executable, self.streams, self.stop)
        command.wait()
        if command.exec_errno is not None:
            raise not_run(absolute, command.exec_errno)
        self.command = command
        self.record["usage"] = command.usage
        self.record["duration"] = round(command.duration or 0.0, 6)
        status = command.status or 0
        if command.told is not None and self.stop.signal is not None:
            self._fail("stopped by %s while the command ran" % signal.Signals(self.stop.signal).name)
        if os.WIFSIGNALED(status):
            self.record["signal"] = os.WTERMSIG(status)
            self._fail("the command was ended by %s" % signal_name(os.WTERMSIG(status)))
        else:
            self.record["exit_code"] = os.WEXITSTATUS(status)
            if self.record["exit_code"] != 0:
                self._fail("the command exited with code %d" % self.record["exit_code"])

    def _look_again(self) -> None:
        """After the last descendant has ended: inputs as they were, outputs as they are."""
        self.stop.since = time.monotonic()
        self.stop.patience_seconds = self.job.grace_seconds
        succeeded = self.record["failure"] is None
        try:
            for verified in self.verified:
                changed = changed_input(verified, self.stop)
                if changed is not None:
                    self.record["changed_inputs"].append(changed)
                    self._fail("input %r changed while the command ran: %s" % (changed["name"], changed["finding"]))
        except StoppedError as error:
            self._fail("%s before the inputs were looked at again" % error)
        for given in self.job.outputs:
            entry = hash_output(given, self.job.absolute(given["path"], "outputs.path"), succeeded, self.stop)
            self.record["outputs"].append(entry)
            if entry["finding"] is not None:
                self._fail("output %r: %s" % (entry["name"], entry["error"]))
        self.record["metadata"] = read_metadata(self.job.metadata_file)
        if self.streams is not None:
            self.record.update(self.streams.documents())

    def _deliver(self, folder: bytes) -> None:
        """Move every output that was hashed to where it is fetched from, named by its position: lists of files to
        transfer could not hold every name. Also those of a command that failed: they may tell why.
        """
        for position, entry in enumerate(self.record["outputs"]):
            if entry["sha256"] is None:
                continue
            try:
                os.rename(self.job.absolute(entry["path"], "outputs.path"), os.path.join(folder, b"%d" % position))
            except OSError as error:
                self._fail("output %r cannot be delivered: %s" % (entry["name"], reason(error)))


def signal_name(number: int) -> str:
    """SIGKILL and the like; real-time signals have no name in Python."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def describe(entry: "Mapping[str, Any]") -> str:
    """One sentence on an input that is not as expected."""
    place = "" if entry["path"] == entry["name"] else " (%s)" % entry["path"]
    start = "input %r%s is %s" % (entry["name"], place, entry["finding"])
    if entry["error"] is not None:
        return "%s: %s" % (start, entry["error"])
    expected = "sha256 %s" % entry["sha256"] if entry["sha256"] else "%d bytes" % entry["size"]
    actual = "sha256 %s" % entry["actual_sha256"] if entry["sha256"] else "%d bytes" % entry["actual_size"]
    return "%s: expected %s, found %s" % (start, expected, actual)


def made(attempt: Attempt) -> "dict[str, Any]":
    """The record of an attempt, which is made now; whatever happens, there is one."""
    try:
        attempt.run()
    except Exception as error:  # noqa: BLE001 - the process boundary
        attempt.abandon(error)
    return attempt.finish()


def run_attempt(description: "Mapping[str, Any]", record_path: "str | bytes") -> int:
    """Run one attempt and write its record; returns the wrapper's exit status.

    0: it succeeded; 1: it failed; 2: the description is unusable, nothing was touched and there is no record; 3: an
    input did not match, the command never started; 4: there is no record of it, because one was there already or
    another wrapper is at work on it or the disk has no room for it (nothing was touched), or because it could not be
    written. The process must have no other children.
    """
    stop = Stop()
    stop.install()
    try:
        job = Job(description)
        named = record_path if isinstance(record_path, bytes) else _path(record_path, "record")
        record = os.path.join(_working_folder(), named) if not named.startswith(b"/") else named
        lock = Lock(record)
    except UnusableError as error:
        return complain("unusable job description: %s" % error, EXIT_UNUSABLE)
    except UnrecordedError as error:
        return complain(str(error), EXIT_UNRECORDED)
    try:
        if os.path.lexists(record):
            return complain("%r exists: this attempt was made" % to_text(record), EXIT_UNRECORDED)
        draft = Draft(record)
        try:
            document = made(Attempt(job, stop))
            draft.publish(document)
            if job.deliver is not None:
                write_digest(record)
        finally:
            draft.discard()
    except UnrecordedError as error:
        return complain(str(error), EXIT_UNRECORDED)
    finally:
        lock.release()
    statuses = {"succeeded": EXIT_SUCCEEDED, "failed": EXIT_FAILED, "integrity_failed": EXIT_INTEGRITY}
    return statuses[document["status"]]


def write_digest(record: bytes) -> None:
    """Put the sha256 of a record beside it: it goes on a journey, and is to arrive as it was written."""
    try:
        with open(record, "rb") as reader, open(record + b".sha256", "wb") as writer:
            writer.write(hashlib.sha256(reader.read()).hexdigest().encode("ascii") + b"\n")
    except OSError as error:
        raise UnrecordedError("cannot write the digest of %r: %s" % (to_text(record), reason(error))) from error


def complain(message: str, status: int) -> int:
    """Say on standard error why there is no record; returns ``status``."""
    os.write(2, b"kickstart: " + message.encode("utf-8", "backslashreplace") + b"\n")
    return status


# -------------------------------------------------------------------------------------------------- the command line


def read_job(name: bytes) -> "dict[str, Any]":
    """The description in a file, or on standard input for ``-``. Raises UnusableError."""
    try:
        with open(0 if name == b"-" else name, "rb") as file:
            document = json.loads(file.read().decode("utf-8"))
    except OSError as error:
        raise UnusableError("cannot read %r: %s" % (to_text(name), reason(error))) from error
    except (ValueError, RecursionError) as error:
        raise UnusableError("%r is not a JSON document: %s" % (to_text(name), error)) from error
    if not isinstance(document, dict):
        raise UnusableError("%r: expected a JSON object, found %s" % (to_text(name), type(document).__name__))
    return document


def main(arguments: "list[bytes]") -> int:
    """The command line: ``--job FILE|- --record FILE``, in either order."""
    options = {arguments[i]: arguments[i + 1] for i in range(0, len(arguments) - 1, 2)}
    if len(arguments) != 4 or set(options) != {b"--job", b"--record"}:
        return complain("usage: kickstart.py --job FILE|- --record FILE", EXIT_UNUSABLE)
    try:
        description = read_job(options[b"--job"])
    except UnusableError as error:
        return complain(str(error), EXIT_UNUSABLE)
    return run_attempt(description, options[b"--record"])


def open_standard_descriptors() -> None:
    """Fill 0, 1 and 2 where they are closed, so that no file of ours is taken for one of them."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)


if __name__ == "__main__":
    open_standard_descriptors()
    sys.exit(main([os.fsencode(argument) for argument in sys.argv[1:]]))
