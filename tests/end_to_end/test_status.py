"""Where a run is, from its plan to its end, in the words that a person reads."""

from __future__ import annotations

import signal
import time
from pathlib import Path

QUICK = "import sys\nopen(sys.argv[1], 'w').write('x')\n"
WAITS = """import os, sys, time
while not os.path.exists(sys.argv[2]):
    time.sleep(0.02)
open(sys.argv[1], 'w').write('x')
"""


def until(condition, seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.05)


def workflow(site, script) -> Path:
    quick, waits = script("bin/quick.py", QUICK), script("bin/waits.py", WAITS)
    path = site.folder / "two.yml"
    path.write_text(f"""pegasus: "5.0"
name: two
transformationCatalog:
  transformations:
  - {{name: quick, sites: [{{name: local, pfn: {quick}, type: stageable}}]}}
  - {{name: waits, sites: [{{name: local, pfn: {waits}, type: stageable}}]}}
jobs:
- {{type: job, id: first, name: quick, arguments: [f], uses: [{{lfn: f, type: output}}]}}
- {{type: job, id: second, name: waits, arguments: [s, "{site.folder / "go"}"], uses: [{{lfn: f, type: input}}, {{lfn: s, type: output}}]}}
""")
    return path


def test_planned_running_interrupted_succeeded_reused(site, script) -> None:
    path = workflow(site, script)
    site.run("plan", str(path), "-d", "run")
    planned = site.run("status", "run", code=3)
    assert planned.out.splitlines()[:2] == ["two: planned", "  jobs     2: 2 to go"]
    assert f"`pirene run {site.folder / 'run'}` runs it." in planned.err
    engine = site.start("run", "run")
    until(lambda: site.run("status", "run", code=3).out.startswith("two: running for "))
    assert site.run("status", "run", code=3).out.splitlines()[1] == "  jobs     2: 1 succeeded, 1 to go"
    assert site.run("status", "run", "--format", "json", code=3).json()["status"] == "incomplete"
    engine.send_signal(signal.SIGINT)
    out, err = engine.communicate(timeout=60)
    assert engine.returncode == 130
    assert out.startswith("two: incomplete (interrupted) after ") and "goes on from here" in err
    (site.folder / "go").touch()
    assert site.run("run", "run").out.splitlines()[1] == "  jobs     2: 2 succeeded"
    ended = site.run("status", "run", "--format", "json").json()
    assert site.run("run", "run", "--format", "json").json() == ended  # there was nothing to do
    assert site.run("run", str(path), "-d", "again").out.splitlines()[1] == "  jobs     2: 2 reused"
    ended = site.run("status", "again", "--format", "json").json()
    assert site.run("run", "again", "--format", "json").json() == ended


def test_an_interrupted_exec(site) -> None:
    command = site.start("exec", "--out", "o", "--", "sh", "-c", "touch started; sleep 60")
    until((site.folder / "started").exists)
    command.send_signal(signal.SIGTERM)
    assert "stopped by SIGTERM" in command.communicate(timeout=60)[1]
    assert command.returncode == 130
    assert site.query("jobs show status") == [{"status": "failed"}]
