"""Wide tables: every byte and every row is compared; what is wrong with one is named, and mended by making it anew."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.answers.entities import FILES
from provenance.check import wide_tables
from provenance.check.findings import Finding, Kind, Verdict
from provenance.check.mending import check_and_mend
from provenance.check.whole import check_store
from provenance.history.canonical import sealed
from provenance.history.commits import CommitKind, publish
from provenance.metadata import from_json
from provenance.metadata_rows import add_metadata
from provenance.publishing.publication import new_nonce, next_commit
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.wide import wide, wide_build

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)
VALUES: tuple[object, ...] = ("a", 1, 2.5, True, "2026-05-01", None)


@pytest.fixture
def promoted(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Six files with two keys each, one of them said twice, and a wide table of three parts, with commits after it."""
    monkeypatch.setattr(wide, "MIN_ROWS", 1)
    monkeypatch.setattr(wide_build, "_PIECE_ROWS", 2)
    batch = Batch()
    for number in range(len(VALUES)):
        name = f"{number}"
        batch.add("files", source=1, file=number, name=name, origin="raw", kind="file", created=AT, size_bytes=7)
        batch.add("replicas", source=1, file=number, site="here", url=f"file:///{name}", event="registered", at=AT)
        _say(batch, number, "site", "first")
        _say(batch, number, "quality", number)
    store.commit(CommitKind.REGISTER, batch)
    again = Batch()
    for number, value in enumerate(VALUES):
        _say(again, number, "site", value)
    store.commit(CommitKind.METADATA, again)
    assert wide_build.promote(store, FILES, eager=True)
    later = Batch()
    _say(later, 0, "site", "later")
    store.commit(CommitKind.METADATA, later)
    return store


def _say(batch: Batch, number: int, key: str, value: object) -> None:
    add_metadata(batch, "file", 1, number, key, from_json(value), origin="set", author=None, at=AT)


def findings(store: Store) -> list[Finding]:
    return list(check_store(store.storage).findings)


def part_of(store: Store, number: int) -> Path:
    (path,) = (store.root / "wide").glob(f"files-*-{number:04d}.parquet")
    return path


def document_of(store: Store) -> Path:
    (path,) = (store.root / "wide").glob("files-*.json")
    return path


def replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def reseal(store: Store, change: Callable[[dict[str, Any]], object]) -> None:
    path = document_of(store)
    document = json.loads(path.read_bytes())
    del document["seal"]
    change(document["content"])
    replace(path, sealed(document))


def sites(store: Store) -> list[object]:
    return [site for (site,) in store.query("files show site").rows()]


def is_mended(store: Store) -> bool:
    """Whether it is made anew, believed and right."""
    report = check_and_mend(store.storage, repair=True)
    made = [repair.path for repair in report.repairs if repair.what == "made anew from the tables"]
    assert sites(store) == ["later", *VALUES[1:]]
    return (report.findings, made, len(list((store.root / "wide").glob("files-*.json")))) == ((), ["wide/files"], 1)


def test_one_that_is_right_is_nothing_to_say(promoted: Store) -> None:
    assert findings(promoted) == []


def test_a_flipped_bit_is_found_and_mended(promoted: Store) -> None:
    path = part_of(promoted, 1)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    replace(path, bytes(data))
    (finding,) = findings(promoted)
    assert (finding.kind, finding.path) == (Kind.CHANGED, path.relative_to(promoted.root).as_posix())
    assert check_store(promoted.storage).verdict is Verdict.DAMAGED
    assert is_mended(promoted)


def _other(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """Another value in the first row."""

    def change(rows: pa.Table) -> pa.Table:
        place = rows.column_names.index(column)
        field = rows.schema.field(column)
        values = pa.array([value, *rows.column(column).to_pylist()[1:]], field.type)
        return rows.set_column(place, field, values)

    return change


LIES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "a value": _other("key0_text_form", "z"),
    "a type": _other("key1_written_type", "text"),
    "a value that is not there": _other("key0_values", 0),
    "a column of the table": _other("name", "z"),
    "a field that needs a join": _other("field_status", "gone"),
    "a list": _other("field_sites", ["here", "there"]),
    "a row too many": lambda rows: pa.concat_tables([rows.slice(0, 1), rows]),
    "a row too few": lambda rows: rows.slice(1),
    "no rows": lambda rows: rows.slice(0, 0),
    "rows of another part": _other("file", 17),
    "a column too few": lambda rows: rows.drop_columns(["key0_float_form"]),
}


@pytest.mark.parametrize("lie", LIES)
def test_rows_that_were_made_wrong_are_found(promoted: Store, lie: str) -> None:
    path = part_of(promoted, 1)
    rows = LIES[lie](pq.read_table(path))
    path.unlink()
    pq.write_table(rows, path, store_schema=False)
    data = path.read_bytes()

    def told(content: dict[str, Any]) -> None:
        content["parts"][1][1:] = [len(rows), len(data), hashlib.sha256(data).hexdigest()]

    reseal(promoted, told)
    found = list(wide_tables.examine(promoted, promoted.snapshot(), frozenset(), lambda _: None))
    expected = part_of(promoted, 2 if lie == "no rows" else 1)  # nobody else has them: they are missing from the next
    assert (found[0].kind, found[0].path) == (Kind.MALFORMED, expected.relative_to(promoted.root).as_posix())


def test_a_count_that_was_made_wrong_is_found_and_mended(promoted: Store) -> None:
    reseal(promoted, lambda content: content["keys"][0].__setitem__(2, 7))
    (finding,) = findings(promoted)
    assert (finding.kind, finding.path) == (Kind.MALFORMED, f"wide/{document_of(promoted).name}")
    assert is_mended(promoted)


def test_more_rows_than_the_document_says_are_found(promoted: Store) -> None:
    reseal(promoted, lambda content: content["parts"][1].__setitem__(1, 1))
    (finding,) = findings(promoted)
    assert (finding.kind, finding.expected, finding.found) == (Kind.MALFORMED, "1 rows", "2")


@pytest.mark.parametrize("what", ["part", "document"])
def test_what_readers_pass_over_is_stale_and_mended(promoted: Store, what: str) -> None:
    path = part_of(promoted, 1) if what == "part" else document_of(promoted)
    if what == "part":
        path.unlink()
    else:
        replace(path, path.read_bytes()[:-7])
    (finding,) = findings(promoted)
    assert (finding.kind, finding.path) == (Kind.STALE, path.relative_to(promoted.root).as_posix())
    assert is_mended(promoted)


def test_one_that_cannot_be_read_is_named_and_not_called_clean(promoted: Store) -> None:
    document = document_of(promoted)
    document.unlink()
    document.symlink_to(document.name)  # to itself: the system refuses to follow it
    (found,) = [finding for finding in findings(promoted) if finding.path.endswith(document.name)]
    assert found.kind is Kind.UNREADABLE


def test_one_from_before_an_erasure_is_stale_and_mended(promoted: Store) -> None:
    snapshot = promoted.snapshot()
    (segment,) = snapshot.segments("replicas")
    erased = next_commit(promoted, snapshot, CommitKind.ERASE, new_nonce(), [], replaces=[segment.path])
    assert publish(promoted.storage, erased)
    stale = [finding.path for finding in findings(promoted) if finding.kind is Kind.STALE]
    assert stale == [f"wide/{document_of(promoted).name}"]


def test_keys_that_the_document_does_not_name_or_names_in_vain_are_found(promoted: Store) -> None:
    for others, is_wrong in ((["never"], True), ([], False), (None, False)):
        reseal(promoted, partial(dict.update, others=others))
        assert [finding.kind for finding in findings(promoted)] == ([Kind.MALFORMED] if is_wrong else [])


def test_one_of_another_version_is_left_alone(promoted: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "VERSION", wide.VERSION + 1)
    part_of(promoted, 0).unlink()
    assert check_and_mend(promoted.storage, repair=True).findings == ()
    assert document_of(promoted).exists()


def test_of_one_made_by_other_sql_bytes_are_looked_at(promoted: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "view_sql", lambda name, real=wide.view_sql: real(name) + " ")
    assert findings(promoted) == []
    path = part_of(promoted, 2)
    replace(path, path.read_bytes()[:-1])
    assert [finding.kind for finding in findings(promoted)] == [Kind.CHANGED]


def test_while_its_tables_are_damaged_it_is_removed_and_not_made_anew(promoted: Store) -> None:
    (segment,) = promoted.snapshot().segments("files")
    for path in (promoted.root / segment.path, part_of(promoted, 0)):
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        replace(path, bytes(data))
    report = check_and_mend(promoted.storage, repair=True)
    assert {finding.path for finding in report.findings} == {segment.path, "files"}
    assert not list((promoted.root / "wide").iterdir())
