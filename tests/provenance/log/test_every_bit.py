"""Any bit that flips is noticed: in commits, segments, tiles, the log's checkpoint and pulled commits, each at its own
place; in proofs, checkpoints and attestations that were handed out.

Every bit with PIRENE_TEST_EVERY_BIT (`make bits`), else a few of each file. What is made from the commits and believed by
readers (wide tables, the DuckLake catalog, checkpoints of what the store holds) is compared row by row instead
(tests/provenance/check).
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrity.attestation.envelope import IN_TOTO, enveloped
from integrity.attestation.statement import Artifact, Build, opened_statement, statement
from integrity.errors import EvidenceError
from integrity.findings import Verdict
from integrity.log.checkpoint import opened_checkpoint
from integrity.log.note import VerifierKey
from provenance.check import contents
from provenance.check.findings import Kind
from provenance.check.tampering import check_log
from provenance.evidence.claim import proven
from provenance.evidence.history import new_checkpoint
from provenance.evidence.proving import prove
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.log.discrepancy import Gravity
from provenance.log.examination import examine
from provenance.log.keys import own_key, trusted_keys
from provenance.storage.local import LocalStorage
from provenance.store import Store
from tests.provenance.log.conftest import files

FULL = "PIRENE_TEST_EVERY_BIT" in os.environ
A_FEW = 3
PARTS = 4
"""Of the bits of one kind, for as many workers."""


def flips(data: bytes, part: int, some: int = A_FEW) -> Iterator[tuple[int, bytes]]:
    """(bit, the bytes with that bit flipped); of ``PARTS`` parts the one."""
    bits = range(8 * len(data)) if FULL else sorted(random.Random(part).sample(range(8 * len(data)), some))
    for bit in bits[part::PARTS] if FULL else bits:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(changed)


class Shown(LocalStorage):
    """The files of a store as they were read once, but for one."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.known: dict[str, bytes] = {}
        self.name, self.data = "", b""

    def read(self, name: str, size: int | None = None) -> bytes:
        if name == self.name:
            return self.data
        if name not in self.known:
            self.known[name] = super().read(name, size)
        return self.known[name]


@pytest.fixture(scope="module")
def merged(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Commits 1 to 5, a compaction, 7 and 8, a pull of three, and one more; all of it in the log."""
    folder = tmp_path_factory.mktemp("bits")
    shutil.copytree(made_once, folder / ".pirene")
    store, other = Store.open(folder / ".pirene"), Store.open(folder / "other")
    for number in (21, 22, 23):
        other.commit(CommitKind.REGISTER, files(number, number))
    pull(store, other)
    store.commit(CommitKind.REGISTER, files(9, 9))
    store.project()
    assert check_log(store.storage).verdict is Verdict.CLEAN
    return store


@pytest.fixture(scope="module")
def trusted() -> tuple[VerifierKey, ...]:
    return trusted_keys()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("folder", ["commits", "log", "foreign"])
def test_of_history_and_log(merged: Store, trusted: tuple[VerifierKey, ...], folder: str, part: int) -> None:
    shown = Shown(merged.root)
    names = [stored.name for stored in merged.storage.stored(folder)]
    assert names
    for name in names:
        shown.name = name
        for bit, shown.data in flips(merged.storage.read(name), part):
            discrepancies = examine(shown, merged.store_id, trusted).discrepancies
            grave = {one.path for one in discrepancies if one.gravity is not Gravity.BEHIND}
            assert grave == {name}, (name, bit, discrepancies)


@pytest.mark.parametrize("part", range(PARTS))
def test_of_segments(merged: Store, part: int) -> None:
    shown = Shown(merged.root)
    for segment in [one for commit in merged.all_commits() for one in commit.segments]:
        shown.name = segment.path
        for bit, shown.data in flips(merged.storage.read(segment.path), part):
            findings = [(one.path, one.kind) for one in contents.examine(shown, [segment], lambda _: None)]
            assert findings == [(segment.path, Kind.CHANGED)], bit


@pytest.mark.parametrize("part", range(PARTS))
def test_of_proofs(merged: Store, trusted: tuple[VerifierKey, ...], part: int) -> None:
    data = prove(merged, "file-3.dat")
    assert proven(data, trusted).name == "file-3.dat"
    for bit, changed in flips(data, part, 50):
        with pytest.raises(EvidenceError):
            pytest.fail(f"bit {bit}: {proven(changed, trusted)}")


def test_of_checkpoints(merged: Store, trusted: tuple[VerifierKey, ...]) -> None:
    data = new_checkpoint(merged)
    for part in range(PARTS):
        for bit, changed in flips(data, part, 100):
            with pytest.raises(EvidenceError):
                pytest.fail(f"bit {bit}: {opened_checkpoint(changed, trusted)}")


@pytest.mark.parametrize("part", range(PARTS))
def test_of_attestations(trusted: tuple[VerifierKey, ...], part: int) -> None:
    build = Build(
        kind="https://example.org/build/v1",
        parameters={"name": "coadd — é"},
        dependencies=[Artifact("raw.fits", b"\1" * 32, {"role": "input"})],
        products=[Artifact("stack.fits", b"\2" * 32, {})],
        builder="urn:uuid:0",
        versions={"pirene": "1"},
        invocation="run 1",
        started=None,
        finished=None,
    )
    key = own_key()
    assert key is not None
    data = enveloped(statement(build), IN_TOTO, [key])
    assert opened_statement(data, trusted).subject
    for bit, changed in flips(data, part, 50):
        with pytest.raises(EvidenceError):
            pytest.fail(f"bit {bit}: {opened_statement(changed, trusted)}")
