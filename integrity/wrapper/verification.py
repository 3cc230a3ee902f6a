"""Inputs before and after the command, outputs after it: one entry of the record for each look."""

import os
import stat
import time

from integrity.wrapper.content import Content, Survey, read_content, survey
from integrity.wrapper.description import INPUT_KEYS
from integrity.wrapper.errors import StoppedError, UnreadableError
from integrity.wrapper.facts import user_name
from integrity.wrapper.notation import clock_ns, reason, time_text, to_bytes, to_text
from integrity.wrapper.paths import link_chain
from integrity.wrapper.stop import Stop

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


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
    links: "list[tuple[int, int, int, bytes]]" = []
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
