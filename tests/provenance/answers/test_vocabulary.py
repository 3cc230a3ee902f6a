"""What a store says of its metadata keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from provenance.answers.vocabulary import StoreVocabulary
from provenance.history.commits import CommitKind
from provenance.metadata import from_json
from provenance.metadata_rows import add_metadata
from provenance.reading.views import Reading, Row
from provenance.segments.batch import Batch
from provenance.store import Store
from query.errors import QueryMeaningError
from query.vocabulary import Entity, MetadataKey

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)


def vocabulary(store: Store, values: list[object]) -> StoreVocabulary:
    """Of a store in which a file for each value has it under the key ``k``; "gone" is withdrawn again."""
    batch = Batch()
    for number, value in enumerate(values):
        add_metadata(batch, "file", 1, number, "k", from_json(value), origin="set", author="me", at=AT)
        if value == "gone":
            later = AT + dt.timedelta(seconds=1)
            add_metadata(
                batch, "file", 1, number, "k", from_json(value), origin="set", author="me", at=later, withdrawn=True
            )
    store.commit(CommitKind.METADATA, batch)
    return StoreVocabulary(Reading(store, store.snapshot()).rows)


def test_counts_are_of_values_and_of_things(store: Store) -> None:
    found = vocabulary(store, [["a", "b", "c", "d"], [], 7, "2026-05-01", True, None, "gone"])
    (key,) = found.metadata_keys(Entity.FILES)
    assert key == MetadataKey("k", 7, 1, 1, 1, lists=2, things=6, exact=1, examples=("2026-05-01", "7", "a", "b", "c"))


def test_one_key_is_known_as_among_all_but_for_examples(store: Store) -> None:
    found = vocabulary(store, [["a", "b"], 7, "x"])
    (key,) = found.metadata_keys(Entity.FILES)
    assert found.metadata_key(Entity.FILES, "k") == MetadataKey(
        "k", key.values, key.numbers, key.booleans, key.times, key.lists, key.things, key.exact
    )


def test_exact_are_numbers_that_doubles_tell_apart(store: Store) -> None:
    found = vocabulary(store, [1 << 53, -(1 << 53), 0.1, "1e300", (1 << 53) + 1, -(1 << 63), ".nan", "text"])
    key = found.metadata_key(Entity.FILES, "k")
    assert key is not None and (key.numbers, key.exact) == (7, 4)


def test_a_key_without_values_is_still_known(store: Store) -> None:
    found = vocabulary(store, ["gone"])
    assert found.metadata_keys(Entity.FILES) == ()
    assert found.metadata_key(Entity.FILES, "k") == MetadataKey("k", 0)
    assert found.metadata_key(Entity.FILES, "other") is None
    assert found.metadata_key(Entity.JOBS, "k") is None


def test_the_keys_of_a_query_are_read_together(store: Store) -> None:
    batch = Batch()
    for key in ("gain", "filter", "exposure time"):
        add_metadata(batch, "file", 1, 1, key, from_json(3), origin="set", author="me", at=AT)
    store.commit(CommitKind.METADATA, batch)
    reading = Reading(store, store.snapshot())
    statements = []

    def rows(sql: str, parameters: Sequence[object]) -> list[Row]:
        statements.append(sql)
        return reading.rows(sql, parameters)

    found = StoreVocabulary(rows, 'files where gain > 2 and filter = "r" and `exposure time` > 1 and nothing = 1')
    known = [found.metadata_key(Entity.FILES, key) for key in ("gain", "filter", "exposure time", "nothing")]
    assert [key and (key.name, key.numbers) for key in known] == [
        ("gain", 1),
        ("filter", 1),
        ("exposure time", 1),
        None,
    ]
    # One for all words, one for the key that is more than a word, one to see whether `nothing` was withdrawn.
    assert len(statements) == 3


def test_lists_among_single_values_do_not_forbid_comparisons(store: Store) -> None:
    """However long the lists are: only a key of which every value is a list has nothing to compare with."""
    vocabulary(store, [["a", "b", "c", "d"], "a", "b"])
    answer = store.query('files where k = "a"')
    assert answer.warnings == ("k is a list for 1 of 3: no plain comparison matches those",)


def test_a_key_that_came_later_is_no_mistake_in_a_question_about_earlier(store: Store) -> None:
    """The same question as of last week is not an error because nobody had used the key then."""
    store.commit(CommitKind.METADATA, _one_key("before"))
    store.commit(CommitKind.METADATA, _one_key("k"))
    found = store.query("files where k = 1 as of commit 1")
    assert (list(found.rows()), found.warnings) == ([], ("no file has a value of k in the state that is asked about",))
    with pytest.raises(QueryMeaningError, match="no such key: kk"):
        store.query("files where kk = 1 as of commit 1")


def _one_key(key: str) -> Batch:
    batch = Batch()
    add_metadata(batch, "file", 1, 1, key, from_json(1), origin="set", author="me", at=AT)
    return batch
