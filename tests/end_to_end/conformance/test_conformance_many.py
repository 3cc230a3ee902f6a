"""Two hundred jobs: one file for all of them, and all of their files for one."""

from __future__ import annotations

from collections import Counter

import pytest

pytestmark = pytest.mark.timeout(600)  # as long as a pool may be busy with other tests

JOBS = 200
NUMBERS = range(1, JOBS - 1)
ONE = """#!/bin/sh
# NUMBER INPUT OUTPUT JOURNAL
read -r seed < "$2"
echo "$seed $1" > "$3"
echo "$1" >> "$4"
"""
SEED = """#!/bin/sh
echo seed > seed
"""
MERGE = """#!/bin/sh
# OUTPUT COUNT: parts in the order of their numbers
n=1
while [ "$n" -le "$2" ]; do cat "part-$n"; n=$((n + 1)); done > "$1"
"""


@pytest.fixture
def many(ran, job):
    """The run."""
    return ran("many", lambda bench: make(bench, job))


def make(bench, job):
    parts = {number: f"part-{number}" for number in NUMBERS}
    jobs = [
        job("seed", "seed", writes=["seed"]),
        *(
            job(f"one-{n}", "one", str(n), "seed", part, str(bench.marks / "journal"), reads=["seed"],
                uses=[{"lfn": part, "type": "output", "stageOut": False}])
            for n, part in parts.items()
        ),
        job("merge", "merge", "merged", str(len(parts)), reads=parts.values(), writes=["merged"]),
    ]  # fmt: skip
    return bench.call(*bench.plan_and_run(bench.write("many", {"one": ONE, "seed": SEED, "merge": MERGE}, jobs)))


def test_all_of_them_succeeded(many) -> None:
    assert many.code == 0, many.err
    assert many.summary["jobs"] == {
        "total": JOBS, "run": JOBS, "reused": 0, "succeeded": JOBS, "failed": 0, "integrity_failed": 0, "not_run": 0,
    }  # fmt: skip
    assert {row["status"] for row in many.jobs.values()} == {"succeeded"}
    assert many.output("merged").read_text() == "".join(f"seed {number}\n" for number in NUMBERS)


def test_each_ran_once_and_is_on_record_once(many) -> None:
    journal = (many.bench.marks / "journal").read_text().split()
    assert Counter(journal) == Counter({str(number): 1 for number in NUMBERS})
    assert {row["attempts"] for row in many.jobs.values()} == {1}
    assert len(list((many.bench.run_dir / "records").rglob("*.json"))) == JOBS
    produced = Counter(row["name"] for row in many.files)
    assert produced == Counter(["seed", "merged", *(f"part-{number}" for number in NUMBERS)])


def test_lineage_of_the_last_has_them_all(many) -> None:
    lineage = many.bench.call("lineage", str(many.output("merged")), "--format", "json").document
    jobs = Counter(node["job"] for node in lineage["nodes"] if node.get("job"))
    assert jobs == Counter(many.jobs.keys())
