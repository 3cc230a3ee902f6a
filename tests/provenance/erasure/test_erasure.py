"""Erasure: what is erased is in no byte of the store, and everything else is as it was, as of every commit."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from provenance.ducklake.lake_differences import differences
from provenance.erasure.erasure import Target, erase
from provenance.errors import DamagedStoreError, StoreError
from provenance.history.commits import CommitKind
from provenance.ingest.quarantine import quarantine, quarantined
from provenance.location import establish
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.erasures import (
    AT,
    FIRST,
    RUN,
    SECRET,
    Bucket,
    attempt,
    erase_all,
    file,
    grave,
    grow,
    holders,
    job,
    told,
    without,
)


@pytest.mark.parametrize("seed", range(2))
def test_it_is_in_no_byte_and_all_else_is_as_it_was(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    grow(store, chance)
    if seed % 2:
        store.compact()
        store.sum_up()
    store.project()
    before = told(store, every=2)
    assert holders(store.root)
    first, second = erase_all(store)
    assert first.rows == {"files": 1, "file_digests": 1, "uses": 1, "replicas": 2, "checks": 1, "metadata": 3}
    assert (second.rows, second.cleared) == ({"metadata": 1}, 1)
    assert holders(store.root) == []
    assert grave(store) == []
    assert differences(store) == []
    for reader in (store, Store.open(store.root)):
        after = told(reader, every=2)
        assert {key: rows for key, rows in after.items() if key in before} == without(before)
    store.commit(CommitKind.INGEST, attempt(RUN, 9, "later"))
    store.compact()
    assert holders(store.root) == []


def test_the_commit_says_what_went_and_what_stands_for_it(grown: Store) -> None:
    report = erase(grown, Target((file(),)), "asked to", author="ada")
    commit = list(grown.commits())[-1]
    assert commit.erased is not None
    assert (commit.kind, commit.author, commit.number) == (CommitKind.ERASE, "ada", report.commit)
    assert (commit.erased.reason, commit.erased.files) == ("asked to", ((RUN, FIRST),))
    assert sum(commit.erased.rows.values()) == sum(report.rows.values()) == 9
    assert commit.erased.gone == report.gone
    assert set(commit.replaces) <= set(report.gone)
    assert [segment.path for segment in commit.segments] == list(report.made)
    assert not [path for path in report.gone if (grown.root / path).exists()]


def test_a_dry_run_writes_nothing_and_says_the_same(grown: Store) -> None:
    quarantine(grown, f'{{"stdout": "{SECRET}"}}'.encode(), "record", "no record")
    target = Target((file(),))
    before = {path: path.read_bytes() for path in grown.root.rglob("*") if path.is_file()}
    said = erase(grown, target, "asked to", dry_run=True)
    assert {path: path.read_bytes() for path in grown.root.rglob("*") if path.is_file()} == before
    done = erase(grown, target, "asked to")
    assert (said.rows, said.gone, said.quarantined) == (done.rows, done.gone, done.quarantined)
    assert len(said.quarantined) == 2


def test_quarantine_loses_what_holds_it_and_keeps_the_rest(grown: Store) -> None:
    quarantine(grown, json.dumps({"stdout": SECRET}).encode(), "record", f"no record: {SECRET}")
    quarantine(grown, b"something else", "record", "no record either")
    erase_all(grown)
    assert [one.reason for one in quarantined(grown)] == ["no record either"]
    assert holders(grown.root) == []


def test_what_a_spool_holds_is_named_and_stays(grown: Store) -> None:
    spooled = grown.root / "spool" / "run" / "record.json"
    spooled.parent.mkdir(parents=True)
    spooled.write_text(SECRET)
    assert erase(grown, Target((job(),), output=True), "asked to").beyond.spooled == (str(spooled),)
    assert spooled.exists()


def test_erased_again_there_is_nothing_but_what_came_since_goes(grown: Store) -> None:
    target = Target((file(),))
    erase(grown, target, "asked to")
    assert erase(grown, target, "asked to").is_empty
    late = Batch()
    late.add("replicas", source=RUN, file=FIRST, site="local", url=f"file:///{SECRET}", event="verified", at=AT)
    grown.commit(CommitKind.AUDIT, late)
    assert grave(grown) == []
    assert erase(grown, Target(()), "asked to").rows == {"replicas": 1}


@pytest.mark.parametrize("target", [{"output": True, "things": (file(),)}, {"things": (job(),)}])
def test_what_cannot_be_erased_so_is_refused(target: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        Target(**target)


def test_a_damaged_segment_is_not_written_anew(grown: Store) -> None:
    path = grown.root / grown.snapshot().segments("files")[0].path
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedStoreError):
        erase(grown, Target((file(),)), "asked to")
    assert all(commit.kind is not CommitKind.ERASE for commit in grown.commits())


def test_in_a_bucket_the_copies_of_segments_and_wide_tables_go_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provenance.wide.wide.MIN_ROWS", 1)
    bucket = Bucket(tmp_path / "work")
    (tmp_path / "work").mkdir()
    store = Store(bucket, establish(bucket))
    grow(store, random.Random(2))
    store.compact()
    before = told(store, every=2)
    assert list(store.query(f'files where subject = "{SECRET} again"').rows())
    held = holders(bucket.spread(tmp_path / "old"))
    assert any(name.startswith("wide/") for name in held)
    copies = holders(tmp_path / "cache")
    wide_parts = {hashlib.sha256(bucket.objects[name]).hexdigest() for name in held if name.startswith("wide/")}
    assert any(Path(name).stem in wide_parts for name in copies)
    erase_all(store)
    assert (holders(tmp_path / "cache"), holders(bucket.spread(tmp_path / "new"))) == ([], [])
    assert grave(store) == []
    after = told(Store(bucket, establish(bucket)))
    assert {key: after[key] for key in before} == without(before)
