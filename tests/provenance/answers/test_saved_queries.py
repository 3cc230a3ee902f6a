"""Saved queries in a store: versions, as of, others who save at the same time, other stores."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from provenance.answers.saved_queries import BadNameError, save, versions
from provenance.check.whole import check_store
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.metadata import from_json
from provenance.metadata_rows import add_metadata
from provenance.segments.batch import Batch
from provenance.store import Store
from query.errors import QueryError

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)


@pytest.fixture
def kinds(store: Store) -> Store:
    """A store that knows the key kind."""
    batch = Batch()
    batch.add("files", source=1, file=1, name="a", origin="raw", created=AT)
    add_metadata(batch, "file", 1, 1, "kind", from_json("raw"), origin="set", author="me", at=AT)
    store.commit(CommitKind.METADATA, batch)
    return store


def names(store: Store, text: str) -> list[object]:
    return [row["name"] for row in store.query(text).objects()]


def test_the_newest_version_is_meant_and_as_of_finds_that_of_then(kinds: Store) -> None:
    first = save(kinds, "good", "files where kind = $k")
    assert (first.version, first.parameters) == (1, ("k",))
    assert save(kinds, "@good", "files where kind = $k").version == 1
    assert save(kinds, "good", 'files where name = "other"').version == 2
    assert names(kinds, "@good") == []
    assert names(kinds, '@good(k = "raw") as of commit 2') == ["a"]
    assert [(each.name, each.version, each.text) for each in versions(kinds)] == [
        ("good", 1, "files where kind = $k"),
        ("good", 2, 'files where name = "other"'),
    ]
    assert save(kinds, "good", "files where kind = $k").version == 3


def test_who_saves_at_the_same_time_makes_the_next_version(kinds: Store) -> None:
    other = Store.existing(kinds.root)
    kinds.snapshot()
    assert save(other, "good", "files").version == 1
    assert save(kinds, "good", "jobs").version == 2
    assert [each.text for each in versions(other)] == ["files", "jobs"]


@pytest.mark.parametrize("name", ["", "1st", "a b", "ä", "a(", "a\n", "-a"])
def test_names_that_no_query_could_mention(name: str, kinds: Store) -> None:
    with pytest.raises(BadNameError, match="is no name for a saved query"):
        save(kinds, name, "files")
    assert versions(kinds) == []


def test_what_is_no_query_is_not_saved(kinds: Store) -> None:
    for text in ("files where knd = 1", "files where", "files as of commit 1"):
        with pytest.raises(QueryError):
            save(kinds, "good", text)
    assert versions(kinds) == []


def test_another_store_that_saved_the_name_later_is_named(kinds: Store, tmp_path: Path) -> None:
    """What was said last counts, as with metadata; but nobody is asked something else without a word."""
    other = Store.open(tmp_path / "other")
    save(kinds, "good", "files")
    save(other, "good", "jobs")
    save(other, "theirs", "jobs")
    pull(kinds, other)
    (note,) = kinds.query("@good").notes
    assert note.startswith("@good is version 1 of another store, saved by ")
    assert kinds.query("@theirs").notes == ()
    assert save(kinds, "good", "files").version == 2
    assert (kinds.query("@good").notes, names(kinds, "@good")) == ((), ["a"])
    assert check_store(kinds.storage).findings == ()
