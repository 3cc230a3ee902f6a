"""The engine is killed while jobs are at work; the same run is taken up, fails, is mended and taken up again.

The jobs note every start in a file outside of the run: whatever happens, no work is done twice.
"""

from __future__ import annotations

from collections import Counter

import pytest

pytestmark = pytest.mark.timeout(600)  # as long as a pool may be busy with other tests

HELD = range(4)
STEP = """#!/bin/sh
# NAME JOURNAL GATE OUTPUT INPUT...: notes its start, waits until the gate is open
set -e
name=$1 journal=$2 gate=$3 output=$4; shift 4
echo "$name" >> "$journal"
while [ ! -e "$gate" ]; do sleep 0.05; done
{ echo "$name"; cat "$@" < /dev/null; } > "$output"
"""
BROKEN = """#!/bin/sh
# NAME JOURNAL NEEDED OUTPUT: fails as long as NEEDED is not there
echo "$1" >> "$2"
[ -e "$3" ] || { echo "$3 is not there" >&2; exit 5; }
echo mended > "$4"
"""
JOBS = {"before", *(f"held-{n}" for n in HELD), *(f"next-{n}" for n in HELD), "last", "broken", "after-broken"}


@pytest.fixture
def story(once, job, until):
    """(bench, what was said while it was at work, after the kill, after it was taken up, after it was mended)."""
    return once("resume", lambda bench: make(bench, job, until))


def make(bench, job, until):
    marks = bench.marks
    journal = marks / "journal"
    workflow = bench.write("resume", PROGRAMS, jobs(job, marks))
    with bench.started(*bench.plan_and_run(workflow)) as process:
        until(lambda: journal.exists() and len(journal.read_text().split()) >= 1 + len(HELD), process)
        at_work = look(bench)
        process.kill()
        process.wait(timeout=60)
    killed = look(bench)
    with bench.started(*bench.go_on()) as process:
        (marks / "gate").touch()
        said = bench.wait(process)
    taken_up = {"said": said.document, **look(bench)}
    (marks / "needed").touch()
    mended = {"said": bench.call(*bench.go_on()).document, **look(bench)}
    again = {"said": bench.call(*bench.go_on()).document, **look(bench)}
    return {"at work": at_work, "killed": killed, "taken up": taken_up, "mended": mended, "again": again}


PROGRAMS = {"step": STEP, "broken": BROKEN}


def jobs(job, marks):
    journal, gate, open_gate = str(marks / "journal"), str(marks / "gate"), str(marks)

    def step(name, gate, *inputs):
        return job(name, "step", name, journal, gate, f"{name}.out", *inputs, reads=inputs, writes=[f"{name}.out"])

    return [
        step("before", open_gate),
        *(step(f"held-{n}", gate, "before.out") for n in HELD),
        *(step(f"next-{n}", open_gate, f"held-{n}.out") for n in HELD),
        step("last", open_gate, *(f"next-{n}.out" for n in HELD)),
        job("broken", "broken", "broken", journal, str(marks / "needed"), "broken.out",
            reads=["held-0.out"], writes=["broken.out"]),
        step("after-broken", open_gate, "broken.out"),
    ]  # fmt: skip


def look(bench):
    """What a user sees of the run now, and what its jobs have noted so far."""
    status = bench.call("status", str(bench.run_dir), "--format", "json")
    return {
        "status": status.document,
        "code": status.code,
        "journal": (bench.marks / "journal").read_text().split(),
        "jobs": bench.site.query("jobs show id, status, attempts"),
        "files": bench.site.query("files show name, status"),
    }


def rows(stage) -> dict[str, tuple[str, int]]:
    found = {row["id"]: (row["status"], row["attempts"]) for row in stage["jobs"]}
    assert len(found) == len(stage["jobs"])
    return found


def test_status_of_a_run_that_another_command_is_at_work_on(story) -> None:
    _, stages = story
    at_work = stages["at work"]
    assert (at_work["code"], at_work["status"]["status"]) == (3, "incomplete")
    assert at_work["status"]["jobs"]["total"] == len(JOBS)
    assert at_work["status"]["jobs"]["succeeded"] == 1


def test_a_killed_engine_leaves_a_run_that_is_not_complete(story) -> None:
    _, stages = story
    killed = stages["killed"]
    assert (killed["code"], killed["status"]["status"]) == (3, "incomplete")
    assert Counter(killed["journal"]) == Counter(["before", *(f"held-{n}" for n in HELD)])


def test_the_next_command_does_what_is_left_and_nothing_twice(story) -> None:
    _, stages = story
    taken_up = stages["taken up"]
    assert taken_up["code"] == 1
    assert taken_up["said"]["jobs"] == taken_up["status"]["jobs"] == {
        "total": len(JOBS), "run": len(JOBS) - 1, "reused": 0, "succeeded": len(JOBS) - 2, "failed": 1,
        "integrity_failed": 0, "not_run": 1,
    }  # fmt: skip
    assert Counter(taken_up["journal"]) == Counter(JOBS - {"after-broken"})
    done = dict.fromkeys(JOBS - {"broken", "after-broken"}, ("succeeded", 1))
    assert rows(taken_up) == {**done, "broken": ("failed", 1), "after-broken": ("not_run", 0)}


def test_a_failed_run_that_is_mended_goes_on_from_there(story) -> None:
    bench, stages = story
    mended = stages["mended"]
    assert mended["code"] == 0 and mended["said"]["status"] == "succeeded"
    assert mended["said"]["jobs"]["succeeded"] == len(JOBS) and mended["said"]["jobs"]["failed"] == 0
    assert Counter(mended["journal"]) == Counter([*JOBS, "broken"])
    expected = {**dict.fromkeys(JOBS, ("succeeded", 1)), "broken": ("succeeded", 2)}
    assert rows(mended) == expected
    text = (bench.run_dir / "output" / "last.out").read_text()
    assert text == "last\n" + "".join(f"next-{n}\nheld-{n}\nbefore\n" for n in HELD)


def test_nothing_is_on_record_twice(story) -> None:
    bench, stages = story
    files = Counter(row["name"] for row in stages["mended"]["files"])
    assert files == Counter(f"{name}.out" for name in JOBS)
    assert {row["status"] for row in stages["mended"]["files"]} == {"ok"}
    assert len(list((bench.run_dir / "records").rglob("*.json"))) == len(JOBS) + 1


def test_a_run_that_is_done_stays_as_it_is(story) -> None:
    _, stages = story
    mended, again = stages["mended"], stages["again"]
    assert again["code"] == 0 and again["said"]["jobs"] == mended["said"]["jobs"]
    for key in ("journal", "jobs", "files"):
        assert again[key] == mended[key], key
