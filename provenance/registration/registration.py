"""How files that nobody produced come to be known: one registration names them, with what they hold and where they are.

The rules: a URL that is registered again with the same content is the same file; with other content it is a new file,
and the old one's copy there is `replaced`; a URL that is a copy of a produced file is that file, as long as its
content is. A file of which only foreign checksums were declared is known by those when it is read: from then on it has
a sha256.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from integrity.checksum import agreeing, differing
from integrity.digest import Stat
from provenance.copies.later_digests import add_digest
from provenance.copies.replicas import (
    GIVEN_UP,
    Replica,
    add_event,
    found_good,
    last_holders,
    stat_columns,
    time_of_ns,
)
from provenance.identity import FileId, registered_file
from provenance.metadata import Value
from provenance.metadata_rows import add_metadata_of_many, add_what_is_new
from provenance.segments.batch import Batch

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_Sayings = dict[FileId, Mapping[str, Value]]
_BLOCK_ENTRIES = 1 << 13
"""Entries that become columns at a time: so few are in memory as objects of Python."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A copy of a file, and what is known of its content.

    ``url`` as `provenance.urls.copy_url` gives it. ``sha256`` None: not known yet. ``stat`` is that of the copy when
    its bytes were hashed for this registration (None: they were not). ``digest_origin`` declared | observed |
    recorded. ``checksums`` are foreign ones, ``algorithm:hex``. ``kind`` file | folder.
    """

    name: str
    url: str
    site: str = "local"
    sha256: bytes | None = None
    size_bytes: int | None = None
    digest_origin: str | None = "observed"
    stat: Stat | None = None
    kind: str = "file"
    owner: str | None = None
    checksums: Sequence[str] = ()
    checksum_seconds: float | None = None
    metadata: Mapping[str, Value] = field(default_factory=dict)


def register(
    store: Store,
    batch: Batch,
    source: int,
    entries: Iterable[Registration],
    *,
    at: dt.datetime | None = None,
    author: str | None = None,
    first: int = 0,
    snapshot: Snapshot | None = None,
    holders: Mapping[str, Replica] | None = None,
) -> list[FileId]:
    """Add what these registrations say to ``batch``; for each, in order, the file that it is.

    New files are of ``source`` and count from the ordinal ``first``. ``at`` is now unless given, ``snapshot`` the
    state that the rules look at: after a lost race call this again on a new batch with the new one. ``holders`` is
    what `last_holders` says of the URLs then, for whoever has asked already. An iterator is taken a block at a time,
    and must name each URL once.
    """
    shown = store.snapshot() if snapshot is None else snapshot
    if holders is None:
        entries = entries if isinstance(entries, Sequence) else list(entries)
        holders = last_holders(store, [entry.url for entry in entries], snapshot=shown)
    repeated = isinstance(entries, Sequence) and len({entry.url for entry in entries}) < len(entries)
    at = dt.datetime.now(dt.UTC) if at is None else at
    registering = _Registering(batch, source, at, author, first, holders, repeated)
    rest = iter(entries)
    while block := list(rest if repeated else itertools.islice(rest, _BLOCK_ENTRIES)):
        registering.add(block)
        if len(block) == _BLOCK_ENTRIES:
            batch.pack()
    add_what_is_new(batch, registering.said_of_known(), store, shown)
    return registering.files


class _Registering:
    """Registrations on their way into a batch. ``files``: which file each of them is."""

    def __init__(
        self,
        batch: Batch,
        source: int,
        at: dt.datetime,
        author: str | None,
        first: int,
        holders: Mapping[str, Replica],
        repeated: bool,
    ) -> None:
        """``repeated``: entries may name a URL that others have named before."""
        self.files: list[FileId] = []
        self._batch = batch
        self._source = source
        self._at = at
        self._author = author
        self._next = first
        self._repeated = repeated
        self._latest = {url: _Holder.of(replica) for url, replica in holders.items()}
        self._of_known: _Sayings = {}

    def add(self, block: Sequence[Registration]) -> None:
        """Add what entries say, but for the metadata of files that were known: others may be of the same file."""
        new: list[tuple[Registration, FileId]] = []
        said: _Sayings = {}
        for entry in block:
            holder = self._latest.get(entry.url)
            if holder is not None and _same_content(holder, entry):
                file = holder.file
                _add_seen_again(self._batch, entry, holder, self._at)
                _add_learnt(self._batch, entry, holder, self._at)
            else:
                file = (self._source, registered_file(self._next))
                self._next += 1
                if holder is not None and holder.state not in GIVEN_UP:
                    _add_replaced(self._batch, entry, holder, self._at)
                new.append((entry, file))
            self.files.append(file)
            # Of two entries that turn out to be one file the later says what counts: a key has one value at a time.
            of_file = said if file[0] == self._source else self._of_known
            of_file[file] = {**of_file[file], **entry.metadata} if file in of_file else entry.metadata
            if self._repeated:
                self._latest[entry.url] = _Holder.after(holder, entry, file)
        _add_new_files(self._batch, new, self._at)
        self._say(self._batch, said)

    def said_of_known(self) -> Batch:
        """What is said of files that were known before, by all entries."""
        batch = Batch()
        self._say(batch, self._of_known)
        return batch

    def _say(self, batch: Batch, said: _Sayings) -> None:
        values = ((*file, key, value) for file, metadata in said.items() for key, value in metadata.items())
        add_metadata_of_many(batch, "file", values, origin="static", author=self._author, at=self._at)


@dataclass(frozen=True, slots=True)
class _Holder:
    """The file whose copy a URL is or was last."""

    file: FileId
    sha256: bytes | None
    size_bytes: int | None
    site: str | None
    state: str
    checksums: Sequence[str]

    @classmethod
    def of(cls, replica: Replica) -> _Holder:
        sizes = (replica.size_bytes, replica.site, replica.state, replica.checksums or ())
        return cls(replica.id, replica.sha256, *sizes)

    @classmethod
    def after(cls, before: _Holder | None, entry: Registration, file: FileId) -> _Holder:
        """The holder of a URL after it was registered as a copy of ``file``."""
        if before is None or before.file != file:
            return cls(file, entry.sha256, entry.size_bytes, entry.site, "ok", entry.checksums)
        content = entry if before.sha256 is None else before
        state = "ok" if entry.stat is not None or before.state in GIVEN_UP else before.state
        checksums = tuple({*before.checksums, *entry.checksums})
        return cls(file, content.sha256, content.size_bytes, entry.site, state, checksums)


def _same_content(holder: _Holder, entry: Registration) -> bool:
    """Digests decide where both are known. Else a size or a checksum that differs tells files apart. A checksum that
    agrees joins them, and where none was compared the URL does if it is a live copy and nothing was read: what has been
    read must be proven to be what was declared.
    """
    if holder.state == "replaced":
        return False
    if entry.sha256 is not None and holder.sha256 is not None:
        return entry.sha256 == holder.sha256
    sizes_agree = None in (entry.size_bytes, holder.size_bytes) or entry.size_bytes == holder.size_bytes
    if not sizes_agree or differing(holder.checksums, entry.checksums):
        return False
    if agreeing(holder.checksums, entry.checksums):
        return True
    return entry.sha256 is None and holder.state not in GIVEN_UP


def _add_seen_again(batch: Batch, entry: Registration, holder: _Holder, at: dt.datetime) -> None:
    """The same file at the same place: its copy is verified, or back if it was read, or if somebody had given it up.

    What was seen of a copy, that its bytes are bad or that it is not there, is taken back by a sight of its bytes only:
    who declares what they should be has not looked.
    """
    reason: str | None = "registered again with the same content"
    if entry.stat is not None:
        event = found_good(holder.state)
        reason = None if event == "verified" else reason
    elif holder.state in GIVEN_UP:
        event = "registered"
    else:
        return
    source, file = holder.file
    add_event(
        batch,
        event,
        source=source,
        file=file,
        url=entry.url,
        site=entry.site,
        at=at,
        stat=entry.stat,
        reason=reason,
    )


def _add_learnt(batch: Batch, entry: Registration, holder: _Holder, at: dt.datetime) -> None:
    """What is known of the content from now on and was not before."""
    checksums = [text for text in entry.checksums if text not in holder.checksums]
    if holder.sha256 is None and entry.sha256 is not None:
        seconds = entry.checksum_seconds
        add_digest(
            batch,
            holder.file,
            at,
            sha256=entry.sha256,
            size_bytes=entry.size_bytes,
            checksums=checksums,
            seconds=seconds,
        )
    elif checksums:
        add_digest(batch, holder.file, at, checksums=checksums)


def _add_replaced(batch: Batch, entry: Registration, holder: _Holder, at: dt.datetime) -> None:
    source, file = holder.file
    reason = "other content was registered there"
    add_event(batch, "replaced", source=source, file=file, url=entry.url, site=holder.site, at=at, reason=reason)


def add_new_file(batch: Batch, entry: Registration, file_id: FileId, at: dt.datetime) -> None:
    """Add a file that nobody knew, with its copy. Whether it is one is for `register`, or for a plan, to decide."""
    _add_new_files(batch, [(entry, file_id)], at)


def _add_new_files(batch: Batch, new: Sequence[tuple[Registration, FileId]], at: dt.datetime) -> None:
    entries = [entry for entry, _ in new]
    stats = [entry.stat for entry in entries]
    ids = {"source": [source for _, (source, _) in new], "file": [file for _, (_, file) in new]}
    batch.add_columns(
        "files",
        len(new),
        {
            **ids,
            "name": [entry.name for entry in entries],
            "kind": [entry.kind for entry in entries],
            "size_bytes": [entry.size_bytes for entry in entries],
            "sha256": [entry.sha256 for entry in entries],
            "checksums": [list(entry.checksums) or None for entry in entries],
            "digest_origin": [None if entry.sha256 is None else entry.digest_origin for entry in entries],
            "modified": [None if stat is None else time_of_ns(stat.mtime_ns) for stat in stats],
            "owner": [entry.owner for entry in entries],
            "checksum_seconds": [entry.checksum_seconds for entry in entries],
        },
        origin="raw",
        created=at,
    )
    places = {"url": [entry.url for entry in entries], "site": [entry.site for entry in entries]}
    batch.add_columns("replicas", len(new), {**ids, **places, **stat_columns(stats)}, event="registered", at=at)
