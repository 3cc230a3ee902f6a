"""What a wrapper could not know of bytes that did not match: whether they are those of another file, or of another
version of the same one.

Importing this module imports pyarrow, which only ingest needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from integrity.findings import FindingClass
from provenance.reading.views import fetch

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_BY_BYTES = pa.array([FindingClass.CONTENT_MISMATCH, FindingClass.TRUNCATED, FindingClass.APPENDED], pa.string())
_NAMES = "SELECT DISTINCT sha256, name FROM files WHERE sha256 IN (SELECT unnest($1::BLOB[]))"


def told_apart(store: Store, checks: pa.Table, made: pa.Table | None, snapshot: Snapshot) -> pa.Table:
    """Rows of ``checks`` in which `stale` and `swapped` stand where the bytes that were found are known; ``made`` are
    rows of ``files`` that come with them. As in an audit (`integrity.audit.classify`), what holds no byte is truncated.
    """
    doubtful = pc.and_(pc.is_in(checks["finding"], value_set=_BY_BYTES), pc.is_valid(checks["actual_sha256"]))
    doubtful = pc.and_(
        pc.and_(doubtful, pc.is_valid(checks["expected_sha256"])), pc.greater(checks["actual_size_bytes"], 0)
    )
    if not pc.any(doubtful, min_count=0).as_py():
        return checks
    found = checks.filter(doubtful)
    names = _names(store, set(found["actual_sha256"].to_pylist()), made, snapshot)
    findings = checks["finding"].to_pylist()
    for row, is_doubtful in enumerate(doubtful.to_pylist()):
        if is_doubtful:
            known = names.get(checks["actual_sha256"][row].as_py(), set())
            findings[row] = _finding(checks["name"][row].as_py(), known) or findings[row]
    column = checks.schema.get_field_index("finding")
    return checks.set_column(column, checks.schema.field(column), pa.array(findings, pa.string()))


def _finding(name: str, known: set[str]) -> str | None:
    if name in known:
        return FindingClass.STALE
    return FindingClass.SWAPPED if known else None


def _names(store: Store, digests: Iterable[bytes], made: pa.Table | None, snapshot: Snapshot) -> dict[bytes, set[str]]:
    """The names of all files that have one of these contents."""
    names: dict[bytes, set[str]] = {digest: set() for digest in digests}
    rows = list(fetch(store, _NAMES, [list(names)], snapshot=snapshot))
    if made is not None:
        rows += zip(made["sha256"].to_pylist(), made["name"].to_pylist(), strict=True)
    for sha256, name in rows:
        if sha256 in names:
            names[sha256].add(name)
    return names
