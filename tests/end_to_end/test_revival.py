"""What a plan takes from the past may be gone or damaged when it is used: then its producer runs after all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

GATED = """import os, sys, time
while not os.path.exists({gate!r}):
    time.sleep(0.01)
open(sys.argv[1], "w").close()
"""
# What is read does not have the bytes of what was made: else it would be a good copy of it.
COPY = (
    "import sys\n"
    "open(sys.argv[1], 'w').write(open(sys.argv[2]).read().swapcase() if len(sys.argv) > 2 else 'first' * 99)\n"
)
WORKFLOW = """pegasus: "5.0"
name: gated
transformationCatalog:
  transformations:
  - {{name: copy, sites: [{{name: local, pfn: {copy}, type: stageable}}]}}
  - {{name: gated, sites: [{{name: local, pfn: {gated}, type: stageable}}]}}
jobs:
- {{type: job, id: make, name: copy, arguments: [f1], uses: [{{lfn: f1, type: output}}]}}
- {{type: job, id: slow, name: gated, arguments: [flag], uses: [{{lfn: flag, type: output}}]}}
- type: job
  id: read
  name: copy
  arguments: [f2, f1]
  uses: [{{lfn: f1, type: input}}, {{lfn: flag, type: input}}, {{lfn: f2, type: output}}]
"""


def until(condition, seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.02)


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[7] ^= 2
    path.write_bytes(data)


def test_outputs_that_went_between_planning_and_running(site) -> None:
    folder = site.copy("diamond")
    first = site.run("run", str(folder / "diamond.yml"), "--format", "json").json()
    site.run("plan", str(folder / "diamond.yml"), "-d", "later")
    kept = {path.name: path.read_bytes() for path in Path(first["output_dir"]).iterdir()}
    (Path(first["output_dir"]) / "f.d").unlink()
    flip_bit(Path(first["output_dir"]) / "f.c2")
    second = site.run("run", "later", "--format", "json").json()
    assert second["status"] == "succeeded"
    assert (second["jobs"]["run"], second["jobs"]["reused"]) == (2, 2)
    assert {path.name: path.read_bytes() for path in Path(second["output_dir"]).iterdir()} == kept
    ran = site.query(
        'jobs where workflow.id = $run and decision = "reuse" and attempts > 0 show id', f"run={second['run']}"
    )
    assert {row["id"] for row in ran} == {"analyze", "findrange-right"}


def test_a_reused_input_that_is_damaged_while_the_run_goes_on(site, script) -> None:
    gate = site.folder / "gate"
    copy, gated = script("copy.py", COPY), script("gated.py", GATED.format(gate=str(gate)))
    (site.folder / "gated.yml").write_text(WORKFLOW.format(copy=copy, gated=gated))
    gate.touch()
    first = site.run("run", "gated.yml", "--format", "json").json()
    gate.unlink()
    process = site.start("run", "gated.yml", "-d", "again", "--force", "slow", "--format", "json")
    limit = time.monotonic() + 30
    while not any((site.folder / "again" / "work").glob("2-*")):
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.02)
    flip_bit(Path(first["output_dir"]) / "f1")
    gate.touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "make runs after all" in err
    jobs = site.query(
        "jobs where workflow.id = $run show id, status, attempts, decision",
        f"run={site.run('status', 'again', '--format', 'json').json()['run']}",
    )
    assert {row["id"]: (row["status"], row["attempts"], row["decision"]) for row in jobs} == {
        "make": ("succeeded", 1, "reuse"),
        "slow": ("succeeded", 1, "run"),
        "read": ("succeeded", 2, "run"),
    }
    assert (site.folder / "again" / "output" / "f2").read_text() == "FIRST" * 99
    (check,) = site.query('checks where verdict = "mismatch" show name, stage, job.id')
    assert (check["name"], check["stage"]) == ("f1", "pre-exec")
    assert site.query('replicas where state = "quarantined" show name') == [{"name": "f1"}]


def test_several_readers_of_a_damaged_input_at_once(site, script) -> None:
    """Each of them is refused; the first one to end brings the producer back, all of them run again."""
    gate = site.folder / "gate"
    copy, gated = script("copy.py", COPY), script("gated.py", GATED.format(gate=str(gate)))
    more = "".join(
        f"- {{{{type: job, id: more{n}, name: copy, arguments: [g{n}, f1],"
        f" uses: [{{{{lfn: f1, type: input}}}}, {{{{lfn: flag, type: input}}}}, {{{{lfn: g{n}, type: output}}}}]}}}}\n"
        for n in range(3)
    )
    (site.folder / "gated.yml").write_text((WORKFLOW + more).format(copy=copy, gated=gated))
    gate.touch()
    first = site.run("run", "gated.yml", "--format", "json").json()
    gate.unlink()
    process = site.start("run", "gated.yml", "-d", "again", "--force", "slow", "-j", "4")
    until(lambda: any((site.folder / "again" / "work").glob("2-*")))
    flip_bit(Path(first["output_dir"]) / "f1")
    gate.touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err.count("make runs after all") == 1
    assert {(site.folder / "again" / "output" / name).read_text() for name in ("f2", "g0", "g1", "g2")} == {
        "FIRST" * 99
    }


def test_a_job_that_makes_other_bytes_when_it_comes_back(site, script) -> None:
    """Its reader was left out because the old bytes were known: it runs after all."""
    clock = script("clock.py", "import sys, time\nopen(sys.argv[1], 'w').write(str(time.time_ns()))\n")
    copy = script("copy.py", COPY)
    (site.folder / "w.yml").write_text(
        f"""pegasus: "5.0"
name: w
transformationCatalog:
  transformations:
  - {{name: clock, sites: [{{name: local, pfn: {clock}, type: stageable}}]}}
  - {{name: copy, sites: [{{name: local, pfn: {copy}, type: stageable}}]}}
jobs:
- {{type: job, id: tick, name: clock, arguments: [t], uses: [{{lfn: t, type: output}}]}}
- {{type: job, id: read, name: copy, arguments: [r, t], uses: [{{lfn: t, type: input}}, {{lfn: r, type: output}}]}}
"""
    )
    first = site.run("run", "w.yml", "--format", "json").json()
    (Path(first["output_dir"]) / "t").unlink()
    second = site.run("run", "w.yml", "--format", "json")
    output = Path(second.json()["output_dir"])
    assert (output / "r").read_text() == (output / "t").read_text()
    assert "not deterministic" in second.err


def test_a_damaged_record_is_no_evidence(site) -> None:
    folder = site.copy("diamond")
    first = site.run("run", str(folder / "diamond.yml"), "--format", "json").json()
    record = Path(first["run_dir"]) / "records" / "0" / "4-1.json"
    record.write_bytes(record.read_bytes()[:-100])
    again = site.run("run", first["run_dir"], "--format", "json")
    assert "analyze runs again" in again.err and "4-1.json" in again.err
    assert again.json()["jobs"]["succeeded"] == 4
    assert site.query('jobs where id = "analyze" show status, attempts') == [{"status": "succeeded", "attempts": 2}]
    kept = list((site.folder / ".pirene" / "quarantine").iterdir())
    assert kept


CLOCK = "import sys, time\nopen(sys.argv[1], 'w').write(str(time.time_ns()))\n"
TICKING = """pegasus: "5.0"
name: w
transformationCatalog:
  transformations:
  - {{name: clock, sites: [{{name: local, pfn: {clock}, type: stageable}}]}}
  - {{name: gated, sites: [{{name: local, pfn: {gated}, type: stageable}}]}}
  - {{name: copy, sites: [{{name: local, pfn: {copy}, type: stageable}}]}}
jobs:
- {{type: job, id: tick, name: clock, arguments: [t], uses: [{{lfn: t, type: output}}]}}
- type: job
  id: slow
  name: gated
  arguments: [flag]
  uses: [{{lfn: t, type: input}}, {{lfn: flag, type: output}}]
- {{type: job, id: read, name: copy, arguments: [r, t], uses: [{{lfn: t, type: input}}, {{lfn: r, type: output}}]}}
"""


@pytest.mark.parametrize("stopped", [False, True])
def test_a_reused_job_that_comes_back_otherwise(site, script, stopped) -> None:
    """What was left out because of its bytes runs too, also if the engine is taken up again in between."""
    gate = site.folder / "gate"
    gate.touch()
    scripts = {"clock": CLOCK, "gated": GATED.format(gate=str(gate)), "copy": COPY}
    paths = {name: script(f"{name}.py", text) for name, text in scripts.items()}
    (site.folder / "w.yml").write_text(TICKING.format(**paths))
    first = site.run("run", "w.yml", "--format", "json").json()
    site.run("plan", "w.yml", "-d", "again", "--force", "slow")
    (Path(first["output_dir"]) / "t").unlink()
    if stopped:
        gate.unlink()
        process = site.start("run", "again", "-j", "1")
        until((site.folder / "again" / "work" / "2-1").exists)
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 130
        gate.touch()
    site.run("run", "again")
    output = site.folder / "again" / "output"
    assert (output / "r").read_text() == (output / "t").read_text()


def test_an_input_that_its_producer_need_not_make(site, script) -> None:
    """Only the job that cannot do without it fails, and says why; the others run."""
    nothing, copy = script("nothing.py", ""), script("copy.py", COPY)
    jobs = [("needs", "r", "false"), ("can do without", "s", "true")]
    (site.folder / "w.yml").write_text(
        f"""pegasus: "5.0"
name: w
transformationCatalog:
  transformations:
  - {{name: nothing, sites: [{{name: local, pfn: {nothing}, type: stageable}}]}}
  - {{name: copy, sites: [{{name: local, pfn: {copy}, type: stageable}}]}}
jobs:
- {{type: job, id: make, name: nothing, arguments: [], uses: [{{lfn: t, type: output, optional: true}}]}}
"""
        + "".join(
            f"- {{type: job, id: {id_}, name: copy, arguments: [{out}],"
            f" uses: [{{lfn: t, type: input, optional: {optional}}}, {{lfn: {out}, type: output}}]}}\n"
            for id_, out, optional in jobs
        )
    )
    run = site.run("run", "w.yml", "--format", "json", code=1).json()
    assert (run["jobs"]["succeeded"], run["jobs"]["not_run"]) == (2, 1)
    (waiting,) = site.run("analyze", "--format", "json", code=1).json()["not_run"]
    assert waiting == {
        "job": "needs", "reason": "its input t was not made: it is optional for the job that makes it"
    }  # fmt: skip
    assert site.query('jobs where status = "not_run" show id') == [{"id": "needs"}]
