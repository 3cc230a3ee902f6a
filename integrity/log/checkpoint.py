"""Checkpoints: what a log was at some size, in three lines, signed (C2SP tlog-checkpoint).

Whoever has kept one can tell later whether the log was only appended to since.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from integrity.errors import EvidenceError
from integrity.log.note import SigningKey, VerifierKey, base64_text, from_base64, opened, signed_note

MAX_SIZE = (1 << 63) - 1
"""Of a log: as large as the entries of any can be counted elsewhere."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_ROOT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log, named by its ``origin``, of ``size`` entries with the Merkle root ``root`` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64_text(self.root)}\n"

    def signed(self, keys: Sequence[SigningKey]) -> bytes:
        """The checkpoint with signatures."""
        return signed_note(self.text, keys)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The reverse of `text`. EvidenceError: it is none, or has more lines, which nothing here could check."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0] or not _NUMBER.fullmatch(lines[1]):
            raise EvidenceError("no checkpoint: expected the lines origin, size and root")
        try:
            root = from_base64(lines[2])
        except ValueError as error:
            raise EvidenceError(f"no checkpoint: its root is {error}") from None
        if len(root) != _ROOT_BYTES or int(lines[1]) > MAX_SIZE:
            raise EvidenceError("no checkpoint: its root is no sha256, or its size beyond all logs")
        return cls(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as it was signed: its bytes ``note``, and the trusted keys that vouch for it."""

    checkpoint: Checkpoint
    signers: tuple[VerifierKey, ...]
    note: bytes


def opened_checkpoint(note: bytes, trusted: Sequence[VerifierKey]) -> SignedCheckpoint:
    """The checkpoint in a note. Raises EvidenceError as `integrity.log.note.opened` and `Checkpoint.parse`."""
    text, signers = opened(note, trusted)
    return SignedCheckpoint(Checkpoint.parse(text), signers, note)
