"""Many processes write to one store and read from it: it is as if one did it all, and nobody waits for long."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from provenance.history.commits import CommitKind
from provenance.orphans import orphans
from provenance.schema import TABLES
from provenance.store import Store
from tests.provenance.concurrency.history import Read, Write, WriteId, violations

ROOT = Path(__file__).resolve().parents[3]
PROCESS = Path(__file__).with_name("process.py")
WRITERS, COMMITS, READERS = 8, 200, 4
KILLED = 8
"""One more writer, which is killed."""
KILLED_AFTER = 20
LONGEST_WAIT_SECONDS = 5.0
LONGEST_WAIT_MEDIANS = 25
"""On a machine that others use everybody waits longer: then nobody may wait much longer than the rest."""
MOST_OVERTAKING = 3 * WRITERS
"""Of those who came later, so many may commit before somebody who waits: turns come in the order of arrival, nearly."""
NUMBER_BITS = 20


@contextmanager
def started(output: Path, *words: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose standard output goes to a file; killed if it is still there in the end."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(PROCESS), *map(str, words)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=file,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def lines(path: Path) -> list[dict[str, Any]]:
    """What a process told; its last line may be cut off where it was killed."""
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def writes_of(path: Path) -> Iterator[tuple[Write, int | None]]:
    """The writes of one process, each with the number of its commit (None: there was no answer)."""
    said = lines(path)
    for question, answer in itertools.zip_longest(said[::2], said[1::2]):
        write = (question["writer"], question["number"])
        if answer is None:
            yield Write(write, question["invoked"], None), None
        else:
            yield Write(write, question["invoked"], answer["returned"]), answer["commit"]


def reads_of(path: Path) -> Iterator[tuple[Read, dict[str, Any]]]:
    """The reads of one process, each with all that it told."""
    for said in lines(path):
        seen = [write_id(each) for each in said["seen"]]
        assert len(set(seen)) == len(seen), "a row is there twice"
        yield Read(said["invoked"], said["returned"], frozenset(seen)), said


def write_id(value: int) -> WriteId:
    return value >> NUMBER_BITS, value & ((1 << NUMBER_BITS) - 1)


@pytest.mark.timeout(1200)  # about a minute on two cores that do nothing else
def test_many_processes_are_as_good_as_one(
    store: Store, tmp_path: Path, record_property: Callable[[str, str], None]
) -> None:
    begun = time.monotonic()
    said = {name: tmp_path / name for name in [*map(str, range(WRITERS + 1)), *(f"read {n}" for n in range(READERS))]}
    run_all(store.root, said, tmp_path / "over")
    asked = [each for writer in range(WRITERS + 1) for each in writes_of(said[str(writer)])]
    told = [each for reader in range(READERS) for each in reads_of(said[f"read {reader}"])]
    writes, reads = [write for write, _ in asked], [read for read, _ in told]
    answered = {write.id: number for write, number in asked if number is not None}

    # What is there in the end, from the rows themselves: the order of the commits that brought them.
    rows = store.rows("SELECT commit_number, run FROM job_edges WHERE run >= 0 ORDER BY 1", tables=["job_edges"])
    order = [write_id(value >> NUMBER_BITS) for _, value in rows]
    values = {write_id(value >> NUMBER_BITS): value for _, value in rows}
    assert violations(order, writes, reads) == []
    assert {write: number for (number, _), write in zip(rows, order, strict=True) if write in answered} == answered
    assert len(answered) >= WRITERS * COMMITS + KILLED_AFTER

    for read, told_of in told:
        # Every table has the same rows, both of each commit: a commit that was seen in part has another sum, or count.
        assert len(told_of["sums"]) == 1
        count, zero, everything = told_of["sums"][0]
        assert (count, zero) == (2 * len(read.seen), 0)
        assert everything == 2 * sum(values[each] for each in read.seen)
    for table in TABLES:
        assert store.rows(f"SELECT count(*) FROM {table.name}", tables=[table.name]) == [(2 * len(order),)]
    made = list(store.all_commits())
    assert [commit.number for commit in made] == list(range(1, len(made) + 1))
    assert all(earlier.time < later.time for earlier, later in itertools.pairwise(made))
    compactions = sum(commit.kind is CommitKind.COMPACT for commit in made)
    assert compactions > 0
    left = orphans(store)
    assert len(left) <= 2 * len(TABLES) + 1, "more than the writer that was killed can have left"

    waits = sorted((write.returned or write.invoked) - write.invoked for write in writes)
    longest, median = waits[-1] / 1e9, waits[len(waits) // 2] / 1e9
    arrivals = [(write.invoked, answered[write.id]) for write in writes if write.id in answered]
    overtaking = max(sum(later > invoked and number < own for later, number in arrivals) for invoked, own in arrivals)
    measured = (
        f"{len(answered)} commits to {len(TABLES)} tables by {WRITERS + 1} processes in {time.monotonic() - begun:.0f} s,"
        f" {len(reads)} reads, {compactions} compactions; a writer waited {median:.3f} s (median), at most"
        f" {longest:.2f} s, and was overtaken by {overtaking} at most"
    )
    record_property("measured", measured)
    print(measured)
    assert longest < max(LONGEST_WAIT_SECONDS, LONGEST_WAIT_MEDIANS * median)
    assert overtaking <= MOST_OVERTAKING


def run_all(root: Path, said: dict[str, Path], over: Path) -> None:
    """All writers and readers at once; one writer is killed, readers look once more when all have written."""
    with ExitStack() as stack:
        readers = [
            stack.enter_context(started(path, "read", root, over)) for name, path in said.items() if "read" in name
        ]
        writers = [
            stack.enter_context(started(said[str(writer)], "write", root, writer, COMMITS)) for writer in range(WRITERS)
        ]
        victim = stack.enter_context(started(said[str(KILLED)], "write", root, KILLED, COMMITS))
        while len(lines(said[str(KILLED)])) < 2 * KILLED_AFTER:
            assert victim.poll() is None
            time.sleep(0.05)
        time.sleep(random.uniform(0, 0.2))
        victim.kill()
        assert [writer.wait() for writer in writers] == [0] * WRITERS
        over.touch()
        assert [reader.wait() for reader in readers] == [0] * READERS
