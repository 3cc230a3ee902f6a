"""The catalog of a store says what the commits say, after any of them."""

from __future__ import annotations

from provenance.history.commits import CommitKind
from provenance.store import Store
from tests.provenance.conformance.conftest import facts
from tests.provenance.conformance.projections import Projection

LIVE = """
SELECT t.table_name, f.path, f.record_count FROM ducklake_data_file f JOIN ducklake_table t ON t.table_id = f.table_id
WHERE f.begin_snapshot <= {0} AND (f.end_snapshot IS NULL OR f.end_snapshot > {0})
"""


def said(store: Store, projection: Projection, number: int) -> list[tuple[str, str, int]]:
    return sorted((table, path, int(rows)) for table, path, rows in projection.rows(store, LIVE.format(number)))


def test_it_lists_the_live_segments_of_every_commit(store: Store, projection: Projection) -> None:
    history: dict[int, list[tuple[str, str, int]]] = {0: []}

    def note() -> None:
        snapshot = store.snapshot()
        live = (segment for table in snapshot.tables() for segment in snapshot.segments(table))
        history[snapshot.number] = sorted((each.table, each.path.rsplit("/", 1)[1], each.rows) for each in live)

    projection.bring_up(store)
    for number in range(1, 4):
        store.commit(CommitKind.INGEST, facts(number, range(number)))
        note()
    projection.bring_up(store)
    store.compact()
    note()
    projection.bring_up(store)
    projection.bring_up(store)

    assert {number: said(store, projection, number) for number in history} == history
    ((data_path,),) = projection.rows(store, "SELECT value FROM ducklake_metadata WHERE key = 'data_path'")
    beside = store.storage.location == str(store.root)
    assert data_path in {store.storage.where("segments/"), "segments/" if beside else None}
    assert projection.rows(store, "SELECT max(snapshot_id), count(*) FROM ducklake_snapshot") == [(4, 5)]
