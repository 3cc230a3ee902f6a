"""What is missing beside one text: files without a digest, name, or value of a key, among others that share one."""

from __future__ import annotations

import datetime as dt

import pytest

from provenance.answers import read_only_sql
from provenance.history.commits import CommitKind
from provenance.segments import encodings
from provenance.segments.batch import Batch
from provenance.store import Store

AT = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


@pytest.fixture
def filled(store: Store) -> Store:
    """Four files, two of them with a digest and an owner, which are the same."""
    batch = Batch()
    for number in range(4):
        known = {"sha256": b"1" * 32, "owner": "anna"} if number % 2 else {}
        batch.add("files", source=1, file=number, name=f"f{number}", origin="raw", created=AT, **known)
    store.commit(CommitKind.REGISTER, batch)
    return store


@pytest.fixture(params=["written now", "written with bounds"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """``filled``, also as versions wrote it that gave every column bounds."""
    if request.param == "written with bounds":
        monkeypatch.setattr(encodings, "_with_statistics", lambda rows, repeating: True)
    found = request.getfixturevalue("filled")
    assert isinstance(found, Store)
    return found


def test_files_without_a_digest_are_those_and_no_others(told: Store) -> None:
    found = list(told.query("files where sha256 is missing show name, sha256").rows())
    assert found == [("f0", None), ("f2", None)]
    found = list(told.query("files where sha256 is present show name, sha256").rows())
    assert found == [("f1", b"1" * 32), ("f3", b"1" * 32)]
    assert list(told.query("files where not (sha256 is present) summarize count(*)").rows()) == [(2,)]


def test_latest_leaves_out_only_what_is_in_no_group(told: Store) -> None:
    answer = told.query("files latest 1 per sha256 by name show name")
    assert list(answer.rows()) == [("f3",)]
    assert answer.warnings == ("latest: 2 files without sha256 left out",)


def test_sql_of_users_sees_what_is_missing(filled: Store) -> None:
    found = read_only_sql.ask(filled, "SELECT name FROM files WHERE sha256 IS NULL ORDER BY name")
    assert list(found.rows) == [("f0",), ("f2",)]
