"""The errors of the store.

    StoreError                 root: carries the exit code and, where there is one, what to do
    ├── NotAStoreError         the location holds something else, or nothing can be made there (2)
    ├── UnsupportedStoreError  a newer format, or a kind of location that this version does not know (2)
    ├── CannotMergeError       two stores whose commits contradict each other, or clocks that do (2)
    ├── DamagedStoreError      what the store's own files say does not fit together (1)
    │   ├── WideTableError     ... and it was made from others: who asks does without it (1)
    │   └── LogMisfitError     the log and the commits contradict each other (4)
    ├── ReadFailedError        a file, or its place, is not given to us: nothing is known of it (2)
    ├── UserFolderError        folders of the user cannot hold what is not shared, or hold something else now (2)
    ├── LakeError              a DuckLake catalog could not be written; the store is not affected (2)
    └── WriteFailedError       the file system did not take what was to be written: nothing was acknowledged (2)
        └── NotWrittenError    ... and nobody can see any of it (2)

Misuse by our own code (an unknown column, a naive time) is a bug, not a StoreError: it raises KeyError, TypeError or
ValueError.
"""

from __future__ import annotations


class StoreError(Exception):
    """Root of this package's errors: a message of one line, an exit code and a hint.

    ``exit_code`` is what the command line ends with (2: bad usage or input, unless a subclass says otherwise);
    ``hint`` says what to do, or is None.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class NotAStoreError(StoreError):
    """There is no store at the location and none can be made there."""


class UnsupportedStoreError(StoreError):
    """The store is of a newer format, or of a kind that this version cannot open."""


class CannotMergeError(StoreError):
    """Two stores cannot be merged: what they say of the same commits, or of the time, contradicts each other."""


class DamagedStoreError(StoreError):
    """A file of the store is missing, or is not what it must be."""

    exit_code = 1


class WideTableError(DamagedStoreError):
    """A file of a wide table is missing, not as recorded, or cannot be read. The tables have the answer without it."""


class LogMisfitError(DamagedStoreError):
    """The log and the commits contradict each other: one of them was altered."""

    exit_code = 4


class ReadFailedError(StoreError):
    """A file of the store could not be read, which says nothing about what is in it: permissions, network, hardware."""


class LakeError(StoreError):
    """A DuckLake catalog could not be written or read. The store is not affected."""


class UserFolderError(StoreError):
    """The user's cache or state folder cannot hold what has to be in it, or does not hold what was put there."""


class WriteFailedError(StoreError):
    """Writing, syncing or publishing failed: what was to be written is not acknowledged and must be committed again."""


class NotWrittenError(WriteFailedError):
    """It failed before the file got its name: what it would have stood for can be removed."""


NotThere = FileNotFoundError | NotADirectoryError | IsADirectoryError
"""What a storage raises where there is no such file, or folder, or something else in its place."""
NOT_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def lost(place: str, error: NotThere) -> DamagedStoreError:
    """The error to raise where a file, or folder, that has to be at ``place`` is not."""
    return DamagedStoreError(f"{place}: {error.strerror or error}", hint="restore it from a backup of the store")


def read_failed(place: str, error: OSError) -> ReadFailedError:
    """The error to raise for what the system said when it did not hand out what is at ``place``."""
    return ReadFailedError(
        f"{place}: {error.strerror or error}",
        hint="look at the file system (permissions, network, hardware), then try again; the store is unchanged",
    )
