"""What befalls a run on a pool: the queue, DAGMan, starters and the engine die, jobs are held and removed, files go.

Whatever it is, the run ends as it should or goes on from where it was, no job begins more often than it has to, and
the store has every fact once.
"""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

INTERRUPTED = 130


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[2] ^= 8
    path.write_bytes(data)


def states_of(run) -> dict[str, tuple[str, int]]:
    """(status, attempts) of every job."""
    return {row["id"]: (row["status"], row["attempts"]) for row in run.site.query("jobs show id, status, attempts")}


def test_jobs_that_are_evicted_held_and_removed(pool_run) -> None:
    run = pool_run
    run.write(
        run.job("evicted"),
        run.job("held"),
        run.job("removed"),
        run.job("removed-once", retry=1),
        run.job("held-and-removed", retry=1),
        run.job("after-removed", "removed"),
        run.job("last", "evicted", "held", "removed-once", "held-and-removed"),
    )
    names = ("evicted", "held", "removed", "removed-once", "held-and-removed")
    run.close(*names)
    with run.planned_and_run() as engine:
        run.begun(engine, **dict.fromkeys(names, 1))
        ids = {name: run.condor_id(number) for number, name in enumerate(names, start=1)}
        run.pool.kill_starter(ids["evicted"])
        run.pool.hold(ids["held"], "a closer look")
        run.pool.hold(ids["held-and-removed"], "not for now")
        run.pool.tool("condor_rm", "-reason", "by mistake", ids["removed"])
        run.pool.tool("condor_rm", "-reason", "not this one", ids["removed-once"])
        log = run.run_dir / "pool" / "run.dag.nodes.log"
        run.until(lambda: log.read_text().count("Job was held.") == 2, engine)  # who is released before was never held
        run.pool.release(ids["held"])
        run.pool.tool("condor_rm", "-reason", "never", ids["held-and-removed"])
        again = {"evicted", "held", "removed-once", "held-and-removed"}
        run.begun(engine, **dict.fromkeys(again, 2))
        run.open(*names)
        summary, _ = run.end_of(engine, code=1)
    assert run.starts() == Counter({**dict.fromkeys(again, 2), "removed": 1, "last": 1})
    assert (summary["jobs"]["succeeded"], summary["jobs"]["failed"], summary["jobs"]["not_run"]) == (5, 1, 1)
    ((evicted, why),) = run.befell(1)
    assert evicted == "evicted" and why
    assert run.befell(2) == [
        ("held", "a closer look (by user pool) (code 1, subcode 0)"),
        ("released", "via condor_release (by user pool)"),
    ]
    assert run.befell(3) == [("removed", "by mistake (by user pool)")]
    assert run.befell(4) == [("removed", "not this one (by user pool)")]
    assert run.befell(5) == [
        ("held", "not for now (by user pool) (code 1, subcode 0)"),
        ("removed", "never (by user pool)"),
    ]
    assert [refusal["reason"] for number in (3, 4, 5) for refusal in run.refusals(number)] == [
        "no record came back: HTCondor removed the job"
    ] * 3
    analysis = run.site.run("analyze", "run", code=1).out
    for said in ("removed: by mistake (by user pool)", "held: a closer look", "evicted: ", "removed: never"):
        assert said in analysis, said
    run.nothing_twice()
    with run.gone_on() as engine:
        assert run.end_of(engine)[0]["jobs"]["succeeded"] == 7
    assert run.starts() == Counter({**dict.fromkeys(again, 2), "removed": 2, "last": 1, "after-removed": 1})
    assert states_of(run)["removed"] == ("succeeded", 2)
    run.nothing_twice()


FAILS_ONCE = """#!/bin/sh
# NAME FOLDER OUTPUT INPUT...
echo "$1" >> "$2/journal"
[ -e "$2/mended" ] || exit 1
echo "$1" > "$3"
"""


def test_dagman_and_the_engine_are_killed(pool_run) -> None:
    """DAGMan comes back by itself and remembers what the rescue file, and the log, say is done; so does the engine."""
    run = pool_run
    run.write(run.job("kept"))
    with run.planned_and_run() as engine:
        run.end_of(engine)
    run.write(
        run.job("kept"),
        run.job("first", "kept"),
        run.job("slow", "first"),
        run.job("fails", "first", program="fails"),
        run.job("last", "slow", "fails"),
        fails=FAILS_ONCE,
    )
    run.close("slow")
    later = run.in_folder("run-2")
    with later.planned_and_run() as engine:
        later.begun(engine, first=1, slow=1, fails=1)
        later.settled(2)
        (cluster,) = later.dagmans()
        later.pool.kill_dagman(cluster)
        engine.kill()
        engine.communicate()
    with later.gone_on() as engine:
        back = "001 ("
        log = later.run_dir / "pool" / "run.dag.dagman.log"
        later.until(lambda: log.read_text().count(back) >= 2, engine)
        assert engine.stderr is not None
        assert f"watching DAGMan {cluster}" in engine.stderr.readline()  # or DAGMan may end before the engine looks
        later.open("slow")
        summary, _ = later.end_of(engine, code=1)
    assert later.dagmans() == [cluster]
    assert later.starts() == Counter(kept=1, first=1, slow=1, fails=1)
    assert (summary["jobs"]["succeeded"], summary["jobs"]["failed"], summary["jobs"]["not_run"]) == (2, 1, 1)
    later.nothing_twice()
    (later.folder / "mended").touch()
    with later.gone_on() as engine:
        later.until(lambda: len(later.dagmans()) == 2, engine)
        later.until(lambda: later.pool.tool("condor_q", str(later.dagmans()[1]), "-af", "JobStatus").strip() == "2")
        later.pool.kill_dagman(later.dagmans()[1])  # what is done is known by the rescue file alone
        later.end_of(engine)
    assert later.starts() == Counter(kept=1, first=1, slow=1, fails=2, last=1)
    later.nothing_twice()


def test_the_schedd_is_restarted(pool_run_alone) -> None:
    run = pool_run_alone
    run.write(run.job("first"), run.job("slow", "first"), run.job("aside", "first"), run.job("last", "slow", "aside"))
    run.close("slow")
    with run.planned_and_run() as engine:
        run.begun(engine, slow=1, aside=1)
        run.pool.restart_schedd()
        run.open("slow")
        summary, notes = run.end_of(engine)
    assert summary["jobs"]["succeeded"] == 4, notes
    assert run.starts() == Counter(first=1, slow=1, aside=1, last=1)  # the worker goes on while the schedd is away
    assert len(run.dagmans()) == 1
    run.nothing_twice()


def test_the_engine_goes_and_the_run_goes_on(pool_run) -> None:
    """Interrupted, then watched again and killed, then not watched to the end: then it has only to be concluded."""
    run = pool_run
    run.write(run.job("first"), run.job("evicted", "first"), run.job("slow", "first"), run.job("last", "slow"))
    run.close("slow", "evicted")
    with run.planned_and_run() as engine:
        run.begun(engine, slow=1, evicted=1)
        engine.send_signal(signal.SIGINT)
        summary, notes = run.end_of(engine, code=INTERRUPTED)
    assert summary["status"] == "incomplete" and "goes on without being watched" in notes
    assert summary["jobs"]["succeeded"] == 1
    with run.gone_on() as engine:
        run.until(lambda: "running" in {row[0] for row in run.rows("workflow_states", "state")})
        engine.kill()
        engine.communicate()
    run.pool.kill_starter(run.condor_id(2))
    run.begun(None, evicted=2)
    run.open("slow", "evicted")
    run.settled(1, 2, 3, 4)
    run.dagman_gone()
    status = run.site.run("status", "run", "--format", "json", code=3).json()
    assert status["jobs"]["succeeded"] == 4
    with run.gone_on() as engine:
        summary, notes = run.end_of(engine)
    assert (summary["status"], summary["jobs"]["succeeded"]) == ("succeeded", 4)
    assert len(run.dagmans()) == 1 and "submitted" not in notes
    assert run.starts() == Counter(first=1, evicted=2, slow=1, last=1)
    assert [state for state, _ in run.befell(2)] == ["evicted"]
    run.nothing_twice()
    before = run.rows("workflow_states", "*")
    with run.gone_on() as engine:
        run.end_of(engine)
    assert run.rows("workflow_states", "*") == before


def test_a_run_is_removed_and_goes_on(pool_run) -> None:
    run = pool_run
    run.write(run.job("first"), run.job("slow", "first"), run.job("quick", "first"), run.job("last", "slow", "quick"))
    run.close("slow")
    with run.planned_and_run() as engine:
        run.begun(engine, slow=1)
        run.settled(3)
        run.site.run("remove", "run")
        summary, notes = run.end_of(engine, code=INTERRUPTED)
    assert summary["status"] == "incomplete", notes
    assert "incomplete (DAGMan" in run.site.run("status", "run", code=3).out
    ((state, why),) = run.befell(2)
    assert state == "removed" and f"when job ({run.dagmans()[0]}.0) was removed" in why
    run.open("slow")
    with run.gone_on() as engine:
        assert run.end_of(engine)[0]["jobs"]["succeeded"] == 4
    assert run.starts() == Counter(first=1, slow=2, quick=1, last=1)
    run.nothing_twice()


TICKS = """#!/bin/sh
# NAME FOLDER OUTPUT INPUT...: never twice the same
echo "$1" >> "$2/journal"
date +%s%N > "$3"
"""
READER_SABOTEUR = """#!/bin/sh
# One bit of what the job `sees-damage` reads, on the worker alone and once.
grep -q '"id":"sees-damage"' job.json || exit 0
[ -e {folder}/damaged ] && exit 0
touch {folder}/damaged
chmod u+w work/shown.out
sed -i s/shown/shovn/ work/shown.out
"""


def test_reused_files_that_are_gone_or_damaged(pool_run) -> None:
    """Producers of what is gone run after all, each once, and so does what would read something else now; what was
    damaged on its way to a worker only is sent again.
    """
    run = pool_run
    jobs = (
        run.job("gone"),
        run.job("shown"),
        run.job("ticks", program="ticks"),
        run.job("reads-gone", "gone"),
        run.job("reads-tick", "ticks"),
    )
    run.write(*jobs, ticks=TICKS)
    with run.planned_and_run() as engine:
        run.end_of(engine)
    assert run.starts() == Counter({job["id"]: 1 for job in jobs})
    new = (run.job("also-reads-gone", "gone"), run.job("sees-damage", "shown"), run.job("after", "sees-damage"))
    run.write(*jobs, *new, ticks=TICKS)
    later = run.in_folder("run-2")
    run.site.run("plan", "workflow.yml", "-d", "run-2", "--engine", "htcondor")
    for name in ("gone", "ticks"):
        (run.run_dir / "output" / f"{name}.out").unlink()
    saboteur = run.folder / "saboteur"
    saboteur.write_text(READER_SABOTEUR.format(folder=run.folder))
    saboteur.chmod(0o755)
    run.own()
    with later.gone_on() as engine:
        summary, notes = later.end_of(engine)
    assert summary["jobs"]["succeeded"] + summary["jobs"]["reused"] == 8
    for name in ("gone", "ticks", "reads-tick"):
        assert notes.count(f"{name} runs after all") == 1, notes
    assert notes.count("sees-damage runs again") == notes.count("it is sent again") == 1, notes
    assert later.starts() == Counter(
        {"gone": 2, "shown": 1, "ticks": 2, "reads-gone": 1, "reads-tick": 2}
        | dict.fromkeys(("also-reads-gone", "sees-damage", "after"), 1)
    )
    output = later.run_dir / "output"
    assert (output / "reads-tick.out").read_text() == "reads-tick\n" + (output / "ticks.out").read_text()
    assert (output / "after.out").read_text() == "after\nsees-damage\nshown\n"
    rows = later.site.query('checks where verdict = "mismatch" show name, stage, job.id')
    assert [(row["name"], row["stage"]) for row in rows] == [("shown.out", "pre-exec")]
    later.nothing_twice()


MAKES_NOTHING = """#!/bin/sh
# NAME FOLDER OUTPUT INPUT...
echo "$1" >> "$2/journal"
"""
UNWATCHED_SABOTEUR = """#!/bin/sh
# One bit of what these jobs read, on the worker alone; of what `sees-damage` reads only once.
if grep -q '"id":"sees-damage"' job.json; then
  [ -e {folder}/damaged ] && exit 0
  touch {folder}/damaged
  chmod u+w work/shown.out
  sed -i s/shown/shovn/ work/shown.out
elif grep -q '"id":"refused"' job.json; then
  chmod u+w work/gate.out
  sed -i s/gate/gade/ work/gate.out
fi
"""


def test_what_ended_while_nobody_watched_is_told_as_if_somebody_had(pool_run) -> None:
    run = pool_run
    shown = run.job("shown")
    run.write(shown)
    with run.planned_and_run() as engine:
        run.end_of(engine)
    nothing = run.job("nothing", "gate", program="nothing")
    nothing["uses"][-1]["optional"] = True
    run.write(
        shown,
        run.job("gate"),
        run.job("sees-damage", "shown", "gate"),
        nothing,
        run.job("needs", "nothing"),
        run.job("refused", "gate"),
        run.job("after-refused", "refused"),
        run.job("slow", "gate"),
        nothing=MAKES_NOTHING,
    )
    saboteur = run.folder / "saboteur"
    saboteur.write_text(UNWATCHED_SABOTEUR.format(folder=run.folder))
    saboteur.chmod(0o755)
    run.own()
    run.close("gate", "slow")
    later = run.in_folder("run-2")
    with later.planned_and_run("--on-mismatch", "fail") as engine:
        later.begun(engine, gate=1)
        engine.kill()
        engine.communicate()
    later.open("gate")
    later.begun(None, slow=1)
    later.until(lambda: later.refusals(5) and later.records(3) and later.records(6))
    with later.gone_on() as engine:
        later.until(lambda: later.rows("invocations", "job"), engine)
        later.open("slow")
        summary, notes = later.end_of(engine, code=1)
    assert notes.count("shown runs after all") == 1, notes
    assert summary["jobs"]["integrity_failed"] == 1 and summary["jobs"]["not_run"] == 2
    assert later.starts() == Counter(dict.fromkeys(("gate", "sees-damage", "nothing", "slow"), 1), shown=2)
    analysis = later.site.run("analyze", "run-2", "--format", "json", code=1).json()
    assert {entry["job"]: entry["reason"] for entry in analysis["not_run"]} == {
        "needs": "its input nothing.out was not made: it is optional for the job that makes it",
        "after-refused": "refused, which it depends on, was refused (integrity)",
    }
    assert [failure["job"] for failure in analysis["failures"]] == ["refused"]
    later.nothing_twice()
