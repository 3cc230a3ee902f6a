"""What the commit of an erasure says: why, how many rows of which commits, which files of the store went.

It says nothing of what was erased but ids, which are hashes and ordinals. Whoever counts rows, or looks for what rows
refer to, asks here what they need not find; whoever looks for segments, which of them are not there on purpose.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenance.checked_json import INT64_MAX, JsonObject
from provenance.identity import FileId

if TYPE_CHECKING:
    from provenance.history.commits import Commit

SEGMENT_PATH = re.compile(r"segments/([a-z_]+)/[0-9a-z-]+\.parquet")
RowsOf = tuple[str, str, int]
"""A store (its id), a table, and a commit of that store: what brought rows."""
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure. ``rows`` counts those that went; ``cleared`` rows of `invocations` lost the ends of their output;
    ``gone`` are the paths of segments that held any of it, superseded ones included; ``files`` were erased as a whole.
    """

    reason: str
    rows: Mapping[RowsOf, int]
    cleared: int
    gone: tuple[str, ...]
    files: tuple[FileId, ...]


def erased_document(erased: Erased) -> dict[str, Any]:
    """What the document of a commit says of it."""
    return {
        "reason": erased.reason,
        "rows": [[*key, count] for key, count in sorted(erased.rows.items())],
        "cleared": erased.cleared,
        "gone": list(erased.gone),
        "files": [list(file) for file in erased.files],
    }


def erased_from(document: JsonObject) -> Erased:
    """The reverse of `erased_document`. Raises MalformedError for what is none: such documents also come from other
    people's stores.
    """
    gone = document.texts("gone")
    if not all(map(SEGMENT_PATH.fullmatch, gone)):  # these are removed
        raise document.fail("gone", "a list of segments/TABLE/NAME.parquet")
    rows: dict[RowsOf, int] = {}
    for store, table, number, count in _entries(document, "rows", (str, str, int, int)):
        if not (0 < number <= INT64_MAX and 0 < count <= INT64_MAX):
            raise document.fail("rows", "numbers of commits and rows from 1")
        rows[store, table, number] = count
    files = tuple((source, file) for source, file in _entries(document, "files", (int, int)))
    if not all(each in _INT64 for file in files for each in file):
        raise document.fail("files", "integers of 64 bits")
    return Erased(document.any_text("reason"), rows, document.integer("cleared", 0), gone, files)


def _entries(document: JsonObject, key: str, kinds: tuple[type, ...]) -> list[list[Any]]:
    """A list of lists, with values of these types."""
    entries: list[list[Any]] = document.list_of(key, list, "lists")
    for entry in entries:
        if tuple(map(type, entry)) != kinds:
            raise document.fail(key, f"a list of lists of {', '.join(kind.__name__ for kind in kinds)}")
    return entries


def gone_from(commits: Iterable[Commit]) -> frozenset[str]:
    """The paths of segments of the store with these commits that were taken away on purpose."""
    return frozenset(path for commit in commits if commit.erased for path in commit.erased.gone)


def files_erased(commits: Iterable[Commit]) -> frozenset[FileId]:
    """The files that these commits say were erased as a whole."""
    return frozenset(file for commit in commits if commit.erased for file in commit.erased.files)


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """How many rows erasures took, of the rows that are, or would be, in the store ``holder``: ``here`` by erasures in
    it, ``anywhere`` by all that it knows of.
    """

    holder: str
    here: Mapping[RowsOf, int]
    anywhere: Mapping[RowsOf, int]

    @classmethod
    def of(cls, holder: str, commits: Iterable[Commit]) -> ErasedRows:
        """From the commits of all stores that the holder has, its own and pulled ones."""
        here: Counter[RowsOf] = Counter()
        anywhere: Counter[RowsOf] = Counter()
        for commit in commits:
            if commit.erased is not None:
                anywhere.update(commit.erased.rows)
                if commit.store == holder:
                    here.update(commit.erased.rows)
        return cls(holder, here, anywhere)

    def left(self, maker: str, table: str, number: int, brought: int) -> range:
        """How many of the rows may be there that commit ``number`` of the store ``maker`` brought to a table: one
        number where nobody erased any of them.

        The maker has all but those that it erased. Of rows that were pulled, those that another store erased may or may
        not have gone before they came.
        """
        key = (maker, table, number)
        most = brought - self.here.get(key, 0)
        least = most if maker == self.holder else brought - self.anywhere.get(key, 0)
        return range(max(least, 0), most + 1)
