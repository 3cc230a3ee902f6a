"""A copy whose bytes were found bad, or which was not there, is good again when it was read, and not before."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest

from integrity.digest import Stat
from provenance.audits.audits import audit_store
from provenance.copies.replicas import add_event, file_url
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.reading.views import fetch
from provenance.registration.metadata_table import Declared
from provenance.registration.placement import Placed, add_placed
from provenance.registration.raw_files import RawFiles, add_files
from provenance.registration.retirement import retire_files
from provenance.segments.batch import Batch
from provenance.store import Store

GOOD, BAD = b"good bytes", b"bad  bytes"
SHA256 = "sha256:" + hashlib.sha256(GOOD).hexdigest()
MD5 = "md5:" + hashlib.md5(GOOD).hexdigest()
READ = None
"""What is declared by who declares nothing: the file is read."""


class Copy:
    """A copy of a file; ``state`` and ``status`` are what the store says of it."""

    def __init__(self, store: Store, path: Path) -> None:
        self.store, self.path = store, path

    def add(self, checksum: str | None) -> RawFiles:
        declared = None if checksum is None else Declared((checksum,))
        return add_files(self.store, [self.path], declared=declared)

    def becomes(self, state: str) -> None:
        """Let an audit find it quarantined or missing."""
        self.path.write_bytes(BAD) if state == "quarantined" else self.path.unlink()
        audit_store(self.store)
        self.path.write_bytes(BAD)

    @property
    def known(self) -> tuple[str, str]:
        """State of the copy, status of the file; it must be the only one."""
        (row,) = fetch(
            self.store, "SELECT r.state, s.status FROM replica_states r JOIN file_states s USING (source, file)"
        )
        return row[0], row[1]


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Copy:
    (tmp_path / "data").write_bytes(GOOD)
    return Copy(store, tmp_path / "data")


FIRST_AND_AGAIN = [(READ, SHA256), (READ, MD5), (SHA256, SHA256), (MD5, MD5)]


@pytest.mark.parametrize(("first", "again"), FIRST_AND_AGAIN)
@pytest.mark.parametrize("state", ["quarantined", "missing"])
def test_who_declares_has_not_looked(copy: Copy, first: str | None, again: str, state: str) -> None:
    file = copy.add(first).files[0].file
    copy.becomes(state)
    before = copy.known
    done = copy.add(again)
    assert (done.files[0].file, done.files[0].new) == (file, False)
    assert copy.known == before
    assert before[0] == state
    assert done.not_believed == (file_url(copy.path),)
    copy.path.write_bytes(GOOD)
    assert copy.add(READ).files[0].file == file
    assert copy.known == ("ok", "ok")


@pytest.mark.parametrize(("first", "again"), [(READ, SHA256), (SHA256, SHA256), (MD5, MD5)])
def test_what_was_retired_comes_back_as_it_was(copy: Copy, first: str | None, again: str) -> None:
    file = copy.add(first).files[0].file
    verified = "SELECT verified FROM replica_states"
    seen = fetch(copy.store, verified)
    assert retire_files(copy.store, [file]) == 1
    assert copy.add(again).files[0].file == file
    assert copy.known == ("ok", "ok")
    assert fetch(copy.store, verified) == seen
    copy.becomes("quarantined")
    assert retire_files(copy.store, [file]) == 1
    assert copy.known == ("retired", "retired")
    assert copy.add(again).files[0].file == file
    assert copy.known == ("quarantined", "damaged")
    copy.path.write_bytes(GOOD)
    audit_store(copy.store)
    assert copy.known == ("ok", "ok")


def test_what_another_store_declared_takes_nothing_back(copy: Copy, tmp_path: Path) -> None:
    copy.add(READ)
    other = Copy(Store.open(tmp_path / "other"), copy.path)
    pull(other.store, copy.store)
    other.add(READ)
    copy.becomes("quarantined")
    retire_files(other.store, [other.add(SHA256).files[0].file])
    other.add(SHA256)
    pull(copy.store, other.store)
    assert copy.known == ("quarantined", "damaged")


def test_nor_does_an_event_without_a_sight_of_the_bytes(copy: Copy) -> None:
    file = copy.add(READ).files[0]
    copy.becomes("quarantined")
    batch, at = Batch(), dt.datetime.now(dt.UTC)
    add_event(batch, "reinstated", source=file.file[0], file=file.file[1], url=file.url, site="local", at=at)
    copy.store.commit(CommitKind.REGISTER, batch)
    assert copy.known == ("quarantined", "damaged")


@pytest.mark.parametrize(("read_back", "state"), [(True, "ok"), (False, "quarantined")])
def test_what_was_put_in_its_place_counts_once_it_was_read_back(copy: Copy, read_back: bool, state: str) -> None:
    file = copy.add(READ).files[0]
    copy.becomes("quarantined")
    copy.path.write_bytes(GOOD)
    batch, stat = Batch(), Stat.of(copy.path) if read_back else None
    place = Placed(file.file, file.url, "local", link=False, stat=stat)
    add_placed(copy.store, batch, [place], at=dt.datetime.now(dt.UTC))
    copy.store.commit(CommitKind.INGEST, batch)
    assert copy.known[0] == state
