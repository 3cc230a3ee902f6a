"""Failing jobs: what the exit code, `analyze` and the records say, and what did not run."""

from __future__ import annotations

from pathlib import Path

HEADER = 'pegasus: "5.0"\nname: fails\n'


def workflow(site, programs: dict[str, str], jobs: str, script) -> Path:
    entries = ""
    for name, text in programs.items():
        path = script(f"bin/{name}.py", text)
        entries += f"  - name: {name}\n    sites: [{{name: local, pfn: {path}, type: stageable}}]\n"
    path = site.folder / "fails.yml"
    path.write_text(f"{HEADER}transformationCatalog:\n  transformations:\n{entries}{jobs}")
    return path


CHAIN = """jobs:
- {type: job, id: first, name: breaks, arguments: [a b, ''], uses: [{lfn: f1, type: output}]}
- {type: job, id: second, name: works, arguments: [f2], uses: [{lfn: f1, type: input}, {lfn: f2, type: output}]}
- {type: job, id: aside, name: works, arguments: [f3], uses: [{lfn: f3, type: output}]}
"""
WORKS = "import sys\nopen(sys.argv[1], 'w').write('x')\n"


def test_a_non_zero_exit(site, script) -> None:
    breaks = "import sys\nprint('on the way')\nprint('what went wrong', file=sys.stderr)\nsys.exit(7)\n"
    path = workflow(site, {"breaks": breaks, "works": WORKS}, CHAIN, script)
    run = site.run("run", str(path), "--format", "json", code=1).json()
    assert run["jobs"] == {
        "total": 3, "run": 2, "reused": 0, "succeeded": 1, "failed": 1, "integrity_failed": 0, "not_run": 1,
    }  # fmt: skip
    report = site.run("analyze", run["run"], "--format", "json", code=1).json()
    (failure,) = report["failures"]
    assert (failure["job"], failure["exit_code"], failure["signal"]) == ("first", 7, None)
    assert failure["command"][1:] == ["a b", ""]
    assert failure["stderr"] == "what went wrong\n" and failure["stdout"] == "on the way\n"
    assert Path(failure["work_dir"]).is_dir() and Path(failure["record"]).is_file()
    assert [job["job"] for job in report["not_run"]] == ["second"]
    assert "first" in report["not_run"][0]["reason"]
    text = site.run("analyze", run["run"], code=1).out
    for shown in ("first", "'a b' ''", "exit code 7", "what went wrong", failure["work_dir"], "second"):
        assert shown in text
    assert "output     f1: missing" in text and "nothing readable" not in text
    assert site.query('jobs where status = "not_run" show id') == [{"id": "second"}]


def test_a_signal_a_missing_output_and_a_symlink(site, script) -> None:
    programs = {
        "dies": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
        "forgets": "pass\n",
        "links": "import os\nos.symlink('/etc/hostname', 'l')\n",
    }
    jobs = """jobs:
- {type: job, id: dies, name: dies, arguments: [], uses: [{lfn: d, type: output}]}
- {type: job, id: forgets, name: forgets, arguments: [], uses: [{lfn: m, type: output}, {lfn: o, type: output, optional: true}]}
- {type: job, id: links, name: links, arguments: [], uses: [{lfn: l, type: output}]}
"""
    run = site.run("run", str(workflow(site, programs, jobs, script)), "--format", "json", code=1).json()
    assert run["jobs"]["failed"] == 3
    failures = {entry["job"]: entry for entry in site.run("analyze", "--format", "json", code=1).json()["failures"]}
    assert failures["dies"]["signal"] == 11 and "SIGSEGV" in failures["dies"]["failure"]
    assert failures["forgets"]["exit_code"] == 0 and "'m'" in failures["forgets"]["failure"]
    assert "l" in failures["links"]["failure"]


def test_retries(site, script) -> None:
    tally = site.folder / "tally"
    flaky = f"""import os, sys
with open({str(tally)!r}, "a") as tally:
    tally.write("x")
if os.path.getsize({str(tally)!r}) < 3:
    sys.exit(1)
open("r", "w").write("finally")
"""
    jobs = """jobs:
- type: job
  id: flaky
  name: flaky
  arguments: []
  profiles: {dagman: {RETRY: 2}}
  uses: [{lfn: r, type: output}]
"""
    run = site.run("run", str(workflow(site, {"flaky": flaky}, jobs, script)), "--format", "json").json()
    assert run["jobs"]["succeeded"] == 1
    assert tally.read_text() == "xxx"
    assert site.query("jobs show id, attempts, status") == [{"id": "flaky", "attempts": 3, "status": "succeeded"}]


def test_grandchildren_are_waited_for(site, script) -> None:
    forks = """import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.7)
        open("late", "w").write("written by a grandchild")
    os._exit(0)
"""
    jobs = "jobs:\n- {type: job, id: forks, name: forks, arguments: [], uses: [{lfn: late, type: output}]}\n"
    run = site.run("run", str(workflow(site, {"forks": forks}, jobs, script)), "--format", "json").json()
    assert (Path(run["output_dir"]) / "late").read_text() == "written by a grandchild"


def test_odd_names_arguments_and_empty_files(site, script) -> None:
    names = [
        "with space",
        "quo'te\"s",
        "new\nline",
        "emoji-\U0001f40e",
        "comma,semi;",
        "-dash",
        "sub/folder/file",
        "empty",
    ]
    program = """import os, sys
for name in sys.argv[1:]:
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    open("./" + name, "w").write("" if name == "empty" else name)
"""
    reads = "import sys\nopen('all', 'w').write('|'.join(open('./' + name).read() for name in sys.argv[1:]))\n"
    import json

    outputs = [{"lfn": name, "type": "output"} for name in names]
    inputs = [{"lfn": name, "type": "input"} for name in names]
    jobs = "jobs: " + json.dumps(
        ensure_ascii=False,
        obj=[
            {"type": "job", "id": "writes", "name": "writes", "arguments": names, "uses": outputs},
            {
                "type": "job",
                "id": "reads",
                "name": "reads",
                "arguments": names,
                "uses": [*inputs, {"lfn": "all", "type": "output"}],
            },
        ],
    )
    run = site.run(
        "run", str(workflow(site, {"writes": program, "reads": reads}, jobs, script)), "--format", "json"
    ).json()
    assert (Path(run["output_dir"]) / "all").read_text() == "|".join("" if name == "empty" else name for name in names)
    assert {row["name"] for row in site.query('files where origin = "produced" show name')} == {*names, "all"}
    again = site.run("run", "fails.yml", "--format", "json").json()
    assert again["jobs"]["reused"] == 2


def test_one_engine_at_a_time(site, script) -> None:
    gate = site.folder / "gate"
    waits = f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\nopen('w', 'w').close()\n"
    jobs = "jobs:\n- {type: job, id: waits, name: waits, arguments: [], uses: [{lfn: w, type: output}]}\n"
    path = workflow(site, {"waits": waits}, jobs, script)
    process = site.start("run", str(path), "-d", "run")
    import time

    limit = time.monotonic() + 30
    while not any((site.folder / "run" / "work").glob("*")):
        assert time.monotonic() < limit
        time.sleep(0.02)
    refused = site.run("run", "run", code=2)
    assert "another" in refused.err
    assert site.run("status", "run", "--format", "json", code=3).json()["status"] == "incomplete"
    gate.touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_run_whose_records_cannot_be_written_stops_and_can_be_taken_up(site, script) -> None:
    starts = site.folder / "starts"
    program = f"import sys\nopen({str(starts)!r}, 'a').write('x')\nopen(sys.argv[1], 'w').write('x')\n"
    jobs = "jobs:\n" + "".join(
        f"- {{type: job, id: j{n}, name: writes, arguments: [f{n}], uses: [{{lfn: f{n}, type: output}}]}}\n"
        for n in range(3)
    )
    site.run("plan", str(workflow(site, {"writes": program}, jobs, script)), "-d", "r")
    obstacle = site.folder / "r" / "records" / "0" / "2-1.json.tmp"
    obstacle.mkdir(parents=True)
    said = site.run("run", "r", "-j", "1", code=2).err
    assert "what j1 did could not be recorded" in said and "Traceback" not in said
    assert starts.read_text() == "x"
    obstacle.rmdir()
    assert site.run("run", "r", "--format", "json").json()["jobs"]["succeeded"] == 3
    assert starts.read_text() == "xxx"


def test_a_job_whose_wrapper_is_killed_has_failed(site, script) -> None:
    """As the system does when memory runs out: nobody is left to write a record."""
    kills = "import os, signal, sys\nif not os.path.exists(sys.argv[1]):\n    os.kill(os.getppid(), signal.SIGKILL)\n"
    kills += "open('f1', 'w').write('x')\n"
    reprieve = site.folder / "reprieve"
    jobs = CHAIN.replace("[a b, '']", f"[{reprieve}]")
    run = site.run(
        "run", str(workflow(site, {"breaks": kills, "works": WORKS}, jobs, script)), "--format", "json", code=1
    )
    counts = run.json()["jobs"]
    assert (counts["failed"], counts["succeeded"], counts["not_run"]) == (1, 1, 1)
    assert site.query('jobs where status = "failed" show id, attempts') == [{"id": "first", "attempts": 1}]
    said = site.run("analyze", code=1).out
    assert "first: its wrapper was ended by signal 9 and left no record" in said
    reprieve.touch()
    assert site.run("run", run.json()["run_dir"], "--format", "json").json()["jobs"]["succeeded"] == 3
    assert site.query("jobs where status = 'succeeded' and attempts = 2 show id") == [{"id": "first"}]


def test_a_job_whose_output_cannot_get_to_its_place_has_failed_until_it_can(site, script) -> None:
    obstacle = site.folder / "out" / "f3"
    obstacle.mkdir(parents=True)
    (obstacle / "kept").touch()
    jobs = CHAIN.replace("breaks, arguments: [a b, '']", "works, arguments: [f1]")
    path = str(workflow(site, {"works": WORKS}, jobs, script))
    run = site.run("run", path, "--output-dir", "out", "--format", "json", code=1).json()
    assert (run["jobs"]["failed"], run["jobs"]["succeeded"]) == (1, 2)
    (failure,) = site.run("analyze", "--format", "json", code=1).json()["failures"]
    assert failure["job"] == "aside" and "in the way" in failure["failure"] and failure["exit_code"] == 0
    (obstacle / "kept").unlink()
    obstacle.rmdir()
    again = site.run("run", run["run_dir"], "--format", "json").json()
    assert (again["jobs"]["failed"], again["jobs"]["succeeded"]) == (0, 3)
    assert site.query("jobs show id, status, attempts order by id") == [
        {"id": id_, "status": "succeeded", "attempts": 1} for id_ in ("aside", "first", "second")
    ]
