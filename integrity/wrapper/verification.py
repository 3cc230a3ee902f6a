"""Inputs before and after the command, outputs after it: one entry of the record for each look."""

import os
import stat
import time

from integrity.wrapper.beneath import names_beneath, open_folder_beneath
from integrity.wrapper.content import Content, Survey, read_content, survey
from integrity.wrapper.description import INPUT_KEYS, Job
from integrity.wrapper.errors import StoppedError, UnreadableError
from integrity.wrapper.facts import user_name
from integrity.wrapper.notation import clock_ns, reason, time_text, to_bytes, to_text
from integrity.wrapper.paths import link_chain
from integrity.wrapper.private_copies import Private
from integrity.wrapper.stop import Stop

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Verified:
    """An input that was looked at, with what a later look is compared with; ``found`` is None if it was unreadable or
    missing.
    """

    def __init__(
        self,
        entry: "dict[str, Any]",
        path: bytes,
        found: "Survey | None",
        links: "list[tuple[int, int, int, bytes]]",
        private: "Private | None" = None,
    ) -> None:
        self.entry = entry
        self.path = path
        self.found = found
        self.links = links
        self.private = private

    def unchanged(self) -> bool:
        """Whether the path still leads to the same file through the same links, untouched.

        A link that the command removed is no change while its target is as it was: jobs clean up behind themselves.
        What was missing must be missing still; the link that was staged in for it may be there, leading nowhere.
        """
        path = self.path
        if self.found is None:
            return is_absent(path)
        if self.links and not os.path.lexists(path):
            path = to_bytes(self.entry["target"]) if self.private is None else self.private.path
        elif link_chain(path) != self.links:
            return False
        elif self.private is not None:
            path = self.private.path  # where it was handed over as an argument, the original is left as it may be
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return survey(descriptor).fingerprint == self.found.fingerprint
        finally:
            os.close(descriptor)


def is_absent(path: bytes) -> bool:
    """Whether a path leads to nothing. Raises OSError where the system does not say."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    return False


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


def verify_input(
    given: "Mapping[str, Any]", path: bytes, stage: str, stop: Stop, private: "Private | None" = None
) -> Verified:
    """Hash one input and compare; ``entry`` of what comes back is its entry of the record, good or bad.

    Of an input that was made ``private`` those bytes are hashed, and the entry describes what they were copied from. If
    they are not as expected the original is looked at: it is that which others would read.
    """
    verified = _verified(given, path, stage, stop, private)
    if private is None or verified.entry["verdict"] != "mismatch":
        return verified
    looked = _verified(given, private.origin, stage, stop, None)
    if looked.entry["verdict"] == "ok":
        text = "its private copy had other bytes (sha256 %s)" % verified.entry["actual_sha256"]
        looked.entry.update(verdict="unreadable", finding="unreadable", error=text)
    looked.entry["protection"] = private.level
    return looked


def _verified(given: "Mapping[str, Any]", path: bytes, stage: str, stop: Stop, private: "Private | None") -> Verified:
    entry = dict(given)
    for key in ("actual_sha256", "actual_size", "mtime_ns", "ctime_ns", "inode", "device", "owner", "finding", "error"):
        entry[key] = None
    level = "guard" if private is None else private.level
    entry.update(kind=None, at=time_text(clock_ns()), stage=stage, protection=level, verdict="ok")
    if private is not None:
        entry["target"] = to_text(private.origin)
    else:
        entry["target"] = to_text(os.path.realpath(path)) if os.path.lexists(path) else None
    begin = time.monotonic()
    found = None
    links: "list[tuple[int, int, int, bytes]]" = []
    try:
        links = link_chain(path)
        where = path if private is None else private.path
        found, content = read_content(where, True, level != "seal", entry["size"], stop.check)
    except (OSError, UnreadableError, RecursionError) as error:
        absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
        entry["verdict"] = "missing" if absent else "unreadable"
        entry["finding"] = None if absent and entry["optional"] else entry["verdict"]
        entry["error"] = reason(error) if isinstance(error, OSError) else str(error)
    else:
        seen = found if private is None else private.original
        entry.update(_described(seen), actual_sha256=content.sha256, actual_size=content.size)
        entry["finding"] = classify(entry, content)
        entry["verdict"] = "ok" if entry["finding"] is None else "mismatch"
    entry["seconds"] = round(time.monotonic() - begin, 6)
    return Verified(entry, path, found, links, private)


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
    if verified.found is not None:
        given.update(sha256=verified.entry["actual_sha256"], size=verified.entry["actual_size"])
        given["digest_origin"] = given["digest_origin"] or "observed"
    if verified.private is not None:
        given["url"] = None  # it is the private copy that was altered, and not what others read
    entry = _verified(given, verified.path, "post-exec", stop, verified.private).entry
    entry["finding"] = entry["finding"] or (None if entry["verdict"] == "ok" else entry["verdict"])
    if verified.found is None:
        entry["error"] = "it was missing before, and appeared unverified while the command ran"
        if entry["verdict"] == "ok":
            entry.update(verdict="mismatch", finding="content-mismatch")
    elif entry["verdict"] == "ok":
        entry.update(verdict="mismatch", finding="content-mismatch")
        entry["error"] = "it was altered or replaced while the command ran; its bytes are the expected ones again"
    return entry


def hash_output(job: Job, given: "Mapping[str, Any]", command_succeeded: bool, stop: Stop) -> "dict[str, Any]":
    """Hash one output: its entry of the record. A missing one is a finding only if the command claims success. In a
    work folder of the job's own no folder on the way to it may be a link.
    """
    entry = dict(given)
    for key in ("sha256", "size", "mtime_ns", "ctime_ns", "inode", "device", "owner", "finding", "error"):
        entry[key] = None
    entry.update(kind=None, at=time_text(clock_ns()), stage="output", verdict="ok")
    begin = time.monotonic()
    folder = None
    try:
        path, names = to_bytes(given["path"]), names_beneath(given["path"])
        if job.owns_folder and len(names) > 1:
            folder, path = open_folder_beneath(job.work_dir, names[:-1]), names[-1]
        else:
            path = os.path.join(job.work_dir, path)
        if stat.S_ISLNK(os.stat(path, dir_fd=folder, follow_symlinks=False).st_mode):
            raise UnreadableError("it is a symbolic link; an output must be a file or folder of its own")
        found, content = read_content(path, False, False, None, stop.check, folder)
        entry.update(_described(found), sha256=content.sha256, size=content.size)
    except (FileNotFoundError, NotADirectoryError) as error:
        entry.update(verdict="missing", error=reason(error))
        entry["finding"] = "missing" if command_succeeded and not entry["optional"] else None
    except (OSError, UnreadableError, RecursionError, StoppedError) as error:
        text = reason(error) if isinstance(error, OSError) else str(error)
        entry.update(verdict="unreadable", finding="unreadable", error=text)
    finally:
        if folder is not None:
            os.close(folder)
    entry["seconds"] = round(time.monotonic() - begin, 6)
    return entry
