"""Makes processes to be disturbed: it has imported everything, and forks a child for each operation.

A request is a line ``OPERATION STORE LEDGER``. The child stops itself; once its number is printed, somebody may attach
to it and let it go on: then it does the operation. When it is over its exit status is printed (negative: the signal).
What the child has to say, that its work was acknowledged or why not, is written to the ledger, a page of shared memory
that outlives it: so every system call after the stop is one of the operation.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import duckdb  # noqa: F401 - here and below: what is imported now is not imported by the children
import pyarrow.compute
import pyarrow.parquet  # noqa: F401

import planner
import provenance
from planner.command_spool import take_up
from provenance.errors import StoreError
from provenance.history.commits import CommitKind
from provenance.log.growth import extend
from provenance.reading.views import VIEWS, view_sql
from provenance.schema import TABLES
from provenance.segments.batch import Batch
from provenance.store import Store
from query.vocabulary import Entity

for _package in (provenance, planner):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)  # some are else imported when they are first needed

REFUSED, BROKEN = 3, 5
PAGE = 4096
ERASED_RUN = 7_000_000_000_000_000_001
_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)


def commit(store: Store) -> None:
    """Rows for three tables."""
    batch = Batch()
    batch.add("workflows", run=2)
    batch.add("workflow_states", run=2, state="running")
    batch.add("files", source=2, file=0)
    store.commit(CommitKind.PLAN, batch)


def commit_to_all(store: Store) -> None:
    """A row for every table."""
    batch = Batch()
    for table in TABLES:
        first = table.columns[0]
        batch.add(table.name, **{first.name: 2 if first.kind.value == "BIGINT" else "2"})
    store.commit(CommitKind.PLAN, batch)


def log(store: Store) -> None:
    """Write what the log does not have of the commits yet."""
    extend(store)


def ingest(store: Store) -> None:
    """Take in the record that a killed command left in the spool, and remove it there."""
    take_up(store)


def compact(store: Store) -> None:
    """Merge all small segments."""
    store.compact()


def pull(store: Store) -> None:
    """Bring what the store beside it has."""
    provenance.exchange.pull.pull(store, Store.existing(store.root.with_name("other")))


def erase(store: Store) -> None:
    """Erase a file with all that is known of it."""
    thing = provenance.answers.facts.Thing(Entity.FILES, ERASED_RUN, 1, "id", "label")
    provenance.erasure.erasure.erase(store, provenance.erasure.erasure.Target((thing,)), "asked to")


OPERATIONS: dict[str, Callable[[Store], None]] = {
    each.__name__: each for each in (commit, commit_to_all, log, ingest, compact, pull, erase)
}


def main() -> None:
    """Serve until the standard input ends."""
    for view in VIEWS:
        view_sql(view)
    for line in sys.stdin:
        operation, root, ledger = line.split()
        child = os.fork()
        if child == 0:
            os._exit(_live(OPERATIONS[operation], Path(root), Path(ledger)))
        os.waitpid(child, os.WUNTRACED)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _live(operation: Callable[[Store], None], root: Path, ledger: Path) -> int:
    """A child's life: its exit status."""
    with ledger.open("r+b") as file:
        page = mmap.mmap(file.fileno(), PAGE)

    def note(text: str) -> None:
        page[: PAGE - 1] = text.encode("utf-8", "replace")[: PAGE - 1].ljust(PAGE - 1, b"\0")

    note("")  # the page is there before the first call that counts
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)  # where only parents may attach (yama)
    os.kill(os.getpid(), signal.SIGSTOP)
    try:
        operation(Store.open(root))
    except StoreError as error:
        note(f"{type(error).__name__}: {error}")
        return REFUSED
    except OSError as error:  # the command line says this much of one, and no more
        note(f"OSError: {error.filename}: {error.strerror}")
        return REFUSED
    except Exception:  # noqa: BLE001 - the boundary of a process
        note(traceback.format_exc()[1 - PAGE :])
        return BROKEN
    note("acknowledged")
    return 0


if __name__ == "__main__":
    main()
