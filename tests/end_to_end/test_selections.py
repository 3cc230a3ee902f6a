"""Inputs chosen by a query: what runs, what is an error, and what a plan froze."""

from __future__ import annotations

from pathlib import Path

WORKFLOW = """pegasus: "5.0"
name: chosen
selections:
  raw:
    query: 'files where kind = "raw" and campaign = $campaign'
    params: {campaign: DR3}
    expect: {min: 1, max: 3}
transformationCatalog:
  transformations:
  - {name: cat, sites: [{name: local, pfn: CAT, type: stageable}]}
jobs:
- type: job
  id: each
  foreach: raw
  name: cat
  arguments: ["${raw.stem}.out", "${raw.name}", "--site=${raw.site}", "$HOME ${other}"]
  uses:
  - {select: raw, type: input}
  - {lfn: "${raw.stem}.out", type: output}
- type: job
  id: all
  name: cat
  arguments: [all.out, "${raw.names}"]
  uses:
  - {select: raw, type: input}
  - {outputs-of: each, type: input}
  - {lfn: all.out, type: output}
"""
CAT = """import os, sys
out, *rest = sys.argv[1:]
open(out, "w").write("\\n".join(open(each).read() if os.path.exists(each) else each for each in rest))
"""


def prepare(site, script) -> Path:
    program = script("bin/cat.py", CAT)
    for name in ("a 1.dat", "b.dat"):
        (site.folder / "raw").mkdir(exist_ok=True)
        (site.folder / "raw" / name).write_text(f"content of {name}")
    site.run("files", "add", "raw", "-m", "kind=raw", "-m", "campaign=DR3", "-m", "site=north")
    workflow = site.folder / "chosen.yml"
    workflow.write_text(WORKFLOW.replace("CAT", str(program)))
    return workflow


def test_a_selection_runs_and_is_expanded(site, script) -> None:
    run = site.run("run", str(prepare(site, script)), "--format", "json").json()
    assert run["jobs"]["succeeded"] == 3
    output = Path(run["output_dir"])
    assert (output / "a 1.out").read_text() == "content of a 1.dat\n--site=north\n$HOME ${other}"
    assert (output / "all.out").read_text() == "content of a 1.dat\ncontent of b.dat"
    raw = site.query('files upstream of (files where name = "all.out") where kind = "raw" show name')
    assert {row["name"] for row in raw} == {"a 1.dat", "b.dat"}
    jobs = site.query("jobs show id")
    assert {row["id"] for row in jobs} == {"each-0001", "each-0002", "all"}


def test_zero_matches_say_which_condition_to_drop(site, script) -> None:
    workflow = prepare(site, script)
    result = site.run("run", str(workflow), "-p", "campaign=DR9", code=2)
    assert "raw" in result.err and "campaign" in result.err and "DR9" in result.err
    (site.folder / "two.yml").write_text(workflow.read_text().replace("campaign = $campaign", "a = 1 and b = 2"))
    hints = site.run("run", "two.yml", code=2).err.splitlines()[-4:]
    assert [hint.split(" yet")[0] for hint in hints[:2]] == ["no file has the key a", "no file has the key b"]
    assert hints[3].startswith("Dropping any one condition")
    assert not (site.folder / "runs").exists() or not any((site.folder / "runs").iterdir())


def test_too_many_and_two_contents_of_one_name(site, script) -> None:
    workflow = prepare(site, script)
    for name in ("c.dat", "d.dat"):
        (site.folder / "raw" / name).write_text(name)
    site.run("files", "add", "raw/c.dat", "raw/d.dat", "-m", "kind=raw", "-m", "campaign=DR3", "-m", "site=s")
    result = site.run("run", str(workflow), code=2)
    assert "4" in result.err and "3" in result.err and "d.dat" in result.err
    site.run("files", "retire", "raw/c.dat", "raw/d.dat")
    other = site.folder / "raw2"
    other.mkdir()
    (other / "b.dat").write_text("another b")
    site.run("files", "add", "raw2", "-m", "kind=raw", "-m", "campaign=DR3", "-m", "site=s")
    result = site.run("run", str(workflow), code=2)
    assert "b.dat" in result.err and "latest 1 per name by created" in result.err


def test_an_older_plan_uses_its_frozen_files(site, script) -> None:
    workflow = prepare(site, script)
    site.run("plan", str(workflow), "-d", "old")
    (site.folder / "raw" / "c.dat").write_text("newer")
    site.run("files", "add", "raw/c.dat", "-m", "kind=raw", "-m", "campaign=DR3", "-m", "site=s")
    old = site.run("run", "old", "--format", "json").json()
    assert (Path(old["output_dir"]) / "all.out").read_text() == "content of a 1.dat\ncontent of b.dat"
    new = site.run("run", str(workflow), "--format", "json").json()
    assert (Path(new["output_dir"]) / "all.out").read_text() == "content of a 1.dat\ncontent of b.dat\nnewer"
    assert new["jobs"]["reused"] == 2
