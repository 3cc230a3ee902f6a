"""Erasure beside writers, readers and other stores, and after crashes."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provenance.check import history, whole
from provenance.check.findings import Kind, Verdict
from provenance.check.mending import check_and_mend
from provenance.check.whole import check_store
from provenance.erasure import erasing
from provenance.erasure.erasure import Target, erase
from provenance.errors import NotWrittenError, ReadFailedError, WriteFailedError
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.ingest.quarantine import quarantine
from provenance.schema import BY_NAME
from provenance.segments.batch import Batch
from provenance.storage.local import LocalStorage
from provenance.store import Store
from provenance.wide import wide_build
from tests.provenance.erasures import (
    EVERYTHING,
    FIRST,
    RUN,
    SECRET,
    attempt,
    describe,
    erase_all,
    file,
    grave,
    grow,
    holders,
    is_erased,
    job,
    told,
    without,
)


def test_somebody_commits_and_compacts_in_between(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Store.open(grown.root)
    create = LocalStorage.create
    turns: Iterator[Callable[[], object]] = iter(
        [lambda: other.compact(), lambda: other.commit(CommitKind.INGEST, attempt(RUN, 8, "meanwhile"))]
    )

    def raced(self: LocalStorage, name: str, data: bytes) -> bool:
        if self is grown.storage and (meanwhile := next(turns, None)) is not None:
            meanwhile()
        return create(self, name, data)

    monkeypatch.setattr(LocalStorage, "create", raced)
    before = told(grown, every=3)
    erase_all(grown)
    assert holders(grown.root) == []
    assert grave(grown) == []
    after = told(grown, every=3)
    assert {key: after[key] for key in before} == without(before)
    assert grown.rows("SELECT count(*) FROM files WHERE name = 'meanwhile.dat'", tables=["files"]) == [(1,)]


def test_a_pull_does_not_bring_it_back(grown: Store, tmp_path: Path) -> None:
    before, late, third = (Store.open(tmp_path / name) for name in ("before", "late", "third"))
    pull(before, grown)
    erase_all(grown)
    pull(late, grown)
    assert (holders(late.root), grave(late)) == ([], [])
    pull(late, before)
    pull(grown, before)
    assert (holders(late.root), holders(grown.root)) == ([], [])
    pull(before, grown)
    assert (grave(before), grave(grown), grave(late)) == ([], [], [])
    pull(third, late)
    assert (holders(third.root), grave(third)) == ([], [])


def test_what_was_pulled_is_erased_with_what_its_store_said_of_it(grown: Store, tmp_path: Path) -> None:
    here, next_door = Store.open(tmp_path / "here"), Store.open(tmp_path / "next door")
    grow(here, random.Random(3), run=2, secret="nobody")
    pull(here, grown)
    here.compact()
    here.project()
    before = told(here, every=3)
    assert holders(here.root)
    erase_all(here)
    assert holders(here.root) == []
    assert grave(here) == []
    after = told(here, every=3)
    assert {key: after[key] for key in before} == without(before)
    pull(here, grown)
    pull(next_door, here)
    pull(next_door, grown)
    assert (holders(here.root), holders(next_door.root)) == ([], [])
    assert (grave(here), grave(next_door)) == ([], [])
    pull(grown, here)
    assert grave(grown) == []


def test_who_had_the_store_open_does_not_sum_up_what_was_erased(grown: Store, tmp_path: Path) -> None:
    here = Store.open(tmp_path / "here")
    pull(here, grown)
    writer = Store.open(here.root)
    writer.snapshot()
    erase_all(here)
    writer.commit(CommitKind.INGEST, attempt(RUN, 9, "later"))
    for checkpoint in (here.root / "checkpoints").iterdir():
        checkpoint.unlink()
    writer.sum_up()
    assert holders(here.root) == []
    assert [one for one in check_store(here.storage).findings if one.path.startswith("checkpoints/")] == []
    assert pull(Store.open(tmp_path / "third"), Store.open(here.root)).commits


# Who reads, merges or makes tables meanwhile


def after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, then: Callable[[], object]) -> None:
    """Do something once, right after a function was called for the first time."""
    real = getattr(owner, name)
    turns = iter([then])

    def patched(*arguments: Any, **named: Any) -> Any:
        done = real(*arguments, **named)
        if (meanwhile := next(turns, None)) is not None:
            meanwhile()
        return done

    monkeypatch.setattr(owner, name, patched)


def test_a_check_that_is_overtaken_looks_again(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Store.open(grown.root)
    after(monkeypatch, history, "read_history", lambda: erase_all(other))
    assert check_store(grown.storage).verdict is Verdict.CLEAN


def test_a_check_that_is_always_overtaken_reports_what_it_found(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []

    def overtaken(*_: object) -> bool:
        looks.append(None)
        return True

    monkeypatch.setattr(whole, "_is_overtaken", overtaken)
    next(grown.root.glob("segments/files/*.parquet")).unlink()
    assert check_store(grown.storage).verdict is Verdict.DAMAGED
    assert 1 < len(looks) < 10


@pytest.mark.parametrize("action", ["rows", "compact"])
def test_who_is_overtaken_hears_of_no_damage(grown: Store, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    other, reader = Store.open(grown.root), Store.open(grown.root)
    old = reader.snapshot()
    monkeypatch.setattr(reader, "snapshot", lambda: old)
    erase_all(other)
    with pytest.raises(ReadFailedError, match="erased from meanwhile"):
        reader.rows("SELECT * FROM files", tables=["files"]) if action == "rows" else reader.compact()


def test_a_wide_table_that_was_begun_before_is_not_kept(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provenance.wide.wide.MIN_ROWS", 1)
    other = Store.open(grown.root)
    after(monkeypatch, wide_build, "_made", lambda: erase_all(other))
    grown.compact()
    assert holders(grown.root) == []
    assert not [path for path in (grown.root / "wide").iterdir() if path.name.startswith("files")]


def test_a_wide_table_that_cannot_be_finished_leaves_nothing(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provenance.wide.wide.MIN_ROWS", 1)
    monkeypatch.setattr("provenance.wide.wide_build._PIECE_ROWS", 1)

    def fail() -> None:
        monkeypatch.setattr(LocalStorage, "write", refuse)

    def refuse(self: LocalStorage, name: str, data: bytes) -> None:
        raise NotWrittenError(f"{name}: no space left")

    after(monkeypatch, wide_build, "_written", fail)
    grown.compact()
    assert list((grown.root / "wide").iterdir()) == []


def test_a_checkpoint_of_files_that_were_written_anew_meanwhile_goes(
    grown: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Store.open(tmp_path / "here")
    pull(here, grown)
    erase(here, Target((job(),), output=True), "asked to")
    writer, other = Store.open(here.root), Store.open(here.root)
    writer.snapshot()
    monkeypatch.setattr(writer, "reread", lambda: None)
    erase(other, Target((file(),)), "asked to")
    for checkpoint in (here.root / "checkpoints").iterdir():
        checkpoint.unlink()
    writer.sum_up()
    assert check_store(here.storage).findings == ()
    assert pull(Store.open(tmp_path / "third"), Store.open(here.root)).commits


def test_bounds_that_another_store_says_again_do_not_come(grown: Store, tmp_path: Path) -> None:
    here, third = Store.open(tmp_path / "here"), Store.open(tmp_path / "third")
    pull(here, grown)
    erase_all(here)
    assert holders(here.root) == []
    grown.compact()
    grown.commit(CommitKind.INGEST, attempt(RUN, 9, "later"))
    assert pull(here, grown).rows["files"] == 1
    assert holders(here.root) == []
    assert grave(here) == []
    pull(third, here)
    assert (holders(third.root), grave(third)) == ([], [])
    pull(grown, third)
    assert grave(grown) == []


def test_two_erase_at_once(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Store.open(grown.root)
    after(monkeypatch, erasing, "_read", lambda: erase(other, EVERYTHING[1], "asked to"))
    before = told(grown, every=3)
    erase(grown, EVERYTHING[0], "asked to")
    assert (holders(grown.root), grave(grown)) == ([], [])
    found = told(grown, every=3)
    assert {key: found[key] for key in before} == without(before)


# Crashes


class Crash(BaseException):
    """The process dies."""


STEPS = ("write", "create", "remove")


def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], int]:
    """Die before the call of that number, of all that change the storage; gives how many there were."""
    count = 0
    for step in STEPS:
        real = getattr(LocalStorage, step)

        def patched(self: LocalStorage, *arguments: Any, real: Any = real) -> Any:
            nonlocal count
            count += 1
            if count == at:
                raise Crash
            return real(self, *arguments)

        monkeypatch.setattr(LocalStorage, step, patched)
    return lambda: count


@pytest.fixture
def partner(store: Store, tmp_path: Path) -> Store:
    """A small store that has pulled from another, with the secret in a file's name and in quarantine."""
    grown = Store.open(tmp_path / "grown")
    grown.commit(CommitKind.INGEST, attempt(RUN, FIRST, SECRET))
    grown.commit(CommitKind.INGEST, attempt(RUN, 2, "harmless"))
    grown.compact()
    late = Batch()
    describe(late, RUN, FIRST, "subject", SECRET, "file")
    grown.commit(CommitKind.METADATA, late)
    store.commit(CommitKind.INGEST, attempt(3, 2, "nobody"))
    pull(store, grown)
    erase(store, EVERYTHING[1], "asked to")
    quarantine(store, SECRET.encode(), "record", "no record")
    store.project()
    assert holders(store.root)
    return store


@pytest.mark.parametrize("mend", ["repeat", "repair"])
def test_a_crash_leaves_the_old_or_what_repeating_finishes(
    partner: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mend: str
) -> None:
    old = rows_of_files(partner)
    new = {table: [row for row in rows if not is_erased(table, row, RUN)] for table, rows in old.items()}
    assert old != new
    place = tmp_path / "copy"
    crashes, calls, finished = 0, 0, 0
    at = 1 if mend == "repeat" else 3  # each at every fourth call: tests of faults have them all
    while not finished:
        shutil.copytree(partner.root, place)
        with monkeypatch.context() as patch:
            count = dying(patch, at)
            try:
                erase(Store.open(place), EVERYTHING[0], "asked to")
                finished = 1
            except Crash:
                crashes += 1
            calls = count()
        left = Store.open(place)
        is_new = rows_of_files(left) == new
        assert is_new or rows_of_files(left) == old, at
        if mend == "repair" and is_new:
            report = check_and_mend(left.storage, repair=True)
        else:
            grave_now = {finding.kind for finding in grave(left)}
            assert grave_now <= {Kind.UNERASED}, at
            erase(left, EVERYTHING[0], "asked to")
            report = check_store(left.storage)
        assert report.verdict is Verdict.CLEAN, (at, report)
        orphaned = {one.path for one in report.findings if one.kind is Kind.ORPHAN}
        assert set(holders(place)) <= orphaned, at
        assert [one for one in holders(place) if one.startswith("segments/")] == [], at
        at += 4
        shutil.rmtree(place)
    assert calls > 20
    assert crashes >= calls // 4


def rows_of_files(store: Store) -> dict[str, list[dict[str, Any]]]:
    """What the newest state says of files, table by table."""
    found = {}
    for table in ("files", "file_digests", "uses", "replicas", "checks", "metadata"):
        names = [column.name for column in BY_NAME[table].columns]
        rows = store.rows(f"SELECT * FROM {table} ORDER BY ALL", tables=[table])
        found[table] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def test_what_cannot_be_removed_is_an_error_and_a_finding(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "remove", lambda self, name: None)
        with pytest.raises(WriteFailedError, match="holds what was erased and cannot be removed"):
            erase(grown, Target((file(),)), "asked to")
    report = check_store(grown.storage)
    assert {finding.kind for finding in report.findings if finding.kind.verdict.exit_code} == {Kind.UNERASED}
    assert report.verdict is Verdict.INCOMPLETE
    assert erasing.finish(grown)
    assert grave(grown) == []
