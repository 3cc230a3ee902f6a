"""The way of a single command's record into the store: a folder of its own below the store, gone once it is in.

Who was killed in between leaves it there, and the next command takes it in. A folder belongs to whoever holds its lock,
so that nobody takes in what its owner is about to.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from planner.errors import naming
from planner.locks import Lock, release, try_lock
from provenance.answers.runs import last_state
from provenance.checked_json import MalformedError
from provenance.copies.replicas import file_url
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.identity import source_of
from provenance.ingest.ingest import Published, ingest
from provenance.ingest.record_files import record_bytes
from provenance.ingest.record_reader import read_record
from provenance.ingest.records import Record
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.users import current_user

JOB = 1
ATTEMPT = 1
_RECORD = f"{JOB}-{ATTEMPT}.json"
_LOCK = "owner.lock"
_SAFE_AGE_SECONDS = 86_400.0
"""Where there are no locks: no owner takes longer to take in a record that is there."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How a command ended, by its record: ``failure`` None when it succeeded; ``refused``: an input was not what the
    store knows; ``said``: what of the record could not be taken in, one sentence each.
    """

    failure: str | None
    refused: bool = False
    interrupted: bool = False
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    """The lock of a folder: closing the descriptor ends it."""

    descriptor: int
    lock: Lock


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder of one run."""

    folder: Path

    @classmethod
    def of(cls, store: Store, run_id: uuid.UUID) -> Spool:
        """Where the record of a run is written."""
        return cls(store.root / "spool" / str(run_id))

    @property
    def record(self) -> Path:
        """Where the wrapper puts its record."""
        return self.folder / _RECORD

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Make the folder and hold its lock, so that nobody takes it up meanwhile."""
        while (held := self._lock(make=True)) is None:
            pass  # whoever took up the folder has just removed it
        try:
            yield
        finally:
            release(held.descriptor)

    @contextmanager
    def abandoned(self) -> Iterator[bool]:
        """Hold the lock of a folder that its owner and its wrapper left; False if one of them may be at work."""
        held = self._lock(make=False)
        try:
            yield held is not None and self._is_over(held.lock)
        finally:
            if held is not None:
                release(held.descriptor)

    def _lock(self, *, make: bool) -> _Held | None:
        """Lock the folder; None if it is gone or, unless ``make``, somebody else's."""
        try:
            if make:
                self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            return None
        with ExitStack() as stack:
            stack.callback(release, descriptor)
            lock = try_lock(descriptor)
            if lock is Lock.OTHERS or not _is_at(descriptor, self.folder / _LOCK):
                return None
            stack.pop_all()
        return _Held(descriptor, lock)

    def _is_over(self, lock: Lock) -> bool:
        """Whether nobody is at work on the folder, which is ``lock``ed."""
        if lock is Lock.UNKNOWN:  # then only a record says so, and its age that nobody is about to take it in
            return self.record.exists() and time.time() - self.record.stat().st_mtime > _SAFE_AGE_SECONDS
        try:
            descriptor = os.open(self.folder / (_RECORD + ".lock"), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            return try_lock(descriptor) is Lock.OURS  # the wrapper may outlive its command
        finally:
            release(descriptor)

    def take_in(self, store: Store, run: int, *, without: str) -> TakenIn:
        """Bring the record into the store, with how the run ended, and remove the folder.

        ``without`` is the failure where there is no record.
        """
        taken = _ingested(store, self.record) if self.record.exists() else TakenIn(without)
        _say_how_it_ended(store, run, taken.failure)
        self.remove()
        return taken

    def remove(self) -> None:
        """Remove the folder. What cannot be removed stays for the next `take_up`: all of it is in the store."""
        shutil.rmtree(self.folder, ignore_errors=True)


def take_up(store: Store) -> None:
    """Take in the records that commands left which were killed before they could, and say of those that left none that
    they failed. What is under way is left alone. Raises StoreError and, naming the file, OSError.
    """
    for folder in sorted((store.root / "spool").glob("*/")):
        spool, run = Spool(folder), _run_of(folder)
        if run is None:
            continue
        with spool.abandoned() as ours:
            if ours and (spool.record.exists() or last_state(store, run) == "running"):
                spool.take_in(store, run, without="it was killed, and left no record")
            elif ours:
                spool.remove()  # its owner has taken it in, or had not begun


def _run_of(folder: Path) -> int | None:
    try:
        return source_of(uuid.UUID(folder.name))
    except ValueError:
        return None  # not ours


def _ingested(store: Store, path: Path) -> TakenIn:
    """Take a record in, in one commit with how the run ended."""
    with naming(path):
        data = record_bytes(path)
    try:
        record = read_record(data)
    except MalformedError as error:
        (rejected,) = ingest(store, [path], author=current_user()).rejected
        return TakenIn(f"its record cannot be believed: {error} (kept in {rejected.quarantined})")
    failure = record.failure
    done = ingest(
        store,
        [path],
        published=_places(record),
        also=lambda batch, attempt: _add_state(batch, attempt.run, failure),
        author=current_user(),
    )
    return TakenIn(record.failure, record.status == "integrity_failed", record.interrupted, done.warnings)


def _say_how_it_ended(store: Store, run: int, failure: str | None) -> None:
    """Commit the run's last state, unless the store has one."""

    def rows(snapshot: Snapshot) -> Batch:
        batch = Batch()
        if last_state(store, run, snapshot=snapshot) in (None, "running"):
            _add_state(batch, run, failure)
        return batch

    snapshot = store.snapshot()
    store.commit(
        CommitKind.INGEST,
        rows(snapshot),
        author=current_user(),
        rebase=lambda newest, _: rows(newest),
        base=snapshot,
    )


def _add_state(batch: Batch, run: int, failure: str | None) -> None:
    state = "failed" if failure else "succeeded"
    batch.add("workflow_states", run=run, state=state, at=dt.datetime.now(dt.UTC), reason=failure)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that has this name: its folder may have been removed before it was locked."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _places(record: Record) -> dict[tuple[int, int, str], Published]:
    """Where the outputs of a success are: the command made them in their places."""
    # The stat that goes with the digest: a look from here could be at bytes that nobody has hashed.
    return {
        (JOB, ATTEMPT, seen.name): Published(file_url(Path(record.work_dir or "", seen.name)), "local", seen.stat, None)
        for seen in record.outputs
        if record.status == "succeeded" and seen.sha256 is not None and seen.stat is not None
    }
