"""What the replica catalog says of one logical name: its copies, in the catalog's order, as URLs and local paths."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planner.catalogs.model import Catalogs, ReplicaEntry
from planner.workflow import Metadata, Place
from provenance.copies.replicas import file_url, local_path

if TYPE_CHECKING:
    import regex

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:/")
_GROUP = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class CatalogCopy:
    """One copy: ``path`` is None where this machine cannot reach it as a file."""

    site: str
    url: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """A logical name as the replica catalog knows it; copies at the site ``local`` come first."""

    name: str
    copies: tuple[CatalogCopy, ...]
    sha256: bytes | None
    metadata: Metadata
    place: Place


def find_in_catalog(catalogs: Catalogs, name: str) -> CatalogFile | None:
    """The entry of exactly this name, else that of the first pattern that matches all of it, else None. Raises
    FileError for a pattern that takes too long.
    """
    entry = catalogs.replicas.get(name)
    if entry is not None:
        return _file(entry, name, [(site, pfn) for site, pfn in entry.pfns])
    if not catalogs.replica_patterns:
        return None
    from planner.catalogs.patterns import matched  # late: few catalogs have patterns, and the engine takes its time

    for entry in catalogs.replica_patterns:
        match = matched(entry, name)
        if match:
            return _file(entry, name, [(site, _fill(pfn, match)) for site, pfn in entry.pfns])
    return None


def resolve(pfn: str, place: Place) -> tuple[str, Path | None]:
    """URL and local path of a physical name: a URL, an absolute path, or a path relative to the catalog's folder."""
    if _SCHEME.match(pfn):
        path = local_path(pfn) if pfn.startswith("file:") else None
        return (pfn if path is None else file_url(path)), path
    folder = place.file.parent if place.file is not None else Path.cwd()
    # abspath, not resolve: a copy is known by the name that the user gave it, symlinks included.
    path = Path(os.path.abspath(folder / pfn))  # noqa: PTH100
    return file_url(path), path


def _fill(pfn: str, match: regex.Match[str]) -> str:
    """The pfn of a pattern: `[0]` is the whole name, `[1]` the first group; one that there is not stays as it is."""

    def group(found: re.Match[str]) -> str:
        number = int(found[1])
        return found[0] if number > len(match.groups()) else match[number] or ""

    return _GROUP.sub(group, pfn)


def _file(entry: ReplicaEntry, name: str, pfns: list[tuple[str, str]]) -> CatalogFile:
    copies = [CatalogCopy(site, *resolve(pfn, entry.place)) for site, pfn in pfns]
    copies.sort(key=lambda copy: copy.site != "local")
    digest = bytes.fromhex(entry.sha256) if entry.sha256 else None
    return CatalogFile(name, tuple(copies), digest, entry.metadata, entry.place)
