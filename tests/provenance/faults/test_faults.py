"""A commit, an ingest, a compaction and a pull that are killed, or whose file system fails, at any one system call.

Each operation is done again and again under strace, which kills it, or makes a call fail, at the first call of a kind,
the second, and so on until there is none left to strike. After each the store must be whole: what was acknowledged is
there, what is there is what was committed, what is left over is named and goes away, and the work can go on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from planner.command_spool import take_up
from provenance.check.findings import Kind
from provenance.check.whole import check_store
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.identity import source_of
from provenance.log.examination import examine
from provenance.log.keys import trusted_keys
from provenance.orphans import orphans, remove_orphans
from provenance.segments.batch import Batch
from provenance.store import Store

FULL = "PIRENE_TEST_ALL_FAULTS" in os.environ
OPERATIONS = ("commit", "ingest", "compact", "pull", *(("commit_to_all",) if FULL else ()))
KINDS = {
    "write": ("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate", "copy_file_range"),
    "fsync": ("fsync", "fdatasync", "sync_file_range"),
    "link": ("link", "linkat", "symlink", "symlinkat"),
    "rename": ("rename", "renameat", "renameat2"),
    "open": ("open", "openat", "openat2", "creat"),
    "unlink": ("unlink", "unlinkat", "rmdir"),
    "mkdir": ("mkdir", "mkdirat"),
    "close": ("close",),
}
FAULTS = {"killed": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
NONE_OF = {("compact", "mkdir")}
"""The folders of tables are there already when a compaction writes to them."""
READS = {("pull", "open"), ("pull", "close")}
"""Two hundred calls that are for reading the other store, but a dozen: minutes of work, for who wants it."""
SAMPLED = {("ingest", "open"): 4, ("ingest", "close"): 4}
"""Sixty calls, most of them for reading what is there: each fault strikes every fourth, and each another one."""
CASES = [pair for pair in product(OPERATIONS, KINDS) if FULL or pair not in READS]
HARMLESS = re.compile(
    r"access|brk|clock_nanosleep|clone3?|connect|exit(_group)?|faccessat2?|fadvise64|fcntl|flock|fstat(fs)?|futex|getcwd|getdents64"
    r"|get(p|t|u|eu|g|eg)id|getrandom|ioctl|lseek|lstat|m(advise|map|protect|remap|unmap)|newfstatat|poll|prctl|pread64"
    r"|prlimit64|read(link|linkat)?|rseq|rt_sig\w+|sched_\w+|set_robust_list|socket|stat(fs|x)?|sysinfo|uname"
)
"""Calls that change no file: what strikes them leaves everything as it was. (The name service is asked by a socket for
the user's name, which the name of a new key has.)
"""
RUN_ID = uuid.UUID("0193572a-8f00-7000-8000-00000000002a")
SOON = dt.timedelta(minutes=1)
REFUSED = 3


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory,
    record_bytes: Callable[..., bytes],
    made_file: Callable[..., dict[str, Any]],
    read_file: Callable[..., dict[str, Any]],
) -> Path:
    """A store with two commits that can be merged, and one record in its spool; to be copied for each fault. Beside it
    is another, which has merged some of what is new here with what is not.
    """
    store = Store.open(tmp_path_factory.mktemp("prepared") / ".pirene")
    store.commit(CommitKind.PLAN, rows_of(1))
    planned = rows_of(source_of(RUN_ID))
    planned.add("jobs", run=source_of(RUN_ID), job=1, id="exec")
    store.commit(CommitKind.PLAN, planned)
    other = Store.open(store.root.with_name("other"))
    for run in (3, 2):
        other.commit(CommitKind.PLAN, rows_of(run))
        if run == 3:
            pull(store, other)
    other.compact()
    other.commit(CommitKind.PLAN, rows_of(4))
    spool = store.root / "spool" / str(RUN_ID)
    spool.mkdir(parents=True)
    (spool / "job.json").write_text("{}")
    record = record_bytes(run=RUN_ID, cwd="/x", inputs=[read_file("in")], outputs=[made_file("out", b"x")])
    (spool / "1-1.json").write_bytes(record)
    return store.root


def rows_of(run: int) -> Batch:
    batch = Batch()
    batch.add("workflows", run=run)
    batch.add("workflow_states", run=run, state="running")
    batch.add("files", source=run, file=0)
    return batch


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("operation", "kind"), CASES)
def test_a_store_is_whole_after_a_fault(
    victims: Any,
    prepared: Path,
    copy_of: Callable[[Path], Path],
    record_property: Callable[[str, str], None],
    operation: str,
    kind: str,
    fault: str,
) -> None:
    points: Counter[str] = Counter()

    def strikes(call: str, *where: str) -> bool:
        """Do the operation with one call struck, told by strace's ``when`` and by the file; False: it was not made."""
        root = copy_of(prepared)
        inject = f"inject={call}:{FAULTS[fault]}:{where[0]}"
        outcome = victims.run(operation, root, "-e", f"trace={call}", "-e", inject, *where[1:])
        what = f"{operation}, {call} {where}, {fault}: {outcome.status}, {outcome.said}"
        if outcome.struck:
            points[call] += 1
            require_clear_end(outcome, root, fault, what)
        judge(operation, root, prepared, acknowledged=outcome.acknowledged, where=what)
        return bool(outcome.struck)

    undisturbed = victims.run(operation, copy_of(prepared), "-e", f"trace={','.join(KINDS[kind])}")
    assert undisturbed.acknowledged
    made = Counter(call.name for call in undisturbed.calls if call.thread == 0)
    step = 1 if FULL else SAMPLED.get((operation, kind), 1)
    first = 1 + list(FAULTS).index(fault) % step
    for call, number in sorted(made.items()):
        struck = [strikes(call, f"when={each}") for each in range(first, number + 1, step)]
        while step == 1 and struck[-1]:  # another run may make one more: on until there is none
            struck.append(strikes(call, f"when={len(struck) + 1}"))
    # strace counts for each thread by itself: calls of other threads are told by the file that they name.
    for (call, path), number in Counter((call.name, call.path) for call in undisturbed.calls if call.thread).items():
        assert path is not None, f"{call} in a second thread cannot be told from others"
        for each in range(1, number + 1):
            strikes(call, f"when={each}", "-P", path)
    record_property("measured", f"{operation}, {kind}: {fault} at {points.total()} calls {dict(points)}")
    assert points or (operation, kind) in NONE_OF


def require_clear_end(outcome: Any, root: Path, fault: str, what: str) -> None:
    """A process that was killed is dead; one whose call failed did what it was to do all the same, or says why not."""
    if fault == "killed":
        assert outcome.status == -9, what
    elif not all(is_elsewhere(struck, root) for struck in outcome.struck):
        assert outcome.status in (0, REFUSED), what
        assert "Damaged" not in outcome.said, what
        assert "\n" not in outcome.said, what
        assert outcome.status != REFUSED or f": {root.parent}" in outcome.said, what


def is_elsewhere(call: Any, root: Path) -> bool:
    """Whether it is about a file that is not the store's, such as /proc/self/cgroup, without which DuckDB aborts."""
    return call.path is not None and call.path.startswith("/") and not call.path.startswith(str(root.parent))


def judge(operation: str, root: Path, prepared: Path, *, acknowledged: bool, where: str) -> None:
    """All that must hold of a store after a fault."""
    store = Store.open(root)
    left = litter(root)
    if files_of(root) != files_of(prepared):
        assert_sound(root, where)
        assert {root / orphan.name for orphan in orphans(store)} == left, where
        if FULL or "killed" in where:  # a kill leaves most behind, and a check takes as long as all the rest
            report = check_store(store.storage)
            assert {finding.kind for finding in report.findings} <= {Kind.ORPHAN}, f"{where}: {report.findings}"
            assert {root / finding.path for finding in report.findings} == left, where
    examination = examine(store.storage, store.store_id, trusted_keys())
    assert not examination.is_altered, f"{where}: {examination.discrepancies}"
    spooled = (root / "spool" / str(RUN_ID) / "1-1.json").exists()
    found = tally(store)
    assert_kept(operation, found, where)
    assert operation != "ingest" or spooled or found["invocations"], where
    if acknowledged:
        assert_done(operation, store, found, where)
    do_again(operation, store)
    store.commit(CommitKind.PLAN, rows_of(9))
    found = tally(store)
    assert_kept(operation, found, where)
    assert_done(operation, store, found, where)
    assert found["the next"] == 1, where
    left &= litter(root)  # a pull goes on with what was copied before
    assert {root / orphan.name for orphan in remove_orphans(store, older_than=-SOON)} >= left, where
    assert not litter(root), where
    assert operation != "ingest" or not list((root / "spool").iterdir()), where
    assert_sound(root, where)


def files_of(root: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and when it was written: copies have the times of what they are copies of."""
    stats = {path.relative_to(root).as_posix(): path.stat() for path in root.rglob("*") if path.is_file()}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def assert_sound(root: Path, where: str) -> None:
    """Every commit is there, and every segment has the digest that its commit says."""
    numbers = []
    for path in sorted((root / "commits").glob("*.json")):
        document = json.loads(path.read_bytes())
        numbers.append(document["number"])
        for file in (*document["segments"], *document.get("pulled", ())):
            data = (root / file["path"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == file["sha256"], where
    assert numbers == list(range(1, len(numbers) + 1)), where


def litter(root: Path) -> set[Path]:
    """Files in the store that no commit stands for, found without the store's own code. A spool is none, and what sums
    up commits is not.
    """
    named = {root / "store.json", *(root / "checkpoints").glob("*.json")}
    for path in (root / "commits").glob("*.json"):
        document = json.loads(path.read_bytes())
        named |= {path, *(root / file["path"] for file in (*document["segments"], *document.get("pulled", ())))}
    found = {path for path in root.rglob("*") if path.is_file() and root / "spool" not in path.parents}
    return found - named


COUNTS = {
    "kept workflows": f"workflows WHERE run IN (1, {source_of(RUN_ID)})",
    "kept states": f"workflow_states WHERE run IN (1, {source_of(RUN_ID)}) AND state = 'running'",
    "kept files": f"files WHERE source IN (1, {source_of(RUN_ID)}) AND file = 0",
    "workflows": "workflows WHERE run = 2",
    "states": "workflow_states WHERE run = 2",
    "files": "files WHERE source = 2",
    "invocations": "invocations WHERE job = 1 AND attempt = 1",
    "outputs": "files WHERE name = 'out'",
    "uses": "uses WHERE name IN ('in', 'out')",
    "copies": "replicas WHERE url = 'file:///x/out'",
    "ends": "workflow_states WHERE state = 'succeeded'",
    "the next": "workflows WHERE run = 9",
}
TABLES = sorted({text.split()[0] for text in COUNTS.values()})
TALLY = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {text}" for name, text in COUNTS.items())


def tally(store: Store) -> dict[str, int]:
    """How often the store has what is of interest here."""
    return dict(store.rows(TALLY, tables=TABLES))


def assert_kept(operation: str, found: dict[str, int], where: str) -> None:
    """What was there before is there once, and what the operation brings is there as a whole or not at all."""
    assert [found[name] for name in ("kept workflows", "kept states", "kept files")] == [2, 2, 2], where
    if operation == "ingest":
        brought = [found[name] for name in ("invocations", "outputs", "uses", "copies", "ends")]
        assert brought in ([0, 0, 0, 0, 0], [1, 1, 2, 1, 1]), where
    else:
        assert [found[name] for name in ("workflows", "states", "files")] in ([0, 0, 0], [1, 1, 1]), where


def assert_done(operation: str, store: Store, found: dict[str, int], where: str) -> None:
    """What the operation is for has happened, once."""
    match operation:
        case "commit" | "commit_to_all" | "pull":
            assert found["workflows"] == 1, where
        case "ingest":
            assert found["invocations"] == 1, where
        case "compact":
            snapshot = store.snapshot()
            assert all(has_merged(snapshot, table) for table in ("workflows", "workflow_states", "files")), where


def has_merged(snapshot: Snapshot, table: str) -> bool:
    return any(segment.first_commit < segment.last_commit for segment in snapshot.segments(table))


def do_again(operation: str, store: Store) -> None:
    """What a caller does that got no answer: the same once more, less what turns out to be there."""

    def unknown(snapshot: Snapshot, batch: Batch) -> Batch:
        known = store.rows("SELECT 1 FROM workflows WHERE run = 2", tables=["workflows"], snapshot=snapshot)
        return Batch() if known else batch

    match operation:
        case "commit" | "commit_to_all":
            store.commit(CommitKind.PLAN, rows_of(2), rebase=unknown, base=Snapshot())
        case "ingest":
            take_up(store)
        case "compact":
            store.compact()
        case "pull":
            pull(store, Store.existing(store.root.with_name("other")))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_call_that_changes_files_is_among_those_that_are_struck(
    victims: Any,
    prepared: Path,
    copy_of: Callable[[Path], Path],
    record_property: Callable[[str, str], None],
    operation: str,
) -> None:
    outcome = victims.run(operation, copy_of(prepared))
    struck = {name for names in KINDS.values() for name in names}
    others = {call.name for call in outcome.calls} - struck
    assert {name for name in others if not HARMLESS.fullmatch(name)} == set()
    counted = Counter(kind for call in outcome.calls for kind, names in KINDS.items() if call.name in names)
    threads = len({call.thread for call in outcome.calls})
    record_property("measured", f"{operation}: calls of all {threads} threads: {dict(counted)}")
    assert counted.keys() == {kind for kind in KINDS if (operation, kind) not in NONE_OF}
