"""One entry's proof as a text of its own: the entry's place, its audit path, a checkpoint (C2SP tlog-proof).

The format leaves to its users how an entry comes along (``extra``) and what it means: nothing signs that, and it counts
only as far as the entry follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from integrity.errors import EvidenceError
from integrity.log.checkpoint import MAX_SIZE, SignedCheckpoint, opened_checkpoint
from integrity.log.note import VerifierKey, base64_text, from_base64
from integrity.log.proofs import inclusion_holds
from integrity.merkle import leaf_hash

FIRST_LINE = b"c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_EXTRA = "extra "
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class EntryProof:
    """That an entry is the ``index``-th (from 0) of a log: hashes from its sibling upward, and a checkpoint's note."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    @property
    def data(self) -> bytes:
        """The file."""
        lines = [FIRST_LINE.decode()]
        if self.extra:
            lines.append(f"{_EXTRA}{base64_text(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(base64_text, self.path)
        return "\n".join([*lines, "", ""]).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> EntryProof:
        """The reverse of `data`. Raises EvidenceError for what is no proof."""
        above, blank, checkpoint = data.partition(b"\n\n")
        try:
            if not above.isascii():
                raise ValueError("it is not ASCII")
            first, *lines = above.decode("ascii").split("\n")
            if first.encode() != FIRST_LINE or not blank:
                raise ValueError(f"expected {FIRST_LINE.decode()} and an empty line before a checkpoint")
            extra = b""
            if lines and lines[0].startswith(_EXTRA):
                extra = from_base64(lines.pop(0).removeprefix(_EXTRA))
            index = _INDEX.fullmatch(lines[0] if lines else "")
            path = tuple(map(from_base64, lines[1:]))
            if index is None or int(index[1]) > MAX_SIZE or any(len(one) != _HASH_BYTES for one in path):
                raise ValueError("expected the index of an entry, and hashes")
        except ValueError as error:
            raise EvidenceError(f"no proof: {str(error)[:200]}") from None
        return cls(int(index[1]), path, checkpoint, extra)

    def verified(self, entry: bytes, trusted: Sequence[VerifierKey]) -> SignedCheckpoint:
        """The checkpoint, once it is signed by a trusted key and the entry is in it at this place.

        Raises EvidenceError.
        """
        signed = opened_checkpoint(self.checkpoint, trusted)
        checkpoint = signed.checkpoint
        if not inclusion_holds(self.index, checkpoint.size, leaf_hash(entry), self.path, checkpoint.root):
            raise EvidenceError(
                f"the entry is not number {self.index} of the {checkpoint.size} of {checkpoint.origin}: "
                "entry, path or checkpoint were altered"
            )
        return signed
