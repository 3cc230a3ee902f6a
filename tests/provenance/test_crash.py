"""A commit that is killed, or whose file system fails, at any of its system calls is there as a whole or not at all.

A small writer makes one commit of three tables under strace, which kills it, or makes the call fail, at the N-th call
of a kind, for every N there is.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from provenance.batch import Batch
from provenance.commits import CommitKind
from provenance.orphans import orphans, remove_orphans
from provenance.snapshot import Snapshot
from provenance.store import Store

ROOT = Path(__file__).parents[2]
SOON = dt.timedelta(minutes=1)
KEYS = {"workflows": "run", "job_edges": "run", "files": "source"}
ROWS = 3
CALLS = {
    "write": ("write", "pwrite64", "writev", "pwritev"),
    "link": ("link", "linkat"),
    "rename": ("rename", "renameat", "renameat2"),
    "fsync": ("fsync", "fdatasync"),
    "unlink": ("unlink", "unlinkat"),
}
WRITER = """
import os, sys
from provenance.batch import Batch
from provenance.commits import CommitKind
from provenance.errors import WriteFailedError
from provenance.store import Store

batch = Batch()
for table, key in (("workflows", "run"), ("job_edges", "run"), ("files", "source")):
    for number in range(3):
        batch.add(table, **{key: 2})
try:
    made = Store.open(sys.argv[1]).commit(CommitKind.PLAN, batch)
except WriteFailedError:
    os._exit(3)
os._exit(0 if made is not None else 4)
"""


@pytest.fixture
def prepared(store: Store) -> Store:
    """A store with one commit in it, to be copied for each fault."""
    store.commit(CommitKind.PLAN, rows_of(1))
    return store


def rows_of(run: int) -> Batch:
    batch = Batch()
    for table, key in KEYS.items():
        for _ in range(ROWS):
            batch.add(table, **{key: run})
    return batch


def run_writer(root: Path, *options: str) -> tuple[int, str]:
    """The writer's exit status and what strace said of it."""
    log = root.with_name("strace.log")
    command = ["strace", "-f", "-y", "-o", str(log), *options, sys.executable, "-B", "-c", WRITER]
    done = subprocess.run([*command, str(root)], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, log.read_text() + done.stderr


def calls_of_a_commit(prepared: Store) -> Counter[str]:
    """How often an undisturbed writer makes each call."""
    copy = copied(prepared)
    every = ",".join(call for calls in CALLS.values() for call in calls)
    status, trace = run_writer(copy, "-e", f"trace={every}")
    assert status == 0, trace
    return Counter(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))


def copied(prepared: Store) -> Path:
    copy = prepared.root.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(prepared.root, copy)
    return copy


def counts(store: Store) -> set[int]:
    """How many rows of the writer the tables have."""
    return {len(store.rows(f"SELECT 1 FROM {table} WHERE {KEYS[table]} = 2", tables=[table])) for table in KEYS}


def commit_again(store: Store) -> None:
    """What a caller does that got no answer: the same facts once more, less what turns out to be there."""

    def unknown(snapshot: Snapshot, batch: Batch) -> Batch:
        known = store.rows("SELECT 1 FROM workflows WHERE run = 2", tables=["workflows"], snapshot=snapshot)
        return Batch() if known else batch

    store.commit(CommitKind.PLAN, rows_of(2), rebase=unknown, base=Snapshot())


def check(root: Path) -> bool:
    """The store is whole, and after committing again every row is there once. Whether the commit was visible before."""
    store = Store.open(root)
    found = counts(store)
    assert found in ({0}, {ROWS})
    left = [orphan.name for orphan in orphans(store)]
    commit_again(store)
    assert counts(store) == {ROWS}
    assert store.rows("SELECT count(*) FROM workflows WHERE run = 1", tables=["workflows"]) == [(ROWS,)]
    for segment in (segment for commit in store.commits() for segment in commit.segments):
        assert (root / segment.path).stat().st_size == segment.size
    assert [orphan.name for orphan in orphans(store)] == left
    assert len(remove_orphans(store, older_than=-SOON)) == len(left)
    assert counts(Store.open(root)) == {ROWS}
    return found == {ROWS}


@pytest.mark.parametrize("kind", CALLS)
def test_killed_at_any_call_a_commit_is_whole_or_absent(prepared: Store, kind: str) -> None:
    expected = calls_of_a_commit(prepared)
    visible = []
    for call in CALLS[kind]:
        for number in range(1, expected[call] + 1):
            copy = copied(prepared)
            status, trace = run_writer(copy, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
            assert "killed by SIGKILL" in trace, f"{call} {number}: {status} {trace}"
            visible.append(check(copy))
    print(f"{kind}: killed at {len(visible)} points")
    assert len(visible) >= {"write": 4, "link": 1, "rename": 3, "fsync": 9, "unlink": 1}[kind]
    # strace kills before the call is made: only what comes after the link finds the commit published.
    assert visible == sorted(visible)
    assert any(visible) == (kind in ("fsync", "unlink"))


@pytest.mark.parametrize(("kind", "error"), [("write", "ENOSPC"), ("fsync", "EIO"), ("link", "EIO"), ("rename", "EIO")])
def test_a_call_that_fails_is_an_error_and_never_half_a_commit(prepared: Store, kind: str, error: str) -> None:
    expected = calls_of_a_commit(prepared)
    points = 0
    for call in CALLS[kind]:
        for number in range(1, expected[call] + 1):
            copy = copied(prepared)
            status, trace = run_writer(copy, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
            assert status == 3, f"{call} {number}: {status} {trace}"
            check(copy)
            points += 1
    print(f"{kind}: {error} at {points} points")
    assert points >= {"write": 4, "link": 1, "rename": 3, "fsync": 8}[kind]
