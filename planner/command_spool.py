"""The way of a single command's record into the store: a folder of its own below the store, gone once it is in.

Who was killed in between leaves it there, and the next command takes it in. A folder belongs to whoever holds its lock,
so that nobody takes in what its owner is about to.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provenance.batch import Batch
from provenance.checked_json import MalformedError
from provenance.commits import CommitKind
from provenance.identity import source_of
from provenance.ingest import Published, ingest
from provenance.records import Record, read_record
from provenance.replicas import file_url
from provenance.store import Store

JOB = 1
ATTEMPT = 1
_RECORD = f"{JOB}-{ATTEMPT}.json"
_LOCK = "owner.lock"


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
    def owned(self) -> Iterator[bool]:
        """Hold the folder's lock, made if need be; False if somebody else does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def take_in(self, store: Store, run: int, *, without: str) -> TakenIn:
        """Bring the record into the store, say there how the run ended, and remove the folder.

        ``without`` is the failure where there is no record.
        """
        taken = _ingested(store, self.record) if self.record.exists() else TakenIn(without)
        batch = Batch()
        state, now = "failed" if taken.failure else "succeeded", dt.datetime.now(dt.UTC)
        batch.add("workflow_states", run=run, state=state, at=now, reason=taken.failure)
        store.commit(CommitKind.INGEST, batch)
        shutil.rmtree(self.folder, ignore_errors=True)
        return taken


def take_up(store: Store) -> None:
    """Take in the records that commands left which were killed before they could. One under way is left alone."""
    for record in sorted((store.root / "spool").glob(f"*/{_RECORD}")):
        spool = Spool(record.parent)
        with spool.owned() as ours:
            if ours and record.exists():
                spool.take_in(store, source_of(uuid.UUID(record.parent.name)), without="its record is gone")
            elif ours:
                shutil.rmtree(spool.folder, ignore_errors=True)  # its owner has just taken it in


def _ingested(store: Store, path: Path) -> TakenIn:
    try:
        record = read_record(path.read_bytes())
    except MalformedError as error:
        (rejected,) = ingest(store, [path]).rejected
        return TakenIn(f"its record cannot be believed: {error} (kept in {rejected.quarantined})")
    done = ingest(store, [path], published=_places(record))
    return TakenIn(record.failure, record.status == "integrity_failed", record.interrupted, done.warnings)


def _places(record: Record) -> dict[tuple[int, int, str], Published]:
    """Where the outputs of a success are: the command made them in their places."""
    # The stat that goes with the digest: a look from here could be at bytes that nobody has hashed.
    return {
        (JOB, ATTEMPT, seen.name): Published(file_url(Path(record.work_dir or "", seen.name)), "local", seen.stat, None)
        for seen in record.outputs
        if record.status == "succeeded" and seen.sha256 is not None and seen.stat is not None
    }
