"""Has a store only been appended to since somebody kept a checkpoint of it; and the checkpoint to keep."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.errors import EvidenceError, KeyFileError
from integrity.log.checkpoint import Checkpoint, SignedCheckpoint
from integrity.log.proofs import RangeHash, consistency_holds, consistency_proof, of_leaves
from provenance.errors import StoreError, WriteFailedError
from provenance.log.discrepancy import Discrepancy, Gravity, require_read
from provenance.log.examination import Examination, examine
from provenance.log.files import origin_of
from provenance.log.growth import extend
from provenance.log.keys import own_key, trusted_keys

if TYPE_CHECKING:
    from provenance.store import Store


@dataclass(frozen=True, slots=True)
class Continuation:
    """What became of a log since a checkpoint: ``proof`` shows that the tree of today begins with that of then (RFC
    6962, 2.1.2); None: it does not. ``altered`` are places that are not what was recorded, whenever.
    """

    since: SignedCheckpoint
    size: int
    root: bytes
    proof: tuple[bytes, ...] | None
    altered: tuple[Discrepancy, ...]

    @property
    def holds(self) -> bool:
        """Whether the history was only appended to."""
        return self.proof is not None and not self.altered

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "schema": "pirene.log-verify/1",
            "verdict": "appended" if self.holds else "tampered",
            "origin": self.since.checkpoint.origin,
            "since": {"size": self.since.checkpoint.size, "root": self.since.checkpoint.root.hex()},
            "now": {"size": self.size, "root": self.root.hex()},
            "signed_by": [key.text for key in self.since.signers],
            "proof": None if self.proof is None else [step.hex() for step in self.proof],
            "altered": [{"path": one.path, "expected": one.expected, "found": one.found} for one in self.altered],
        }


def new_checkpoint(store: Store) -> bytes:
    """A checkpoint of all commits, signed by this user. Raises EvidenceError: something in commits or log was altered;
    LogMisfitError: so it is, since it was looked at; StoreError: there is no commit, KeyFileError: no key.
    """
    return current_log(store)[0]


def current_log(store: Store) -> tuple[bytes, Checkpoint, RangeHash]:
    """A checkpoint of all commits, signed by this user, what it says, and the hashes of the tree that it is of. Errors
    as of `new_checkpoint`.

    What is signed comes from the commits, never from the files of the log: these are whoever's who may write there.
    """
    key = own_key()
    if key is None:
        raise KeyFileError("a checkpoint has to be signed", hint="see the warning above")
    examination = examine(store.storage, store.store_id, trusted_keys())
    _require_unaltered(store, examination)
    if not examination.size:
        raise StoreError(f"{store.storage.location}: there is no commit yet, and nothing to prove")
    with suppress(WriteFailedError):  # a store that only others write
        extend(store)
    checkpoint = Checkpoint(origin_of(store.store_id), examination.size, examination.root)
    return checkpoint.signed([key]), checkpoint, of_leaves(examination.leaves)


def require_its_own(store: Store, since: SignedCheckpoint) -> None:
    """Raise EvidenceError for a checkpoint of another store."""
    if since.checkpoint.origin != origin_of(store.store_id):
        raise EvidenceError(
            f"the checkpoint is one of {since.checkpoint.origin}, this store is {origin_of(store.store_id)}",
            hint="name the store that it was exported from with --store",
        )


def continued(
    store: Store,
    since: SignedCheckpoint,
    examination: Examination | None = None,
    *,
    besides: Iterable[Discrepancy] = (),
) -> Continuation:
    """Compare the commits of today, as an ``examination`` found them (None: one by the user's keys), with a checkpoint.
    ``besides``: what else was found altered, in files that the commits name. EvidenceError: it is of another store.
    ReadFailedError: not all could be read.
    """
    require_its_own(store, since)
    if examination is None:
        examination = examine(store.storage, store.store_id, trusted_keys())
    require_read(examination.discrepancies)
    altered = [one for one in examination.discrepancies if one.gravity is Gravity.ALTERED]
    altered += [one for one in besides if one not in altered]
    proof = _proof(examination, since.checkpoint)
    return Continuation(since, examination.size, examination.root, proof, tuple(altered))


def _proof(examination: Examination, then: Checkpoint) -> tuple[bytes, ...] | None:
    if not then.size:
        return ()
    if then.size > len(examination.leaves):
        return None
    hashed = of_leaves(examination.leaves)
    size = len(examination.leaves)
    proof = tuple(consistency_proof(then.size, size, hashed))
    return proof if consistency_holds(then.size, size, proof, then.root, hashed(0, size)) else None


def _require_unaltered(store: Store, examination: Examination) -> None:
    for one in examination.discrepancies:
        if one.gravity is Gravity.ALTERED:
            raise EvidenceError(
                f"{store.storage.where(one.path)}: expected {one.expected}, found {one.found}: nothing is signed",
                hint=one.advice,
            )
