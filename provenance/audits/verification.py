"""Check files on disk against what the store knows of them: every byte is read, no stat is taken for an answer.

A path is known if it is, or was, a copy of a file; else by its content, if a file with the very same bytes is known.
What the store knows nothing about is `unknown`, which is no pass. A file of which only foreign checksums were declared
is checked by those, and what it holds is known from then on: its sha256 is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from integrity.audit import Check, CheckVerdict, Expectation, audit
from provenance.copies.later_digests import is_first_reading, record_first_readings
from provenance.copies.replicas import last_holders
from provenance.errors import StoreError
from provenance.reading.views import fetch
from provenance.registration.found_files import find_files
from provenance.urls import file_url, local_path

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_GIVEN_UP = frozenset({"removed", "replaced", "retired"})
_COPIES_BELOW = """
SELECT url, kind FROM replica_rows
WHERE (url = $1 OR starts_with(url, $2)) AND state IN ('ok', 'quarantined', 'missing') AND here
ORDER BY url
"""


class NothingThereError(StoreError):
    """A path that was to be verified neither exists nor is known."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one path. ``verdict`` is "ok", a finding class or "unknown"; ``name`` is None if nothing is
    known.
    """

    path: Path
    name: str | None
    verdict: str
    expected_sha256: bytes | None
    actual_sha256: bytes | None

    def document(self) -> dict[str, object]:
        """The result as JSON values."""
        return {
            "path": os.fsdecode(self.path),
            "name": self.name,
            "verdict": self.verdict,
            "expected_sha256": self.expected_sha256,
            "actual_sha256": self.actual_sha256,
        }


class KnownContents:
    """Which file names have a content, as the store knows them; each digest is looked up once."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._names: dict[bytes, list[str]] = {}

    def names(self, sha256: bytes) -> Collection[str]:
        """The names of all files that have this content."""
        if sha256 not in self._names:
            sql = "SELECT DISTINCT name FROM files WHERE sha256 = $1 ORDER BY name"
            rows = fetch(self._store, sql, [sha256], snapshot=self._snapshot)
            self._names[sha256] = [str(name) for (name,) in rows]
        return self._names[sha256]


def verify(store: Store, paths: Iterable[Path], *, workers: int = 2, author: str | None = None) -> list[Verified]:
    """Read files, all files below folders, and everything that should be below them; results in order. A folder that is
    known as one file is read as one.

    Raises NothingThereError for a path that neither exists nor is known, UnreadableFilesError for a folder that cannot
    be listed.
    """
    snapshot = store.snapshot()
    wanted = [found for path in paths for found in _wanted(store, path, snapshot)]
    expectations = expected_at(store, wanted, snapshot)
    known = KnownContents(store, snapshot)
    looks = audit((expectation for expectation, _ in expectations), known, workers=workers)
    results = []
    first_readings: list[tuple[Check, str | None]] = []
    for path, check, (_, site) in zip(wanted, looks, expectations, strict=True):
        results.append(_result(path, check, known))
        if is_first_reading(check):
            first_readings.append((check, site))
    record_first_readings(store, first_readings, author, snapshot)
    return results


def exit_code(results: Sequence[Verified]) -> int:
    """1 if anything is damaged, else 3 if anything could not be verified, else 0."""
    verdicts = {result.verdict for result in results}
    if verdicts - {"ok", "unknown", "unreadable"}:
        return 1
    return 3 if verdicts - {"ok"} else 0


def expected_at(store: Store, paths: Sequence[Path], snapshot: Snapshot) -> list[tuple[Expectation, str | None]]:
    """What the store expects at each path, and the copy's site; links followed where the path itself is not known."""
    urls = [(file_url(path), file_url(Path(os.path.realpath(path)))) for path in paths]
    holders = last_holders(store, sorted({url for pair in urls for url in pair}), snapshot=snapshot)
    holders = {url: replica for url, replica in holders.items() if replica.state not in _GIVEN_UP}
    earlier = _earlier_contents(store, sorted({replica.name for replica in holders.values()}), snapshot)
    expectations: list[tuple[Expectation, str | None]] = []
    for path, (own, real) in zip(paths, urls, strict=True):
        replica = holders.get(own) or holders.get(real)
        if replica is None:
            expectations.append((Expectation(name=path.name, url=own, path=path, sha256=None), None))
            continue
        versions = {sha256 for sha256 in earlier.get(replica.name, ()) if sha256 != replica.sha256}
        expectation = Expectation(
            name=replica.name,
            url=replica.url,
            path=path,
            sha256=replica.sha256,
            size=replica.size_bytes,
            source=replica.source,
            file=replica.file,
            earlier_sha256s=frozenset(versions),
            checksums=tuple(replica.checksums or ()),
            kind="folder" if replica.kind == "folder" else "file",
        )
        expectations.append((expectation, replica.site))
    return expectations


def _wanted(store: Store, path: Path, snapshot: Snapshot) -> list[Path]:
    """The path itself; or all files below the folder, together with those that are known to belong there."""
    if path.is_dir():
        rows = fetch(store, _COPIES_BELOW, [file_url(path), file_url(path) + "/"], snapshot=snapshot)
        folders = {str(url) for url, kind in rows if kind == "folder"}
        if file_url(path) in folders:
            return [path]
        there = [found for found in find_files(path, store.root) if not _is_within(found.url, folders)]
        seen = {found.url for found in there}
        top = os.path.abspath(path)  # noqa: PTH100 - Path.resolve follows links
        others = [local_path(str(url)) for url, _ in rows if url not in seen and url != file_url(path)]
        return [Path(found.path or "") for found in there] + [
            path / found.relative_to(top) for found in others if found is not None
        ]
    if os.path.lexists(path):
        return [path]
    if file_url(path) not in last_holders(store, [file_url(path)], snapshot=snapshot):
        raise NothingThereError(f"{path}: there is no such file, and none is known to have been there")
    return [path]


def _is_within(url: str, folders: Collection[str]) -> bool:
    """Whether a file is part of a folder that is known as one file."""
    return any(url.startswith(folder + "/") for folder in folders)


def _earlier_contents(store: Store, names: list[str], snapshot: Snapshot) -> dict[str, set[bytes]]:
    sql = "SELECT DISTINCT name, sha256 FROM files WHERE name IN (SELECT unnest($1::VARCHAR[])) AND sha256 IS NOT NULL"
    found: dict[str, set[bytes]] = {}
    for name, sha256 in fetch(store, sql, [names], snapshot=snapshot) if names else ():
        found.setdefault(str(name), set()).add(sha256)
    return found


def _result(path: Path, check: Check, known: KnownContents) -> Verified:
    expectation = check.expectation
    result = Verified(
        path,
        expectation.name,
        check.verdict.value if check.finding is None else check.finding.value,
        expectation.sha256,
        check.actual_sha256,
    )
    if expectation.source is not None or check.verdict is not CheckVerdict.UNKNOWN:
        return result if expectation.source is not None else replace(result, name=None)
    names = known.names(check.actual_sha256) if check.actual_sha256 else ()
    if not names:
        return replace(result, name=None)
    name = path.name if path.name in names else next(iter(names))
    return replace(result, name=name, verdict="ok", expected_sha256=check.actual_sha256)
