"""Files that were found, by several names perhaps: each of them once, by its place, with all that was said of it.

Millions may be found; in memory are their URLs as columns, and whole only those that were found more than once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from provenance.registration.found_files import FoundFile
from provenance.registration.packed import Packed
from provenance.registration.table_rows import MetadataTableError

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK = 1 << 14


def once(found: Iterable[FoundFile]) -> Packed[FoundFile]:
    """The files in the order in which they were found first, under the first of their names. What is said later of a
    key counts; whose checksums were declared is not read, however else it was named.

    Raises MetadataTableError for a file that a table names twice, with other values.
    """
    files: Packed[FoundFile] = Packed()
    urls = _Urls()
    for each in found:
        files.append(each)
        urls.append(each.url)
    repeated = urls.repeated()
    return _merged(files, repeated) if repeated else files


def _merged(files: Packed[FoundFile], repeated: frozenset[str]) -> Packed[FoundFile]:
    known: dict[str, FoundFile] = {}
    rows: dict[str, FoundFile] = {}
    for each in files:
        if each.url not in repeated:
            continue
        if each.where is not None:
            _require_alike(rows.setdefault(each.url, each), each)
        first = known.get(each.url)
        if first is None:
            known[each.url] = each
        else:
            metadata = {**first.metadata, **each.metadata}
            known[each.url] = replace(first, metadata=metadata, declared=each.declared or first.declared)
    # Of those that were found again only the first is left, which takes its place with all that was said.
    there = (known.pop(each.url, None) if each.url in repeated else each for each in files)
    return Packed(each for each in there if each is not None)


def _require_alike(first: FoundFile, again: FoundFile) -> None:
    if (first.metadata, first.declared) != (again.metadata, again.declared):
        other = (first.where or "").rpartition(":")[2].strip()
        raise MetadataTableError(
            f"{again.where}: {again.path or again.url} is named a second time and with other values (first: {other})"
        )


class _Urls:
    """Texts of which one wants to know which there are more than once."""

    def __init__(self) -> None:
        self._columns: list[pa.Array] = []
        self._newest: list[str] = []

    def append(self, url: str) -> None:
        if len(self._newest) == _BLOCK:
            import pyarrow as pa

            self._columns.append(pa.array(self._newest, pa.large_string()))
            self._newest = []
        self._newest.append(url)

    def repeated(self) -> frozenset[str]:
        if not self._columns:
            counts = Counter(self._newest) if len(set(self._newest)) < len(self._newest) else {}
            return frozenset(url for url, count in counts.items() if count > 1)
        import pyarrow as pa
        import pyarrow.compute as pc

        everything = pa.chunked_array([*self._columns, pa.array(self._newest, pa.large_string())])
        if pc.count_distinct(everything).as_py() == len(everything):
            return frozenset()
        values, counted = everything.value_counts().flatten()
        return frozenset(values.filter(pc.greater(counted, 1)).to_pylist())
