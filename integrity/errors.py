"""The errors of digests, the wrapper, verification and audits.

IntegrityError            root: carries the exit code and, where there is one, what to do
+-- UnreadableError       what is at a path has no digest: it is, or holds, something other than files and folders (3)
    +-- MovingError       it changed, or another took its place, while it was read
+-- EvidenceError         what should prove something does not: altered, of something else, signed by nobody trusted (4)
+-- KeyFileError          a file with keys cannot be read, written or used (2)
    +-- OwnKeyError       the user's private key cannot be used; what others signed can be verified without it

What the system refuses (no such file, no permission, a disk error) stays the OSError that it is; an UnreadableError is
an OSError as well, so that one clause catches all that keeps bytes from being verified.
"""

from __future__ import annotations


class IntegrityError(Exception):
    """Root of this package's errors: a message of one line, an exit code and a hint.

    ``exit_code`` is what the command line ends with (2: bad usage or input, unless a subclass says otherwise);
    ``hint`` says what to do, or is None.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UnreadableError(IntegrityError, OSError):
    """There are no bytes at that path that a digest could stand for."""

    exit_code = 3


class MovingError(UnreadableError):
    """What was read changed meanwhile: the digest would be of bytes that were never there together."""


class EvidenceError(IntegrityError):
    """A proof, a checkpoint, a note or an envelope is not what it must be to prove anything."""

    exit_code = 4


class KeyFileError(IntegrityError):
    """The file of a private key, or a list of public ones, cannot be read or written, or does not hold any."""


class OwnKeyError(KeyFileError):
    """The private key of the user cannot be read, may be read by others, or is none."""
