"""What an erasure does not touch and that may hold the same: named, so that somebody can see to it.

Within the store: the same text where it is no fact of a file or a value of metadata, records on their way in, and files
of writers that are at work or were killed. Outside of it: copies of erased files, folders of the runs that they were
used in, stores that the rows were pulled from.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provenance.copies.replicas import LIVE_STATES, by_file
from provenance.erasure.erased_texts import SHORTEST_TEXT, forms, spooled_with
from provenance.identity import FileId
from provenance.orphans import orphans

if TYPE_CHECKING:
    from provenance.erasure.erased_rows import Change
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "workflows": ("name", "user_name", "host", "submit_dir", "output_dir"),
    "workflow_states": ("reason",),
    "jobs": (
        "id",
        "namespace",
        "name",
        "version",
        "arguments",
        "environment",
        "site",
        "executable",
        "reason",
        "changed",
    ),
    "job_states": ("reason",),
    "invocations": ("host", "user_name", "failure", "command", "work_dir"),
    "selections": ("name", "query", "tree", "parameters"),
    "queries": ("name", "query", "tree", "user_name"),
}
"""Columns with text that somebody wrote and that no erasure takes."""
_LONGEST_TEXT = 256
"""Longer ones, the ends of what jobs printed, stand nowhere else as a whole."""
MOST_TEXTS = 5000
"""Texts that are looked for at all: each takes a look at every row."""
_AT_ONCE = 200
"""Texts looked for at a time: a pattern of many takes memory, and DuckDB limits it."""
_FOLDERS = """
SELECT submit_dir FROM workflows
WHERE kind = 'workflow' AND submit_dir IS NOT NULL AND run IN (SELECT unnest($1::BIGINT[])) ORDER BY submit_dir
"""


@dataclass(frozen=True, slots=True)
class Beyond:
    """``elsewhere`` counts rows that hold an erased text in a column, TABLE.COLUMN, that no erasure takes; ``spooled``
    are paths of records on their way in that do. ``unsearched`` counts the texts that were not looked for: too short,
    or too many. ``unfinished`` files of the store are named by no commit: of writers at work, or killed less than a day
    ago. ``run_folders`` are those of the runs that the rows are of, ``copies`` URLs of erased files, ``stores`` ids of
    those that rows were pulled from.
    """

    elsewhere: Mapping[str, int] = field(default_factory=dict)
    spooled: tuple[str, ...] = ()
    unsearched: int = 0
    unfinished: tuple[str, ...] = ()
    run_folders: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "elsewhere": dict(self.elsewhere),
            "spooled": list(self.spooled),
            "unsearched": self.unsearched,
            "unfinished": list(self.unfinished),
            "run_folders": list(self.run_folders),
            "copies": list(self.copies),
            "stores": list(self.stores),
        }


@dataclass(frozen=True, slots=True)
class Traces:
    """What has to be known of erased rows, while they are there, to look for the same elsewhere: their ``texts``, the
    ``runs`` that they are of, URLs of ``copies``, ids of the ``stores`` that they were pulled from.
    """

    texts: frozenset[str] = frozenset()
    runs: tuple[int, ...] = ()
    copies: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()


def traces(store: Store, snapshot: Snapshot, changes: Iterable[Change], files: Collection[FileId]) -> Traces:
    """Those of what goes by ``changes`` of that snapshot."""
    listed = list(changes)
    copies = by_file(store, files, states=LIVE_STATES | {"retired"}, snapshot=snapshot)
    return Traces(
        texts=frozenset(text for change in listed for text in change.texts),
        runs=tuple(sorted(frozenset().union(*(change.runs for change in listed)))),
        copies=tuple(sorted({copy.url for copies_of in copies.values() for copy in copies_of})),
        stores=tuple(sorted({change.old.origin for change in listed if change.old.origin})),
    )


def beyond(store: Store, left: Traces) -> Beyond:
    """Where the store as it is now, or what is around it, may hold the same. It takes a look at every row that has
    text, and nobody has to wait for that: no erasure takes what is looked at.
    """
    snapshot = store.snapshot()
    folders = store.rows(_FOLDERS, [left.runs], tables=["workflows"], snapshot=snapshot) if left.runs else ()
    looked_for = sorted(text for text in left.texts if len(text) >= SHORTEST_TEXT)[:MOST_TEXTS]
    return Beyond(
        elsewhere=_elsewhere(store, snapshot, [text for text in looked_for if len(text) <= _LONGEST_TEXT]),
        spooled=spooled_with(store, looked_for),
        unsearched=len(left.texts) - len(looked_for),
        unfinished=unfinished(store),
        run_folders=tuple(str(folder) for (folder,) in folders),
        copies=left.copies,
        stores=left.stores,
    )


def _elsewhere(store: Store, snapshot: Snapshot, texts: Collection[str]) -> dict[str, int]:
    """How many rows hold one of these texts, by column. A row that holds some of different batches counts for each."""
    found: Counter[str] = Counter()
    every = iter(sorted(form for text in texts for form in forms(text)))
    while batch := list(itertools.islice(every, _AT_ONCE)):
        pattern = "|".join(map(re.escape, batch))
        for table, columns in _ELSEWHERE.items():
            counts = ", ".join(
                f'count(*) FILTER (regexp_matches(CAST("{column}" AS VARCHAR), $1))' for column in columns
            )
            (row,) = store.rows(f"SELECT {counts} FROM {table}", [pattern], tables=[table], snapshot=snapshot)
            found.update({f"{table}.{column}": count for column, count in zip(columns, row, strict=True) if count})
    return dict(sorted(found.items()))


def unfinished(store: Store) -> tuple[str, ...]:
    """The names of files that no commit stands for."""
    return tuple(orphan.name for orphan in orphans(store))
