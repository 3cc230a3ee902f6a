"""Files of type `checkpoint`: what an attempt saved before it failed is what the next one goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from integrity.findings import Verdict
from planner.engines.local import run_local
from planner.engines.progress import Watch
from planner.plan_folder import read_plan
from planner.planned import Plan
from provenance.answers.ask import answer
from provenance.answers.designators import find_files
from provenance.answers.lineage import lineage
from provenance.answers.lineage_text import tree_lines
from provenance.check.whole import check_store
from provenance.reading.views import fetch

COUNT = "n=$(cat state || echo 0); n=$((n + 1)); echo $n > state; echo $n >> $JOURNAL"
"""One more than the checkpoint says, which is the new checkpoint; the journal has each."""


@dataclass
class Bench:
    world: Any
    raw: Path
    journal: Path
    walltime_seconds: int | None = None
    notes: list[str] = field(default_factory=list)

    def job(self, line: str, *, retries: int, **profiles: dict[str, str]) -> dict[str, Any]:
        return {
            "id": "long",
            "arguments": [line],
            "in": ["a", {"lfn": "state", "type": "checkpoint"}],
            "out": ["result"],
            "profiles": {"dagman": {"retry": retries}, "env": {"JOURNAL": str(self.journal)}, **profiles},
        }

    def run(self, job: dict[str, Any]) -> tuple[str, Plan]:
        plan = self.world.plan(self.world.write([job]))
        self.world.freeze(plan)
        return self.take_up(plan), plan

    def take_up(self, plan: Plan) -> str:
        watch = Watch(progress=lambda *_: None, note=self.notes.append)
        frozen = read_plan(plan.run_dir)
        in_time = tuple(replace(job, walltime_seconds=self.walltime_seconds) for job in frozen.jobs)
        return run_local(replace(frozen, jobs=in_time), self.world.store, at_once=1, watch=watch)

    def counted(self) -> list[int]:
        return [int(line) for line in self.journal.read_text().split()]

    def uses(self) -> list[tuple[int, str, str]]:
        """(attempt, direction, role) of all that was seen of the checkpoint, in order."""
        sql = "SELECT attempt, direction, role FROM uses WHERE name = 'state' ORDER BY ALL"
        return [tuple(row) for row in fetch(self.world.store, sql)]

    def status(self) -> tuple[str, int]:
        ((status, attempts),) = answer(self.world.store, "jobs show status, attempts").rows()
        return status, attempts


@pytest.fixture
def bench(world: Any, tmp_path: Path) -> Bench:
    world.tool('#!/bin/sh\nexec 2>/dev/null; exec /bin/sh -ec "$1"\n')
    return Bench(world, world.raw("a", "raw data\n"), tmp_path / "journal")


def test_each_attempt_goes_on_from_the_one_before(bench: Bench) -> None:
    state, plan = bench.run(bench.job(f"{COUNT}; test $n -ge 3; echo $n > result", retries=5))
    assert (state, bench.counted(), bench.status()) == ("succeeded", [1, 2, 3], ("succeeded", 3))
    assert bench.world.output(plan, "result").read_text() == "3\n"
    read_and_written = [(2, "read", "checkpoint"), (2, "write", "checkpoint")]
    assert bench.uses()[:3] == [(1, "write", "checkpoint"), *read_and_written]
    written = "SELECT file FROM uses WHERE name = 'state' AND direction = 'write' AND attempt = 1"
    read = "SELECT file FROM uses WHERE name = 'state' AND direction = 'read' AND attempt = 2"
    assert fetch(bench.world.store, written) == fetch(bench.world.store, read)
    assert check_store(bench.world.store.storage).verdict.value == Verdict.CLEAN.value


def test_what_a_job_read_of_itself_is_no_end_of_lineage(bench: Bench) -> None:
    bench.run(bench.job(f"{COUNT}; test $n -ge 3; echo $n > result", retries=5))
    store = bench.world.store
    rows = answer(store, 'files upstream of (files where name = "result") show name order by name').rows()
    assert [name for (name,) in rows] == ["a", "state", "state"]
    lines = [line.strip() for line in tree_lines(lineage(store, find_files(store, "result")))]
    assert [lines.count(line) for line in ("├─ a  (raw)", "├─ state", "└─ state")] == [1, 1, 1]
    assert sum("job long of w" in line for line in lines) == 3


def test_out_of_time_is_a_reason_to_go_on_too(bench: Bench) -> None:
    bench.walltime_seconds = 2
    job = bench.job(f"{COUNT}; test $n -ge 2 || sleep 60; echo $n > result", retries=1)
    state, _ = bench.run(job)
    assert (state, bench.counted()) == ("succeeded", [1, 2])


def test_a_run_that_is_taken_up_goes_on_from_what_there_was(bench: Bench) -> None:
    state, plan = bench.run(bench.job(f"{COUNT}; test $n -ge 2; echo $n > result", retries=0))
    assert (state, bench.counted()) == ("failed", [1])
    assert bench.take_up(plan) == "succeeded"
    assert bench.counted() == [1, 2]


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def saved(plan: Plan, attempt: int) -> Path:
    return plan.run_dir / "work" / f"1-{attempt}" / "state"


def test_one_that_was_damaged_is_left_out_and_an_older_one_taken(bench: Bench) -> None:
    _, plan = bench.run(bench.job(f"{COUNT}; test -e {bench.journal}.go; echo $n > result", retries=1))
    assert bench.counted() == [1, 2]
    flip_bit(saved(plan, 2))
    Path(f"{bench.journal}.go").touch()
    assert bench.take_up(plan) == "succeeded"
    assert bench.counted() == [1, 2, 2]
    assert any("its input state is content-mismatch: it goes on without it" in note for note in bench.notes)


def test_all_of_them_damaged_is_a_start_from_nothing(bench: Bench) -> None:
    _, plan = bench.run(bench.job(f"{COUNT}; test -e {bench.journal}.go; echo $n > result", retries=1))
    for attempt in (1, 2):
        flip_bit(saved(plan, attempt))
    Path(f"{bench.journal}.go").touch()
    assert bench.take_up(plan) == "succeeded"
    assert bench.counted() == [1, 2, 1]


def test_what_has_no_record_vouches_for_nothing(bench: Bench) -> None:
    """As after a crash of the machine: the work folder is there."""
    _, plan = bench.run(bench.job(f"{COUNT}; test -e {bench.journal}.go; echo $n > result", retries=1))
    (plan.run_dir / "records" / "0" / "1-2.json").unlink()
    Path(f"{bench.journal}.go").touch()
    assert bench.take_up(plan) == "succeeded"
    assert bench.counted() == [1, 2, 2]


def test_what_was_computed_of_other_bytes_is_left_out(bench: Bench) -> None:
    """The input was altered while the first attempt ran, and put right again."""
    line = f"{COUNT}; test -e {bench.journal}.go || echo x > {bench.raw}; echo $n > result"
    state, plan = bench.run(bench.job(line, retries=0))
    assert (state, bench.counted()) == ("failed", [1])
    bench.raw.write_text("raw data\n")
    Path(f"{bench.journal}.go").touch()
    assert bench.take_up(plan) == "succeeded"
    assert bench.counted() == [1, 1]


def test_before_the_first_attempt_it_is_what_the_catalog_has(bench: Bench) -> None:
    bench.world.raw("state", "7\n")
    state, _ = bench.run(bench.job(f"{COUNT}; echo $n > result", retries=0))
    assert (state, bench.counted()) == ("succeeded", [8])
