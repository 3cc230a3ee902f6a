"""What further commits add to a DuckLake catalog: gathered in memory, then written, on any database.

A catalog says nothing that the commits do not say. Every table is there from snapshot 0, and a column from the first
commit on that has a segment with it; if that is the first one with rows of the table, the column was always there. So
when a newer version of Pirene gives a table another column, older snapshots go on without it.

An erasure takes bytes away that older snapshots are made of: they go, as DuckLake has it for snapshots that expired.
What the store itself still answers as of then is in the rows that are left.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update

from provenance.ducklake import lake_rows, lake_tables
from provenance.ducklake.lake_rows import TABLE_IDS, Row
from provenance.history.commits import Commit, CommitKind, Segment
from provenance.history.snapshot import Snapshot
from provenance.schema import BY_NAME, TABLES

_AT_A_TIME = 10_000
"""Rows of statistics that are held in memory: a store of years has millions."""
_OF_SNAPSHOTS = (lake_tables.SNAPSHOT, lake_tables.SNAPSHOT_CHANGES)
_TABLE_NAMES = {table_id: name for name, table_id in TABLE_IDS.items()}


class CannotExtendError(Exception):
    """What is there is not a catalog of ours that later commits can be added to."""


class Growth:
    """Additions to the catalog on a connection: `add` commits in order, then `finish`. Nothing is valid before that.

    Making one raises CannotExtendError.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        snapshot = lake_tables.SNAPSHOT.c
        newest = select(snapshot.schema_version, snapshot.next_file_id).order_by(snapshot.snapshot_id.desc()).limit(1)
        self._schema_version, self._next_file = connection.execute(newest).one()
        stats = lake_tables.TABLE_STATS.c
        self._next_rows = dict.fromkeys(TABLE_IDS, 0)
        for table_id, next_row in connection.execute(select(stats.table_id, stats.next_row_id)):
            self._next_rows[_table_name(table_id)] = next_row
        self._columns = self._written_columns()
        self._columns_before = {name: dict(begins) for name, begins in self._columns.items()}
        self._live = self._live_files()
        self._gathered: dict[Table, list[Row]] = {}
        self._files: dict[int, Row] = {}
        self._ended: list[Row] = []

    def add(self, commit: Commit) -> None:
        """One more commit."""
        for path in commit.replaces:
            self._end(path, commit.number)
        if commit.kind is CommitKind.ERASE:
            self._expire(commit.number)
        # A newer version may have written tables that this one does not know.
        segments = [segment for segment in commit.segments if segment.table in BY_NAME]
        altered = self._bring_columns(segments, commit.number)
        for segment in segments:
            self._begin(segment, commit)
        self._schema_version += bool(altered)
        self._gather(
            lake_tables.SCHEMA_VERSIONS,
            (lake_rows.version_row(self._schema_version, commit.number, a) for a in altered),
        )
        row = lake_rows.snapshot_row(commit.number, commit.time, self._schema_version, self._next_file)
        self._gather(lake_tables.SNAPSHOT, [row])
        self._gather(lake_tables.SNAPSHOT_CHANGES, [lake_rows.change_row(commit, altered)])

    def finish(self, snapshot: Snapshot) -> None:
        """Write what was added, and the statistics of the tables as of ``snapshot``: the last commit added."""
        for table in (lake_tables.TABLE_STATS, lake_tables.TABLE_COLUMN_STATS):
            self._connection.execute(delete(table))
        self._rewrite_columns()
        self._gather(lake_tables.DATA_FILE, self._files.values())
        self._gather(lake_tables.TABLE_STATS, lake_rows.table_statistics(snapshot, self._next_rows))
        self._gather(lake_tables.TABLE_COLUMN_STATS, lake_rows.table_column_statistics(snapshot, self._columns))
        for table in list(self._gathered):
            self._flush(table)
        if self._ended:
            files = lake_tables.DATA_FILE
            ended = update(files).where(files.c.data_file_id == bindparam("file")).values(end_snapshot=bindparam("end"))
            self._connection.execute(ended, self._ended)

    def _rewrite_columns(self) -> None:
        """Columns of tables that never had a row may have been written otherwise than their first segment has them."""
        if self._columns == self._columns_before and self._connection.scalar(
            select(func.count(lake_tables.COLUMN.c[0]))
        ):
            return
        self._connection.execute(delete(lake_tables.COLUMN))
        for table in TABLES:
            begins = self._columns.get(table.name) or dict.fromkeys((column.name for column in table.columns), 0)
            self._gather(lake_tables.COLUMN, lake_rows.column_rows(table, begins))

    def _bring_columns(self, segments: Iterable[Segment], number: int) -> list[int]:
        """Note the columns that a commit is the first to have; the ids of the tables that had others before."""
        brought: dict[str, set[str]] = {}
        for segment in segments:
            brought.setdefault(segment.table, set()).update(segment.columns)
        altered = []
        for name, columns in brought.items():
            there = [column.name for column in BY_NAME[name].columns if column.name in columns]
            known = self._columns.get(name)
            if known is None:
                self._columns[name] = dict.fromkeys(there, 0)
            elif added := [column for column in there if column not in known]:
                known.update(dict.fromkeys(added, number))
                altered.append(TABLE_IDS[name])
        return altered

    def _begin(self, segment: Segment, commit: Commit) -> None:
        file_id, row_id = self._next_file, self._next_rows[segment.table]
        self._files[file_id] = lake_rows.data_file_row(segment, commit, file_id, row_id)
        self._live[segment.path] = file_id
        self._next_file += 1
        self._next_rows[segment.table] += segment.rows
        statistics = lake_rows.file_statistics(segment, BY_NAME[segment.table], file_id)
        self._gather(lake_tables.FILE_COLUMN_STATS, statistics)
        if len(self._gathered[lake_tables.FILE_COLUMN_STATS]) >= _AT_A_TIME:
            self._flush(lake_tables.FILE_COLUMN_STATS)

    def _end(self, path: str, number: int) -> None:
        """The file at ``path`` is not read from snapshot ``number`` on."""
        file_id = self._live.pop(path, None)
        if file_id in self._files:
            self._files[file_id]["end_snapshot"] = number
        elif file_id is not None:
            self._ended.append({"file": file_id, "end": number})

    def _expire(self, number: int) -> None:
        """Forget the snapshots before ``number``, and the files that only they read."""
        files, statistics = lake_tables.DATA_FILE, lake_tables.FILE_COLUMN_STATS
        for table in (*_OF_SNAPSHOTS, statistics):
            self._flush(table)
        for table in _OF_SNAPSHOTS:
            self._connection.execute(delete(table).where(table.c.snapshot_id < number))
        written = select(files.c.data_file_id).where(files.c.end_snapshot.is_not(None))
        gone = set(self._connection.scalars(written)) | {row["file"] for row in self._ended}
        self._ended.clear()
        gone |= {file_id for file_id, row in self._files.items() if row["end_snapshot"] is not None}
        self._files = {file_id: row for file_id, row in self._files.items() if file_id not in gone}
        if gone:
            for table in (files, statistics):
                forget = delete(table).where(table.c.data_file_id == bindparam("file"))
                self._connection.execute(forget, [{"file": file_id} for file_id in sorted(gone)])

    def _gather(self, table: Table, rows: Iterable[Row]) -> None:
        self._gathered.setdefault(table, []).extend(rows)

    def _flush(self, table: Table) -> None:
        rows = self._gathered.pop(table, None)
        if rows:
            self._connection.execute(insert(table), rows)

    def _written_columns(self) -> dict[str, dict[str, int]]:
        """Of every table that has ever had a file, its columns and the snapshots that they begin with."""
        columns, stats = lake_tables.COLUMN.c, lake_tables.TABLE_STATS.c
        described = select(columns.table_id, columns.column_name, columns.begin_snapshot).where(
            columns.parent_column.is_(None), columns.table_id.in_(select(stats.table_id))
        )
        found: dict[str, dict[str, int]] = {}
        for table_id, name, begin in self._connection.execute(described):
            found.setdefault(_table_name(table_id), {})[name] = begin
        return found

    def _live_files(self) -> dict[str, int]:
        """The files that the newest snapshot reads, by their paths in the store."""
        files = lake_tables.DATA_FILE.c
        live = select(files.table_id, files.path, files.data_file_id).where(files.end_snapshot.is_(None))
        return {
            f"segments/{_table_name(table_id)}/{name}": file_id
            for table_id, name, file_id in self._connection.execute(live)
        }


def _table_name(table_id: int) -> str:
    if table_id not in _TABLE_NAMES:
        raise CannotExtendError
    return _TABLE_NAMES[table_id]


def newest_snapshot(connection: Connection) -> int | None:
    """The number of the newest snapshot; None if there is none, or if the tables disagree about it."""
    changes = connection.scalar(select(func.max(lake_tables.SNAPSHOT_CHANGES.c.snapshot_id)))
    snapshot = connection.scalar(select(func.max(lake_tables.SNAPSHOT.c.snapshot_id)))
    return changes if changes == snapshot else None
