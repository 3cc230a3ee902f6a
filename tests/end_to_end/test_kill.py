"""The engine is killed again and again: every time the same command completes the run, and nothing ran or counts
twice.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

JOBS = 200
KILLS = 20
WITH_JOBS_AT_WORK = 15

# Each start is a synced line outside of every folder of the run; each job takes long enough to be caught at work.
JOB = """import os, sys, time
journal, name, output, *inputs = sys.argv[1:]
line = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(line, (name + "\\n").encode())
os.fsync(line)
time.sleep(0.12)
open(output, "w").write(name + "".join(open(path).read() for path in inputs)[:50])
"""


def workflow_of(journal: Path) -> str:
    """200 jobs in ten layers; each reads two outputs of the layer before."""
    jobs = []
    for number in range(JOBS):
        layer, place = divmod(number, 20)
        parents = [(layer - 1) * 20 + (place + step) % 20 for step in (0, 7)] if layer else []
        inputs = [f"o{parent}" for parent in parents]
        uses = [{"lfn": f"o{number}", "type": "output"}, *({"lfn": name, "type": "input"} for name in inputs)]
        jobs.append(
            {
                "type": "job",
                "id": f"j{number}",
                "name": "step",
                "arguments": [str(journal), f"j{number}", f"o{number}", *inputs],
                "uses": uses,
            }
        )
    return json.dumps({"pegasus": "5.0", "name": "kill", "jobs": jobs})


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants_of(pid: int) -> list[int]:
    found = children_of(pid)
    for child in found[:]:
        found += descendants_of(child)
    return found


QUICK = """#!/bin/sh
# JOURNAL NAME OUTPUT INPUT...: one synced line for each start
printf '%s\\n' "$2" | dd of="$1" oflag=append conv=notrunc,fsync status=none
sleep 0.02
shift; name=$1; shift; output=$1; shift
{ echo "$name"; cat "$@" </dev/null; } > "$output"
"""


def test_each_of_twenty_killed_runs_is_completed_by_the_next_command(site) -> None:
    """Twenty runs of their own, each killed once at a random moment."""
    program = site.folder / "quick.sh"
    program.write_text(QUICK)
    program.chmod(0o755)
    write_catalog(site.folder, program)
    chance = random.Random(20261124)
    at_work = 0
    for number in range(KILLS):
        journal = site.folder / f"journal-{number}"
        (site.folder / "kill.yml").write_text(workflow_of(journal))
        site.run("plan", "kill.yml", "-d", f"run-{number}", "--no-reuse")
        process = site.start("run", f"run-{number}", "-j", "4")
        at_work += kill_at_work(process, journal, chance.uniform(0.0, 2.5))
        final = site.run("run", f"run-{number}", "-j", "4", "--format", "json").json()
        assert final["status"] == "succeeded" and final["jobs"]["succeeded"] == JOBS
        assert Counter(journal.read_text().split()) == Counter({f"j{job}": 1 for job in range(JOBS)})
    assert at_work >= WITH_JOBS_AT_WORK, at_work
    for query, expected in (
        ('jobs where status = "succeeded" show workflow.id, id', KILLS * JOBS),
        ('files where origin = "produced" and status = "ok" show workflow.id, name', KILLS * JOBS),
    ):
        rows = [tuple(row.values()) for row in site.query(query)]
        assert len(rows) == len(set(rows)) == expected


def kill_at_work(process, journal: Path, delay: float) -> bool:
    """Kill an engine ``delay`` seconds after its first job has started; whether jobs were running then."""
    before = journal.stat().st_size if journal.exists() else 0
    limit = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < limit:
        if journal.exists() and journal.stat().st_size > before:
            break
        time.sleep(0.005)
    time.sleep(delay)
    running = len(descendants_of(process.pid)) > 1
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return running and process.returncode == -signal.SIGKILL


def write_catalog(folder: Path, program: Path) -> None:
    site = {"name": "local", "pfn": str(program), "type": "stageable"}
    (folder / "transformations.yml").write_text(
        json.dumps({"pegasus": "5.0", "transformations": [{"name": "step", "sites": [site]}]})
    )


def test_one_run_killed_twenty_times(site, script) -> None:
    program = script("step.py", JOB)
    journal = site.folder / "journal"
    (site.folder / "kill.yml").write_text(workflow_of(journal))
    write_catalog(site.folder, program)
    site.run("plan", "kill.yml", "-d", "run")
    chance = random.Random(20261123)
    at_work = 0
    for _ in range(KILLS):
        process = site.start("run", "run", "-j", "4")
        at_work += kill_at_work(process, journal, chance.uniform(0.0, 0.25))
    assert at_work >= WITH_JOBS_AT_WORK, at_work
    final = site.run("run", "run", "-j", "4", "--format", "json").json()
    assert final["status"] == "succeeded"
    assert final["jobs"] == {
        "total": JOBS, "run": JOBS, "reused": 0, "succeeded": JOBS, "failed": 0, "integrity_failed": 0, "not_run": 0,
    }  # fmt: skip
    starts = Counter(journal.read_text().split())
    assert set(starts) == {f"j{number}" for number in range(JOBS)}
    # The wrappers outlive a killed engine, so no job at all started twice, not only none that succeeded.
    assert set(starts.values()) == {1}
    rows = site.query('jobs where status = "succeeded" and workflow.name = "kill" show id, attempts limit 1000')
    assert Counter(row["id"] for row in rows) == Counter({f"j{number}": 1 for number in range(JOBS)})
    files = site.query('files where origin = "produced" show name, status limit 1000')
    assert Counter(row["name"] for row in files) == Counter({f"o{number}": 1 for number in range(JOBS)})
    assert {row["status"] for row in files} == {"ok"}
    lineage = site.run("lineage", "o199", "--format", "json").json()
    ids = [json.dumps(node["id"]) for node in lineage["nodes"]]
    assert len(ids) == len(set(ids))


def test_terminate_leaves_no_process_and_the_run_goes_on(site, script) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        name = signal.Signals(number).name
        marker = f"{site.folder}/{name}-sleeper"
        program = script(
            f"{name}.py",
            f"import os, subprocess, sys\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\nopen({marker!r}, 'a').close()\nimport time\ntime.sleep(300)\n",
        )
        workflow = site.folder / f"{name}.yml"
        workflow.write_text(
            f'pegasus: "5.0"\nname: {name}\n'
            f"transformationCatalog:\n  transformations:\n  - name: sleeper\n    sites: [{{name: local, pfn: {program}, type: stageable}}]\n"
            "jobs:\n- {type: job, id: sleep, name: sleeper, arguments: [], uses: [{lfn: o, type: output}]}\n"
        )
        process = site.start("run", str(workflow), "-d", name)
        limit = time.monotonic() + 30
        while not Path(marker).exists():
            assert time.monotonic() < limit and process.poll() is None
            time.sleep(0.02)
        family = descendants_of(process.pid)
        assert len(family) >= 3  # launcher, wrapper, command, and what the command started
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
        state = site.run("status", name, "--format", "json", code=3).json()
        assert state["status"] == "incomplete"
        # The program now ends at once: the run goes on from where it was stopped.
        script(f"{name}.py", "open('o', 'w').write('done')\n")
        resumed = site.start("run", name, "--format", "json")
        out, err = resumed.communicate(timeout=60)
        # The executable is not the one that was planned: it is refused, not run.
        assert resumed.returncode == 1 and json.loads(out)["jobs"]["integrity_failed"] == 1, err


SLOW = """#!/bin/sh
# JOURNAL OUTPUT: notes its start and its end, and is at work while the folder JOURNAL.closed is there
echo start >> "$1"
while [ -e "$1.closed" ]; do sleep 0.05; done
echo end >> "$1"
echo made > "$2"
"""


def test_a_command_that_outlived_engine_launcher_and_wrapper_has_ended_before_it_is_started_again(site) -> None:
    """As after `pkill -9 python`, which strikes all three and no command."""
    program, journal, door = site.folder / "slow.sh", site.folder / "journal", site.folder / "journal.closed"
    door.mkdir()
    program.write_text(SLOW)
    program.chmod(0o755)
    write_catalog(site.folder, program)
    job = {"type": "job", "id": "j", "name": "step", "arguments": [str(journal), "made"]}
    job["uses"] = [{"lfn": "made", "type": "output"}]
    (site.folder / "kill.yml").write_text(json.dumps({"pegasus": "5.0", "name": "kill", "jobs": [job]}))
    site.run("plan", "kill.yml", "-d", "run")
    process = site.start("run", "run")
    limit = time.monotonic() + 60
    while not (journal.exists() and journal.read_text()) and time.monotonic() < limit:
        time.sleep(0.01)
    struck = [process.pid, *(pid for pid in descendants_of(process.pid) if is_python(pid))]
    assert len(struck) == 3
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in struck:
            os.kill(pid, number)
    process.communicate(timeout=60)
    assert journal.read_text().split() == ["start"]
    resumed = site.start("run", "run", "--format", "json")
    said = next(line for line in resumed.stderr if "that an earlier engine had started" in line)
    assert "waiting for 1 jobs" in said
    assert journal.read_text().split() == ["start"]
    door.rmdir()
    out, _ = resumed.communicate(timeout=60)
    assert json.loads(out)["status"] == "succeeded"
    assert journal.read_text().split() == ["start", "end", "start", "end"]


def is_python(pid: int) -> bool:
    try:
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False  # it has just ended, as those that a shell starts do
