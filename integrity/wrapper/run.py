"""One attempt and its record on disk: what engines call."""

import os

from integrity.wrapper.attempt import Attempt, made
from integrity.wrapper.description import Job, working_folder
from integrity.wrapper.errors import (
    EXIT_FAILED,
    EXIT_INTEGRITY,
    EXIT_SUCCEEDED,
    EXIT_UNRECORDED,
    EXIT_UNUSABLE,
    UnrecordedError,
    UnusableError,
)
from integrity.wrapper.notation import to_text
from integrity.wrapper.record_file import Draft, Lock, write_digest
from integrity.wrapper.stop import Stop
from integrity.wrapper.values import checked_path

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def run_attempt(description: "Mapping[str, Any]", record_path: "str | bytes", parent_ends_strays: bool = False) -> int:
    """Run one attempt and write its record; returns the wrapper's exit status.

    0: it succeeded; 1: it failed; 2: the description is unusable, nothing was touched and there is no record; 3: an
    input did not match, the command never started; 4: there is no record of it, because one was there already or
    another wrapper is at work on it or the disk has no room for it (nothing was touched), or because it could not be
    written. The process must have no other children; stop signals are blocked afterwards.

    ``parent_ends_strays``: those of this process when it is killed; commands need not die with it, and hold its lock.
    """
    stop = Stop()
    stop.install()
    try:
        return _recorded(description, record_path, stop, parent_ends_strays)
    finally:
        stop.retire()


def _recorded(
    description: "Mapping[str, Any]", record_path: "str | bytes", stop: Stop, parent_ends_strays: bool
) -> int:
    try:
        job = Job(description)
        named = record_path if isinstance(record_path, bytes) else checked_path(record_path, "record")
        record = os.path.join(working_folder(), named) if not named.startswith(b"/") else named
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
            document = made(Attempt(job, stop, lock if parent_ends_strays and lock.hand_down() else None))
            sha256 = draft.publish(document)
            if job.deliver is not None:
                write_digest(record, sha256)
        finally:
            draft.discard()
    except UnrecordedError as error:
        return complain(str(error), EXIT_UNRECORDED)
    finally:
        lock.release()
    statuses = {"succeeded": EXIT_SUCCEEDED, "failed": EXIT_FAILED, "integrity_failed": EXIT_INTEGRITY}
    return statuses[document["status"]]


def complain(message: str, status: int) -> int:
    """Say on standard error why there is no record; returns ``status``."""
    os.write(2, b"kickstart: " + message.encode("utf-8", "backslashreplace") + b"\n")
    return status
