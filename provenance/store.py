"""The store: where commits are made and read. The library's way in; commands and other rooms go through it.

Reading needs DuckDB only, writing pyarrow too, the DuckLake projection SQLAlchemy too: each is imported when it is
first needed, because a query must start quickly.
"""

from __future__ import annotations

import datetime as dt
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from provenance import location
from provenance.errors import NOT_THERE, DamagedStoreError, NotAStoreError, lost
from provenance.history import checkpoints
from provenance.history.commits import FOLDER, Commit, CommitKind, number_of, read
from provenance.history.snapshot import Snapshot
from provenance.segments.batch import Batch
from provenance.segments.database import Connection, Database
from provenance.segments.relations import relation
from provenance.storage.interface import Storage

if TYPE_CHECKING:
    from provenance.answers.ask import Answer
    from provenance.log.chain import Chain
    from query.builder import Query

Rebase = Callable[[Snapshot, Batch], Batch]


class Store:
    """One store. Safe to share between threads; any number of processes may read and write the same store.

    ``storage`` is where its shared files are, all of them; ``root`` a folder of this machine for what is not shared,
    or can be made anew (absolute); ``store_id`` its UUID as text, ``created`` when it was made.
    """

    def __init__(self, storage: Storage, identity: location.StoreIdentity) -> None:
        self.storage = storage
        self.root = storage.workplace(identity.store)
        self.store_id = identity.store
        self.created = identity.created
        self._seen = Snapshot()
        self._chain: Chain | None = None
        self._database: Database | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, place: str | Path | None = None) -> Store:
        """The store at ``place``, else at PIRENE_STORE, else the nearest ``.pirene`` upward, else ``./.pirene``.

        Made if it is not there. Raises NotAStoreError, UnsupportedStoreError (a newer format, an unknown kind of URL),
        ReadFailedError or DamagedStoreError.
        """
        storage = location.find(place)
        return cls(storage, location.establish(storage))

    @classmethod
    def open_existing(cls, place: str | Path | None = None) -> Store:
        """As `open`, and none is made: there is nothing to ask of a new one. NotAStoreError: there is none."""
        storage = location.find(place)
        return cls(storage, location.required(storage))

    @classmethod
    def existing(cls, place: str | Path) -> Store:
        """The store at ``place``, or in the ``.pirene`` there. NotAStoreError: there is none; else as `open`."""
        is_url = "://" in str(place)
        for candidate in (place,) if is_url else (Path(place), Path(place, location.FOLDER)):
            storage = location.find(candidate)
            identity = location.identify(storage)
            if identity is not None:
                return cls(storage, identity)
        raise NotAStoreError(f"{place}: there is no store", hint="`pirene --store FOLDER pull STORE` makes one")

    # Commits

    def snapshot(self) -> Snapshot:
        """The store as of the newest commit. Only commits that this object has not seen are read; the first time those
        since the newest checkpoint.

        Raises DamagedStoreError if a commit is missing or is none, ReadFailedError if one cannot be read,
        UnsupportedStoreError if it is of a newer format.
        """
        with self._lock:
            if self._seen.number == 0:
                summed_up = checkpoints.newest(self.storage, self.store_id)
                self._seen = summed_up.after(self._listed(after=summed_up.number))
            self._seen = self._seen.after(self.commits(after=self._seen.number))
            return self._seen

    @property
    def seen(self) -> Snapshot:
        """The newest snapshot that this object has handed out; nobody is asked for later commits."""
        return self._seen

    def follow(self, made: Commit) -> None:
        """Know a commit that was published just now through this object, without reading it back: nothing that fails
        from here on may make it look as if it were not there.
        """
        with self._lock:
            if made.number == self._seen.number + 1:
                self._seen = self._seen.after([made])
        self.chain.follow(made)

    @property
    def chain(self) -> Chain:
        """What the next commit says of those before it."""
        with self._lock:
            if self._chain is None:
                from provenance.log.chain import Chain  # late: a reader has no use for it

                self._chain = Chain(self.storage)
            return self._chain

    def reread(self) -> None:
        """Forget the commits that this object has seen: an erasure took something out of them."""
        with self._lock:
            self._seen = Snapshot()

    def commits(self, after: int = 0) -> Iterator[Commit]:
        """The commits with numbers above ``after``, in order, as they are when the iterator gets there."""
        number = after + 1
        while (commit := read(self.storage, number)) is not None:
            if commit.store != self.store_id:
                raise DamagedStoreError(f"commit {number} belongs to store {commit.store}, this is {self.store_id}")
            yield commit
            number += 1

    def all_commits(self) -> Iterator[Commit]:
        """All commits that there are, in order. Raises DamagedStoreError if one of them is missing among the others."""
        return self._listed(after=0)

    def number_at(self, time: dt.datetime) -> int:
        """The newest commit that was made at or before ``time`` (0: none was)."""
        return bisect_right(range(1, self.snapshot().number + 1), time, key=lambda number: self._commit(number).time)

    def commit(
        self,
        kind: CommitKind,
        batch: Batch,
        *,
        author: str | None = None,
        rebase: Rebase | None = None,
        base: Snapshot | None = None,
    ) -> Commit | None:
        """Make the rows of ``batch`` visible, all of them or none. None: there was nothing to commit.

        ``base`` is the snapshot that the batch was made from. Whenever others have committed since, ``rebase`` is
        called with what the store holds now and the batch, and gives the batch without what is there already; without
        ``base`` nobody knows what came since (ValueError).

        When this returns, the commit survives a power cut. Raises WriteFailedError (nothing is acknowledged: commit
        again), DamagedStoreError, or what ``rebase`` raises.
        """
        from provenance.publishing.publication import commit_batch

        if rebase is not None and base is None:
            raise ValueError("a batch that can be rebased needs the snapshot that it was made from")
        made = commit_batch(self, kind, batch, author=author, rebase=rebase, base=base)
        if made is not None:
            self.care(made)
        return made

    def care(self, made: Commit) -> None:
        """Let one writer in a while merge small segments that pile up, and sum up the commits. This one is made:
        nothing takes it back.
        """
        from provenance.upkeep import care

        care(self, made)

    def compact(self, *, run: int | None = None) -> Commit | None:
        """Merge small segments: all, or those written since ``run`` was planned, with those of earlier runs as soon as
        there are many of these. None: there was nothing to merge. Wide tables that are behind are made anew, after a
        run those that are far behind.

        No answer changes, as-of answers included, and no reader is disturbed. Errors as of `commit`.
        """
        from provenance.upkeep import compact

        return compact(self, run)

    def tidy(self, *, run: int | None = None) -> None:
        """`compact` after work that is done and must not fail for it: what keeps it from being done is logged."""
        from provenance.upkeep import tidy

        tidy(self, run)

    def promote(self, *, eager: bool = False) -> None:
        """Make wide tables of what has become big, anew where they are far behind (``eager``: behind at all).

        They are derived: what keeps them from being made is logged as a warning and is never an error.
        """
        from provenance.upkeep import promote

        promote(self, eager=eager)

    def sum_up(self) -> None:
        """Write a checkpoint of what the store holds now, so that it opens quickly, and bring the log up to date. They
        are derived: what keeps them from being written is logged as a warning and is never an error.
        """
        from provenance.upkeep import sum_up

        sum_up(self)

    def project(self) -> None:
        """Bring the log and the DuckLake catalog ``lake.sqlite`` up to date. They are derived: what keeps them from
        being written is logged as a warning and is never an error.
        """
        from provenance.upkeep import project

        project(self)

    # Reading

    def relation(self, table: str, snapshot: Snapshot | None = None) -> str:
        """FROM text for the rows of a table: ``read_parquet`` of its segments, or an empty select with its columns."""
        return relation(self.storage, table, self.snapshot() if snapshot is None else snapshot)

    def connect(self) -> Connection:
        """A DuckDB connection of the caller's own, in memory, in UTC, that fetches nothing from anywhere.

        Connections of one store share caches; views and temporary tables are each one's own. Close it when done.
        """
        with self._lock:
            if self._database is None:
                self._database = Database()
            return self._database.cursor(self._seen.rows())

    def rows(
        self, sql: str, parameters: Sequence[object] = (), *, tables: Sequence[str], snapshot: Snapshot | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of a query that sees the tables of the store that are listed in ``tables``, under their names.

        Raises DamagedStoreError if a segment is missing or damaged, ReadFailedError if one cannot be read.
        """
        from provenance.segments.damage import damage_named

        shown = self.snapshot() if snapshot is None else snapshot
        with self.connect() as connection, damage_named(self.storage, shown):
            self.define(connection, tables, shown)
            return connection.execute(sql, parameters).fetchall()

    def define(self, connection: Connection, tables: Sequence[str], snapshot: Snapshot | None = None) -> None:
        """Make tables of the store visible on a connection, under their names, as temporary views."""
        shown = self.snapshot() if snapshot is None else snapshot
        for table in tables:
            connection.execute(f'CREATE OR REPLACE TEMP VIEW "{table}" AS SELECT * FROM {self.relation(table, shown)}')

    def query(
        self,
        text: str | Query,
        parameters: Mapping[str, object] | None = None,
        *,
        now: dt.datetime | None = None,
        as_of: int | None = None,
        unknown_keys: Literal["error", "no match"] = "error",
        readable_only: bool = False,
    ) -> Answer:
        """The answer to a query, as a text or made with `query.builder` (see `provenance.answers.ask.answer`)."""
        from provenance.answers.ask import answer

        return answer(
            self,
            text if isinstance(text, str) else text.text,
            parameters,
            now=now,
            as_of=as_of,
            unknown_keys=unknown_keys,
            readable_only=readable_only,
        )

    # Inner workings

    def _listed(self, after: int) -> Iterator[Commit]:
        """The commits above ``after`` that are listed. One that is missing among all is damage, not the end."""
        try:
            numbers = {number_of(name) for name in self.storage.names(FOLDER)} - {None}
        except NOT_THERE as error:
            raise lost(self.storage.where(FOLDER), error) from error
        newest = max((number for number in numbers if number is not None), default=0)
        missing = next((number for number in range(1, newest + 1) if number not in numbers), None)
        last = newest if missing is None else missing - 1
        yield from self.storage.together(self._commit, range(after + 1, last + 1))
        if missing is not None:
            raise self._missing(missing)

    def _commit(self, number: int) -> Commit:
        for commit in self.commits(after=number - 1):
            return commit
        raise self._missing(number)

    def _missing(self, number: int) -> DamagedStoreError:
        return DamagedStoreError(
            f"{self.storage.location}: commit {number} is missing, later ones are there",
            hint="restore it from a backup of the store",
        )
