"""Rows that were lost, doubled or changed by whoever wrote them anew, and rows that refer to nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from provenance.check.findings import Finding, Kind
from provenance.check.references import KEYS, REFERENCES, Reference
from provenance.history.commits import CommitKind, commit_name, publish
from provenance.identity import produced_file, source_of
from provenance.ingest.ingest import ingest
from provenance.publishing.publication import next_commit
from provenance.schema import BY_NAME
from provenance.segments.batch import Batch
from provenance.segments.segment_files import merged, write
from provenance.store import Store

FindingsOf = Callable[[Store], list[Finding]]
RUN = source_of(uuid.UUID(int=1))


def merge_badly(store: Store, table: str, change: Callable[[Any], Any]) -> None:
    """A compaction of a table by somebody who writes other rows than there were."""
    snapshot = store.snapshot()
    rows = change(merged(store.storage, BY_NAME[table], snapshot.segments(table)))
    segment = write(store.storage, BY_NAME[table], rows, f"{snapshot.number + 1:012d}-bad")
    replaces = [one.path for one in snapshot.segments(table)]
    assert publish(store.storage, next_commit(store, snapshot, CommitKind.COMPACT, "bad", [segment], replaces=replaces))


@pytest.mark.parametrize(
    ("change", "found"), [(lambda rows: rows.slice(1), "0"), (lambda rows: rows.take([0, *range(rows.num_rows)]), "2")]
)
def test_a_merge_that_loses_or_doubles_a_row_is_named(
    lived_in: Store, findings_of: FindingsOf, change: Callable[[Any], Any], found: str
) -> None:
    merge_badly(lived_in, "files", change)
    counted = [finding for finding in findings_of(lived_in) if finding.kind is Kind.MISCOUNT]
    assert [(finding.path, finding.found) for finding in counted] == [("files", found)]
    assert counted[0].expected.startswith("1 rows of commit ")


@pytest.mark.parametrize("at_once", [1, 1_000_000])
def test_a_record_that_was_exchanged_is_seen_by_the_root(
    lived_in: Store, findings_of: FindingsOf, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("provenance.check.facts._RECORDS_AT_ONCE", at_once)
    assert findings_of(lived_in) == []

    def exchange(rows: Any) -> Any:
        import pyarrow as pa

        position = rows.schema.get_field_index("record_sha256")
        digests = [b"x" * 32, *rows.column("record_sha256").to_pylist()[1:]]
        return rows.set_column(position, rows.schema.field(position), pa.array(digests, pa.binary()))

    merge_badly(lived_in, "invocations", exchange)
    (finding,) = findings_of(lived_in)
    assert finding.kind is Kind.MISCOUNT
    assert finding.path.startswith("commits/")
    assert finding.expected.startswith("1 invocation records with root ")


def test_a_root_that_a_commit_gives_is_compared(
    lived_in: Store, findings_of: FindingsOf, rewrite_commit: Callable[..., None]
) -> None:
    number = next(commit.number for commit in lived_in.all_commits() if commit.records)
    rewrite_commit(lived_in, number, lambda document: document["records"].update(count=2))
    (finding,) = findings_of(lived_in)
    assert (finding.kind, finding.path) == (Kind.MISCOUNT, commit_name(number))


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda one: f"{one.table}-{one.to}-{one.columns[-1]}")
def test_what_must_refer_to_something_and_does_not_is_named(
    lived_in: Store, findings_of: FindingsOf, reference: Reference
) -> None:
    """A row about the known run that names a job, an attempt or a raw file which is not there."""
    values: dict[str, Any] = {"sources": [RUN], "files": [77]} if reference.table == "chosen" else {}
    if "entity" in reference.condition:
        values["entity"] = reference.condition.split("'")[1]
    for column in reference.columns:
        values.setdefault(column, RUN if column in ("run", "source", "file_source") else 77)
    if reference.to == "workflows":
        values |= dict.fromkeys(reference.columns, 77)
    if reference.run is not None:
        values[reference.run] = RUN
    if reference.table == "chosen":
        values = {name: value for name, value in values.items() if name in ("run", "sources", "files")}
    batch = Batch()
    batch.add("selections" if reference.table == "chosen" else reference.table, **values)
    lived_in.commit(CommitKind.METADATA, batch)
    found = {(one.path, one.expected): one.found for one in findings_of(lived_in) if one.kind is Kind.DANGLING}
    assert found[reference.table, reference.expected].startswith("1 without: ")
    assert {table for table, _ in found} == {reference.table}


def test_what_is_still_to_come_may_be_referred_to(
    lived_in: Store,
    findings_of: FindingsOf,
    plan: Callable[[Store, uuid.UUID], None],
    record_bytes: Callable[..., bytes],
    read_file: Callable[..., Any],
    made_file: Callable[..., Any],
) -> None:
    """A child's record may come before its parent's."""
    late = uuid.UUID(int=3)
    plan(lived_in, late)
    seen = read_file("mid.dat", b"mid", source=source_of(late), file=produced_file(1, 1, 0), url="file:///mid.dat")
    ingest(lived_in, [record_bytes(2, run=late, inputs=[seen], outputs=[made_file("end", b"end")])])
    assert findings_of(lived_in) == []

    ingest(lived_in, [record_bytes(1, run=late, outputs=[])])  # the file that was read is not among what it made
    assert {(one.kind, one.path) for one in findings_of(lived_in)} == {
        (Kind.DANGLING, table) for table in ("uses", "checks", "replicas")
    }


def test_attempts_of_runs_that_were_planned_elsewhere_are_no_damage(
    lived_in: Store, findings_of: FindingsOf, record_bytes: Callable[..., bytes], read_file: Callable[..., Any]
) -> None:
    elsewhere = uuid.UUID(int=4)
    seen = read_file("raw", b"raw", source=5, file=0, url="file:///raw")
    made = ingest(lived_in, [record_bytes(1, run=elsewhere, inputs=[seen])])
    assert made.commits
    assert findings_of(lived_in) == []


@pytest.mark.parametrize(("table", "key"), KEYS, ids=[table for table, _ in KEYS])
def test_two_rows_for_one_thing_are_named(
    lived_in: Store, findings_of: FindingsOf, table: str, key: tuple[str, ...]
) -> None:
    batch = Batch()
    if table == "queries":
        batch.add(table, name="q", version=1)
        batch.add(table, name="q", version=1)
    else:
        row = lived_in.rows(f"SELECT {', '.join(key)} FROM {table} ORDER BY ALL LIMIT 1", tables=[table])[0]
        batch.add(table, **dict(zip(key, row, strict=True)))
    lived_in.commit(CommitKind.METADATA, batch)
    doubled = [finding for finding in findings_of(lived_in) if finding.kind is Kind.DOUBLED]
    assert [(one.path, one.expected) for one in doubled] == [(table, f"one row for each {', '.join(key)}")]
    assert doubled[0].found.startswith("1 too many: ")
