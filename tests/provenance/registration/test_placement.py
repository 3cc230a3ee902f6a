"""Outputs of reused jobs in the folder of a new run: which copies there are afterwards."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from integrity.digest import Stat
from provenance.copies.replicas import by_file, by_url, file_url
from provenance.history.commits import CommitKind
from provenance.registration.placement import Placed, add_placed
from provenance.registration.raw_files import add_files
from provenance.segments.batch import Batch
from provenance.store import Store


def known(store: Store, path: Path, content: str) -> tuple[int, int]:
    path.write_text(content)
    return add_files(store, [path]).files[0].file


def place(store: Store, file: tuple[int, int], path: Path, *, link: bool) -> int:
    """How many events that made."""
    batch = Batch()
    stat = None if link else Stat.of(path)
    add_placed(store, batch, [Placed(file, file_url(path), "local", link, stat)], at=dt.datetime.now(dt.UTC))
    store.commit(CommitKind.INGEST, batch)
    return len(batch)


def test_a_copy_is_a_replica_and_takes_the_place_of_another(store: Store, tmp_path: Path) -> None:
    original, target = tmp_path / "original", tmp_path / "target"
    file, older = known(store, original, "new"), known(store, target, "old")
    target.write_text("new")
    assert place(store, file, target, link=False) == 2
    assert by_url(store, [file_url(target)])[file_url(target)].id == file
    assert [copy.state for copy in by_file(store, [older], states=("ok", "replaced"))[older]] == ["replaced"]
    target.write_text("new")
    assert place(store, file, target, link=False) == 1  # the same again, with another stat
    assert by_url(store, [file_url(target)])[file_url(target)].changed_ns == target.stat().st_ctime_ns


def test_a_link_is_no_replica_and_takes_the_place_of_one(store: Store, tmp_path: Path) -> None:
    original, target = tmp_path / "original", tmp_path / "target"
    file, older = known(store, original, "new"), known(store, target, "old")
    target.unlink()
    target.symlink_to(original)
    assert place(store, file, target, link=True) == 1
    assert by_url(store, [file_url(target)]) == {}
    assert by_file(store, [older]) == {}
    assert [copy.url for copy in by_file(store, [file])[file]] == [file_url(original)]
    assert place(store, file, target, link=True) == 0
