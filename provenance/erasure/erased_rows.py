"""Which rows of which live segments an erasure takes, and what is left of these segments.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from provenance.answers.facts import ENTITY_NAMES
from provenance.errors import UnsupportedStoreError
from provenance.identity import FileId
from provenance.schema import BY_NAME, COMMIT_NUMBER
from provenance.segments.segment_files import merged, write
from query.vocabulary import Entity

if TYPE_CHECKING:
    from provenance.answers.facts import Thing
    from provenance.history.commits import Segment
    from provenance.history.snapshot import Snapshot
    from provenance.storage.interface import Storage

_TAILS = ("stdout_tail", "stderr_tail")
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "files": ("name",),
    "replicas": ("url",),
    "uses": ("name",),
    "checks": ("name", "url"),
    "metadata": ("written", "text_form"),
    "invocations": _TAILS,
}
"""Columns with text that somebody wrote, not words of ours."""
_RUNS: Mapping[str, str] = {"files": "source", "uses": "run", "metadata": "source", "invocations": "run"}
"""Columns that may name a run, whose folder may have the same."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of a table with one of these ids in two of its columns, and one of these values in others.

    ``cleared`` are the columns that lose their values; none: the rows go.
    """

    table: str
    columns: tuple[str, str]
    ids: frozenset[tuple[int, int]]
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    cleared: tuple[str, ...] = ()

    def hits(self, rows: pa.Table) -> list[int]:
        """The positions of the rows that are meant, in order."""
        first, second = (rows.column(name) for name in self.columns)
        mask = pc.is_in(first, value_set=pa.array(sorted({id_[0] for id_ in self.ids}), pa.int64()))
        for name, wanted in self.values.items():
            mask = pc.and_(mask, pc.is_in(rows.column(name), value_set=pa.array(sorted(wanted), pa.string())))
        if self.cleared:
            held = [pc.is_valid(rows.column(name)) for name in self.cleared]
            mask = pc.and_(mask, pc.or_(*held))
        positions = pc.indices_nonzero(mask)
        found = zip(first.take(positions).to_pylist(), second.take(positions).to_pylist(), strict=True)
        return [at for at, id_ in zip(positions.to_pylist(), found, strict=True) if id_ in self.ids]


@dataclass(frozen=True, slots=True)
class Change:
    """A live segment with erased rows: what is left of it (None: nothing), how many rows of which commits went, and how
    many lost a value. ``texts`` are those that went, ``runs`` those that the rows may be of.
    """

    old: Segment
    left: pa.Table | None
    rows: Mapping[int, int]
    cleared: int
    texts: frozenset[str]
    runs: frozenset[int]

    def write(self, storage: Storage, name: str) -> Segment | None:
        """What is left as a segment of this name; None: nothing is. Raises WriteFailedError."""
        if self.left is None:
            return None
        return replace(write(storage, BY_NAME[self.old.table], self.left, name), origin=self.old.origin)


def rules_for_keys(things: Iterable[Thing], keys: Collection[str]) -> Iterator[Rule]:
    """The values of some keys of metadata."""
    listed = list(things)
    for entity, name in ENTITY_NAMES.items():
        ids = frozenset((thing.source, thing.number) for thing in listed if thing.entity is entity)
        if ids:
            values = {"entity": frozenset({name}), "key": frozenset(keys)}
            yield Rule("metadata", ("source", "number"), ids, values)


def rule_for_output(jobs: Iterable[Thing]) -> Rule:
    """The ends of the output of jobs."""
    ids = frozenset((job.source, job.number) for job in jobs)
    return Rule("invocations", ("run", "job"), ids, cleared=_TAILS)


def rules_for_files(ids: frozenset[FileId]) -> Iterator[Rule]:
    """All that names a file."""
    for table in ("files", "file_digests", "uses", "replicas"):
        yield Rule(table, ("source", "file"), ids)
    yield Rule("checks", ("file_source", "file"), ids)
    yield Rule("metadata", ("source", "number"), ids, {"entity": frozenset({ENTITY_NAMES[Entity.FILES]})})


def changes_by(
    storage: Storage, snapshot: Snapshot, rules: Sequence[Rule], known: dict[str, Change | None]
) -> list[Change]:
    """What becomes of the live segments that hold erased rows; ``known`` is what was found of some, and is added to.

    Raises DamagedStoreError for a segment that is not as recorded: its rows must not get a new digest. ReadFailedError.
    """
    found: list[Change] = []
    for table in sorted({rule.table for rule in rules}):
        concerned = [rule for rule in rules if rule.table == table]
        paths: dict[str, Segment] = {}
        for rule in concerned:
            holding = snapshot.holding(table, rule.columns[0], [id_[0] for id_ in rule.ids])
            paths.update({segment.path: segment for segment in holding.segments(table)})
        for path, segment in paths.items():
            if path not in known:
                known[path] = _change(storage, segment, concerned)
            if (change := known[path]) is not None:
                found.append(change)
    return found


def _change(storage: Storage, segment: Segment, rules: Sequence[Rule]) -> Change | None:
    """None: it holds nothing that goes."""
    _require_known(storage, segment)
    rows = merged(storage, BY_NAME[segment.table], [segment])
    texts: set[str] = set()
    runs: set[int] = set()
    went: set[int] = set()
    cleared = 0
    for rule in rules:
        hits = rule.hits(rows)
        for name in _TEXTS.get(segment.table, ()):
            texts.update(text for text in _values(rows, name, hits) if text)
        if segment.table in _RUNS:
            runs.update(_values(rows, _RUNS[segment.table], hits))
        if rule.cleared:
            cleared += len(hits)
            rows = _cleared(rows, rule.cleared, hits)
        else:
            went.update(hits)
    if not (went or cleared):
        return None
    numbers = Counter(_values(rows, COMMIT_NUMBER.name, sorted(went)))
    left = rows.filter(pc.invert(_at(rows, went))) if went else rows
    return Change(segment, left if left.num_rows else None, numbers, cleared, frozenset(texts), frozenset(runs))


def _require_known(storage: Storage, segment: Segment) -> None:
    """Columns that this version does not know would go with the erased rows."""
    strange = segment.columns.keys() - {column.name for column in BY_NAME[segment.table].columns}
    if strange:
        raise UnsupportedStoreError(
            f"{storage.where(segment.path)}: a column {min(strange)!r} of {segment.table}, which this version does not "
            f"know and would lose",
            hint="install a newer pirene",
        )


def _values(rows: pa.Table, column: str, positions: Sequence[int]) -> list[Any]:
    values: list[Any] = rows.column(column).take(pa.array(positions, pa.int64())).to_pylist()
    return values


def _at(rows: pa.Table, positions: Collection[int]) -> pa.Array:
    """True at these positions."""
    return pc.is_in(pa.array(range(rows.num_rows), pa.int64()), value_set=pa.array(sorted(positions), pa.int64()))


def _cleared(rows: pa.Table, columns: Sequence[str], positions: Collection[int]) -> pa.Table:
    mask = _at(rows, positions)
    for name in columns:
        place = rows.schema.get_field_index(name)
        kind = rows.schema.field(place)
        rows = rows.set_column(place, kind, pc.if_else(mask, pa.scalar(None, kind.type), rows.column(place)))
    return rows
