"""What an audit is of: everything, one run (what its jobs wrote and read), or what a query selects; and the copies that
these files have here, with what is known of each before it is looked at.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.audit import Expectation
from integrity.scrub import Standing
from provenance.errors import StoreError
from provenance.identity import FileId
from provenance.reading.views import Reading, fetch
from provenance.urls import local_path
from query.vocabulary import Entity

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

CopyKey = tuple[int | None, int | None, str]
"""(source, file, URL) of a copy; None: of no file that is known."""

_COPIES = """
SELECT r.source, r.file, r.url, r.site, r.name, r.sha256, r.size_bytes, r.state, r.verified, r.digest_origin,
       r.checksums, r.kind, coalesce(c.failed, false)
FROM replica_rows AS r
LEFT JOIN (
    SELECT file_source, file, url, arg_max(verdict <> 'ok', (commit_order, "at")) AS failed
    FROM checks_in_order GROUP BY file_source, file, url
) AS c ON c.file_source = r.source AND c.file = r.file AND c.url = r.url
WHERE r.state IN ('ok', 'quarantined', 'missing') AND r.here
  AND ($1::BIGINT[] IS NULL OR (r.source, r.file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])))
ORDER BY r.url, r.source, r.file
"""
_FILES_OF_RUN = """
SELECT DISTINCT file_source, file FROM (
    SELECT file_source, file, run FROM reads UNION ALL SELECT file_source, file, run FROM writes
    UNION ALL SELECT source, file, run FROM uses WHERE source IS NOT NULL AND file IS NOT NULL
) WHERE run = $1
"""
_EARLIER = """
SELECT name, list(DISTINCT sha256) FROM files WHERE sha256 IS NOT NULL GROUP BY name HAVING count(DISTINCT sha256) > 1
"""


class AuditScopeError(StoreError):
    """A query that selects neither files nor copies of files."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What was asked for: ``said`` as JSON values for a report, and in words for a command line (``argument``, None:
    everything); ``files`` None: all of them; ``run`` None: not those of one run.
    """

    said: Mapping[str, object]
    argument: str | None = None
    files: frozenset[FileId] | None = None
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy in the scope, with its state before it is looked at (ok | quarantined | missing)."""

    expectation: Expectation
    site: str | None
    state: str
    standing: Standing
    digest_origin: str | None

    @property
    def key(self) -> CopyKey:
        """What it is told from all others by."""
        return self.expectation.source, self.expectation.file, self.expectation.url


def scope_of(store: Store, asked: str | None, snapshot: Snapshot) -> Scope:
    """The scope that a query, or else the name of a run means; None: everything. Raises QueryError, AuditScopeError,
    NoSuchRunError.
    """
    if asked is None:
        return Scope({"store": store.store_id, "location": store.storage.location})
    from provenance.answers.designators import is_query

    if not is_query(asked):
        from provenance.answers.runs import find_run

        run = find_run(store, asked)
        rows = fetch(store, _FILES_OF_RUN, [run.run], snapshot=snapshot)
        said = {"run": run.run_id, "workflow": run.name}
        return Scope(said, run.run_id, frozenset((source, file) for source, file in rows), run.run)
    from provenance.answers.ask import answer

    found = answer(store, asked, as_of=snapshot.number, keys=True)
    if found.entity not in (Entity.FILES, Entity.REPLICAS):
        raise AuditScopeError(
            f"an audit is of files or replicas, and this query selects {found.entity.value}",
            hint=f"for example: files where produced by ({asked})" if found.entity is Entity.JOBS else None,
        )
    return Scope({"query": found.text}, found.text, frozenset((key[0], key[1]) for key, _ in found.keyed_rows()))


def copies(store: Store, scope: Scope, snapshot: Snapshot) -> list[Copy]:
    """The copies of the files in the scope that are to be here, by URL; those that were given up are not."""
    wanted: list[object] = [None, None]
    if scope.files is not None:
        ordered = sorted(scope.files)
        wanted = [[source for source, _ in ordered], [file for _, file in ordered]]
    with Reading(store, snapshot) as reading:
        earlier: dict[object, frozenset[bytes]] = {name: frozenset(digests) for name, digests in reading.rows(_EARLIER)}
        return [_copy(row, earlier.get(row[4], frozenset())) for row in reading.rows(_COPIES, wanted)]


def _copy(row: tuple[object, ...], contents: frozenset[bytes]) -> Copy:
    source, file, url, site, name, sha256, size, state, verified, origin, checksums, kind, failed = row
    assert isinstance(source, int) and isinstance(file, int) and isinstance(verified, dt.datetime | None)
    assert isinstance(sha256, bytes | None) and isinstance(size, int | None) and isinstance(checksums, list | None)
    expectation = Expectation(
        name=str(name),
        url=str(url),
        path=local_path(str(url)),
        sha256=sha256,
        size=size,
        source=source,
        file=file,
        earlier_sha256s=contents - {sha256} if sha256 is not None else contents,
        checksums=tuple(checksums or ()),
        kind="folder" if kind == "folder" else "file",
    )
    standing = Standing(bool(failed) or state != "ok", verified)
    return Copy(expectation, _text(site), str(state), standing, _text(origin))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
