"""The log grows, is proven and is found altered wherever the store is."""

from __future__ import annotations

from pathlib import Path

import pytest

from integrity.findings import Verdict
from integrity.log.checkpoint import opened_checkpoint
from provenance.check.tampering import check_log
from provenance.errors import NotWrittenError
from provenance.evidence.claim import proven
from provenance.evidence.history import continued, new_checkpoint
from provenance.evidence.proving import prove
from provenance.history.commits import CommitKind, commit_name
from provenance.log.examination import examine
from provenance.log.keys import trusted_keys
from provenance.store import Store
from tests.provenance.conformance.places import Place
from tests.provenance.log.conftest import files


def altered(store: Store) -> list[str]:
    return [one.path for one in examine(store.storage, store.store_id, trusted_keys()).discrepancies]


def test_the_log_grows_and_every_place_of_it_is_held_to(place: Place, store: Store) -> None:
    for number in range(1, 4):
        store.commit(CommitKind.REGISTER, files(number, number))
    store.project()
    kept = opened_checkpoint(new_checkpoint(store), trusted_keys())
    another = Store.open(place.location)
    another.commit(CommitKind.REGISTER, files(9, 9))
    another.project()
    assert altered(another) == []
    assert continued(another, kept).holds
    claim = proven(prove(another, "file-9.dat"), trusted_keys())
    assert (claim.commit, claim.checkpoint.checkpoint.size) == (4, 4)
    for name in ("log/tile/0/000.p/4", "log/checkpoint", commit_name(2)):
        data = place.read(name)
        place.replace(name, data[:40] + bytes([data[40] ^ 1]) + data[41:])
        assert altered(another) == [name]
        place.remove(name)
        assert name in altered(another)
        place.replace(name, data)
    report = check_log(another.storage)
    assert (report.verdict, report.examination.logged, report.examination.signed) == (Verdict.CLEAN, 4, 4)
    place.remove(commit_name(4))
    report = check_log(Store.open(place.location).storage)
    assert report.verdict is Verdict.TAMPERED
    assert report.findings[0].path == commit_name(4)


def test_a_checkpoint_of_a_store_that_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not write signs what they see, and leaves nothing there."""
    store = Store.open(tmp_path / "s")
    store.commit(CommitKind.REGISTER, files(1, 1))

    def refused(*_: object) -> None:
        raise NotWrittenError("read-only")

    monkeypatch.setattr(type(store.storage), "write", refused)
    monkeypatch.setattr(type(store.storage), "prepare", refused)
    kept = opened_checkpoint(new_checkpoint(store), trusted_keys())
    assert kept.checkpoint.size == 1
    assert continued(store, kept).holds
    assert not (tmp_path / "s" / "log").exists()
