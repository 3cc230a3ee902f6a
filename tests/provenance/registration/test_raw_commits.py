"""Registrations of many files: commits of bounded size, which go on where one was killed and say nothing twice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from provenance.errors import WriteFailedError
from provenance.history.commits import Commit
from provenance.metadata import from_text
from provenance.reading.views import fetch
from provenance.registration import raw_commits, registration
from provenance.registration.raw_files import add_files
from provenance.store import Store

FILES = 11


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files with declared digests, of which the store takes four in a commit, and two at a time."""
    monkeypatch.setattr(raw_commits, "COMMIT_FILES", 4)
    monkeypatch.setattr(registration, "_BLOCK_ENTRIES", 2)
    lines = ["path,sha256,band,serial"]
    for number in range(FILES):
        (tmp_path / f"f{number}").write_text(str(number))
        lines.append(f"f{number},{hashlib.sha256(str(number).encode()).hexdigest()},{number % 2},{number}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "t.csv"


def everything(store: Store) -> list[tuple[Any, ...]]:
    """What the store has of each file."""
    return fetch(
        store,
        """SELECT f.name, f.size_bytes, hex(f.sha256), r.state, list(m.key || '=' || m.written ORDER BY m.key)
           FROM files f JOIN replica_rows r USING (source, file) JOIN metadata m ON m.source = f.source
            AND m.number = f.file GROUP BY ALL ORDER BY ALL""",
    )


def expected() -> list[tuple[Any, ...]]:
    return sorted(
        (
            f"f{number}",
            len(str(number)),
            hashlib.sha256(str(number).encode()).hexdigest().upper(),
            "ok",
            [f"band={number % 2}", f"serial={number}"],
        )
        for number in range(FILES)
    )


def test_many_files_are_several_commits_and_one_registration(store: Store, table: Path) -> None:
    done = add_files(store, [], table=table)
    assert (len(done.commits), store.snapshot().number, done.files.new) == (3, 3, FILES)
    assert everything(store) == expected()
    assert [file.name for file in done.files] == [f"f{number}" for number in range(FILES)]
    assert [file.file[1] for file in done.files] == list(range(FILES))
    assert len({file.file[0] for file in done.files}) == 1


def test_values_of_metadata_bound_a_commit_too(store: Store, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_commits, "COMMIT_FILES", 100)
    monkeypatch.setattr(raw_commits, "COMMIT_VALUES", 7)
    assert len(add_files(store, [], table=table).commits) == 3
    assert everything(store) == expected()


def test_what_was_interrupted_goes_on_and_counts_nothing_twice(
    store: Store, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, made = store.commit, list[Commit | None]()

    def fails_once(*arguments: Any, **more: Any) -> Commit | None:
        if len(made) == 1:
            raise WriteFailedError("No space left on device")
        made.append(commit(*arguments, **more))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(store, "commit", fails_once)
        with pytest.raises(WriteFailedError):
            add_files(store, [], table=table)
    assert fetch(store, "SELECT count(*) FROM files") == [(4,)]
    done = add_files(Store.open(store.root), [], table=table)
    assert (done.files.new, len(done.files), len(done.commits)) == (FILES - 4, FILES, 2)
    assert everything(store) == expected()
    assert add_files(store, [], table=table).commits == ()


def test_a_race_in_the_middle_is_won_the_second_time(
    store: Store, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two commits somebody else registers files that are still to come."""
    commit, calls = store.commit, []

    def somebody_first(*arguments: Any, **more: Any) -> Commit | None:
        calls.append(None)
        if len(calls) == 2:
            add_files(Store.open(store.root), [table.parent / f"f{number}" for number in (5, 9)])
        return commit(*arguments, **more)

    monkeypatch.setattr(store, "commit", somebody_first)
    done = add_files(store, [], table=table)
    assert [file.name for file in done.files if not file.new] == ["f5", "f9"]
    assert fetch(store, "SELECT count(*), count(DISTINCT name) FROM files") == [(FILES, FILES)]
    assert fetch(store, "SELECT count(*) FROM current_metadata") == [(2 * FILES,)]


def test_metadata_that_is_known_is_not_said_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    said = {"one": from_text("1"), "list": (from_text("1"), from_text("2")), "none": (), "other": from_text("1")}
    add_files(store, [tmp_path / "a"], metadata=said)
    rows = "SELECT key, written FROM metadata ORDER BY ALL"
    before = fetch(store, rows)
    again = said | {"other": from_text("2"), "list": (from_text("2"), from_text("1"))}
    add_files(store, [tmp_path / "a"], metadata=said)
    assert fetch(store, rows) == before
    add_files(store, [tmp_path / "a"], metadata=again)
    assert sorted(fetch(store, rows)) == sorted([*before, ("other", "2"), ("list", "1"), ("list", "2")])
    assert fetch(store, "SELECT written FROM current_metadata WHERE key = 'list' ORDER BY position") == [("2",), ("1",)]
