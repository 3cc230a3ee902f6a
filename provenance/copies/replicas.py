"""Copies of files: where they are, in which state, and what the system said of one when it was last verified.

A replica is a URL at which the content of a file is or was to be found. Its history is a row of events; the view
``replica_rows`` sums it up. A URL is *live* for the file that it was last registered for, unless it was replaced,
removed, retired or found missing since; a quarantined replica is live, for its bytes are there and are expected to be
those of its file.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from integrity.digest import Stat, hash_path
from integrity.errors import UnreadableError
from provenance.reading.views import Reading
from provenance.urls import copy_url, file_url, local_path

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.segments.batch import Batch
    from provenance.store import Store

__all__ = [
    "GIVEN_UP",
    "LIVE_STATES",
    "SEEN_BAD",
    "Replica",
    "add_event",
    "by_file",
    "by_path",
    "by_url",
    "copy_url",
    "file_url",
    "holds",
    "last_holders",
    "local_path",
    "signed64",
    "time_of_ns",
]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

LIVE_STATES = frozenset({"ok", "quarantined"})
GIVEN_UP = frozenset({"retired", "removed", "replaced"})
"""States that somebody decided on: looking at the place does not change them."""
SEEN_BAD = frozenset({"quarantined", "missing"})
"""States that somebody saw: nothing but looking again changes them."""

_COLUMNS = """SELECT r.source, r.file, r.name, r.url, r.site, r.sha256, r.size_bytes, r.seen_bytes, r.modified_ns,
       r.changed_ns, r.inode, r.device, r.state, r.origin, r.job, r.attempt, r.digest_origin, r.verified, r.since,
       r.checksums, r.here, r.kind"""
_BY_URL = f"""{_COLUMNS}
FROM replica_rows AS r
ORDER BY r.url, r.since, r.source, r.file"""
_BY_FILE = f"""{_COLUMNS}
FROM replica_rows AS r
ORDER BY r.source, r.file, r.since, r.url"""


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of one file, with what is known of the file's content.

    ``size_bytes`` is the file's; ``seen_bytes`` and the stat fields are those of the copy when it was last verified
    (None: it never was). ``state`` ok | quarantined | missing | removed | replaced | retired. ``origin`` raw |
    produced; ``job`` and ``attempt`` produced it (its run is ``source``). ``checksums`` are the foreign ones that were
    declared for the file (None: none were). ``kind`` file | folder. ``here`` False: its URL is a path of which only
    other stores have spoken, perhaps of other machines (see `holds`).
    """

    source: int
    file: int
    name: str
    url: str
    site: str | None
    sha256: bytes | None
    size_bytes: int | None
    seen_bytes: int | None
    modified_ns: int | None
    changed_ns: int | None
    inode: int | None
    device: int | None
    state: str
    origin: str
    job: int | None
    attempt: int | None
    digest_origin: str | None
    verified: dt.datetime | None
    since: dt.datetime
    checksums: Sequence[str] | None = None
    here: bool = True
    kind: str = "file"

    @property
    def id(self) -> tuple[int, int]:
        """(source, file): the file that this is a copy of."""
        return (self.source, self.file)

    @property
    def run(self) -> int | None:
        """The run that produced the file; None for a raw one."""
        return None if self.job is None else self.source


def by_url(store: Store, urls: Sequence[str], *, snapshot: Snapshot | None = None) -> dict[str, Replica]:
    """For each URL that is a live replica: that replica. ``urls`` are as `copy_url` gives them."""
    holders = last_holders(store, urls, snapshot=snapshot)
    return {url: replica for url, replica in holders.items() if replica.state in LIVE_STATES}


def by_path(store: Store, paths: Sequence[Path], *, snapshot: Snapshot | None = None) -> dict[Path, Replica]:
    """For each local path that is a live replica, or a link that leads to one: that replica."""
    own = {path: file_url(path) for path in paths}
    live = by_url(store, list(own.values()), snapshot=snapshot)
    found = {path: live[url] for path, url in own.items() if url in live}
    # Following links costs more than asking the store, and most paths are known or have none.
    real = {path: file_url(os.path.realpath(path)) for path in own if path not in found}
    linked = {path: url for path, url in real.items() if url != own[path]}
    live = by_url(store, list(linked.values()), snapshot=snapshot)
    return found | {path: live[url] for path, url in linked.items() if url in live}


def last_holders(store: Store, urls: Sequence[str], *, snapshot: Snapshot | None = None) -> dict[str, Replica]:
    """For each URL that ever was a replica: the live one, else the one whose state changed last.

    A path of which only other stores have spoken counts where no other holder is live, and only if it `holds` the file.
    """
    found: dict[str, Replica] = {}
    elsewhere: dict[str, list[Replica]] = {}
    for replica in _copies(store, _BY_URL, {"url": list(urls)}, snapshot):
        if not replica.here:
            elsewhere.setdefault(replica.url, []).append(replica)
            continue
        before = found.get(replica.url)
        if before is None or before.state not in LIVE_STATES or replica.state in LIVE_STATES:
            found[replica.url] = replica
    for url, replicas in elsewhere.items():
        if url not in found or found[url].state not in LIVE_STATES:
            held = [replica for replica in replicas if replica.state in LIVE_STATES and holds(replica)]
            found.update({url: held[-1]} if held else {})
    return found


def holds(replica: Replica) -> bool:
    """Whether the path of a copy, as this machine sees it, has the file's bytes: by stat if that of the last
    verification stands, else by reading them. False if the file has no digest, and for what is no local path.
    """
    path = local_path(replica.url)
    if path is None or replica.sha256 is None:
        return False
    try:
        stat = _columns_of(Stat.of(path))
        seen = (replica.seen_bytes, replica.modified_ns, replica.changed_ns, replica.inode, replica.device)
        return tuple(stat.values()) == seen or hash_path(path).sha256 == replica.sha256
    except (OSError, UnreadableError):
        return False


def by_file(
    store: Store,
    ids: Collection[tuple[int, int]],
    *,
    states: Collection[str] = LIVE_STATES,
    snapshot: Snapshot | None = None,
) -> dict[tuple[int, int], list[Replica]]:
    """The live replicas of files, or those in ``states``; oldest first. A file without any has no entry."""
    found: dict[tuple[int, int], list[Replica]] = {}
    columns = {"source": [source for source, _ in ids], "file": [file for _, file in ids]}
    for replica in _copies(store, _BY_FILE, columns, snapshot):
        if replica.state in states:
            found.setdefault(replica.id, []).append(replica)
    return found


def _copies(
    store: Store, sql: str, wanted: Mapping[str, Sequence[object]], snapshot: Snapshot | None
) -> Iterator[Replica]:
    """The copies that have one of these combinations of values, which a copy never changes. Others are not summed up:
    there may be millions.
    """
    shown = store.snapshot() if snapshot is None else snapshot
    if not shown.segments("replicas") or not all(wanted.values()):
        return
    with Reading(store, shown) as reading:
        reading.only("replicas_in_order", wanted)
        for block in reading.blocks(sql):
            for row in block:
                yield Replica(*row)


def found_good(state: str) -> str:
    """The event of a copy in ``state`` whose bytes were read just now and are those that they should be."""
    return "verified" if state == "ok" else "reinstated"


def stat_columns(stats: Sequence[Stat | None]) -> dict[str, list[int | None]]:
    """The stats of many copies as the columns of ``replicas``, for those that have one."""
    return {name: [None if stat is None else of(stat) for stat in stats] for name, of in _STAT_COLUMNS.items()}


def _columns_of(stat: Stat) -> dict[str, int]:
    """The same of one copy."""
    return {name: of(stat) for name, of in _STAT_COLUMNS.items()}


def signed64(number: int) -> int:
    """An unsigned 64-bit number as the signed one with the same bits: inodes of some file systems use all of them."""
    return number - (1 << 64) if number >= 1 << 63 else number


_STAT_COLUMNS: Mapping[str, Callable[[Stat], int]] = {
    "size_bytes": lambda stat: stat.size,
    "modified_ns": lambda stat: stat.mtime_ns,
    "changed_ns": lambda stat: stat.ctime_ns,
    "inode": lambda stat: signed64(stat.inode),
    "device": lambda stat: signed64(stat.device),
}


def time_of_ns(nanoseconds: int) -> dt.datetime:
    """Nanoseconds since 1970 as a time, cut to microseconds."""
    return _EPOCH + dt.timedelta(microseconds=nanoseconds // 1000)


def add_event(
    batch: Batch,
    event: str,
    *,
    source: int,
    file: int,
    url: str | None,
    site: str | None,
    at: dt.datetime,
    stat: Stat | None = None,
    reason: str | None = None,
) -> None:
    """Add one event in the life of a copy to ``batch``."""
    columns: Mapping[str, int] = {} if stat is None else _columns_of(stat)
    batch.add("replicas", source=source, file=file, site=site, url=url, event=event, at=at, reason=reason, **columns)
