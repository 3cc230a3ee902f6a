"""Reuse, as the classic diamond shows it: what runs again, what does not, and what is said about it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from provenance.history.commits import CommitKind
from provenance.store import Store

JOBS = ["preprocess", "findrange-left", "findrange-right", "analyze"]
BELOW_INPUT = JOBS


def flip_bit(path: Path, offset: int = 3) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


class Diamond:
    """The data set in a folder of its own, run as often as a test likes."""

    def __init__(self, site) -> None:
        self.site = site
        self.folder = site.copy("diamond")
        self.workflow = self.folder / "diamond.yml"

    def run(self, *options: str, workflow: Path | None = None, code: int = 0):
        return self.site.run("run", str(workflow or self.workflow), *options, "--format", "json", code=code).json()

    def explained(self, run) -> dict:
        jobs = self.site.run("explain", run["run_dir"], "--format", "json").json()
        return {job["job"]: job for job in jobs}

    def ran(self, run) -> set[str]:
        rows = self.site.query("jobs where workflow.id = $run show id, status", f"run={run['run']}")
        return {row["id"] for row in rows if row["status"] != "reused"}

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


@pytest.fixture
def diamond(site) -> Diamond:
    return Diamond(site)


def contents(run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(run["output_dir"]).iterdir()}


def test_it_runs_and_runs_again_without_running(diamond: Diamond) -> None:
    first = diamond.run()
    assert first["status"] == "succeeded"
    assert first["jobs"] == {
        "total": 4, "run": 4, "reused": 0, "succeeded": 4, "failed": 0, "integrity_failed": 0, "not_run": 0,
    }  # fmt: skip
    assert sorted(contents(first)) == ["f.b1", "f.b2", "f.c1", "f.c2", "f.d"]
    again = diamond.run()
    assert again["jobs"] == {
        "total": 4, "run": 0, "reused": 4, "succeeded": 0, "failed": 0, "integrity_failed": 0, "not_run": 0,
    }  # fmt: skip
    assert contents(again) == contents(first)
    reasons = diamond.explained(again)
    assert [reasons[job]["decision"] for job in JOBS] == ["reuse"] * 4
    assert {reasons[job]["ground"] for job in JOBS} == {"proven"}
    assert {reasons[job]["reused_from"]["run"] for job in JOBS} == {first["run"]}
    assert all(reasons[job]["reason"] for job in JOBS)
    assert diamond.site.run("status", again["run"], "--format", "json").json()["jobs"] == again["jobs"]


def test_every_commit_of_a_run_names_who_ran_it(diamond: Diamond) -> None:
    diamond.run()
    commits = [one for one in Store.existing(diamond.site.folder).all_commits() if one.kind is not CommitKind.COMPACT]
    assert {commit.kind for commit in commits} >= {CommitKind.PLAN, CommitKind.INGEST}
    assert [commit.number for commit in commits if commit.author is None] == []


def test_one_byte_of_an_input(diamond: Diamond) -> None:
    diamond.run()
    flip_bit(diamond.folder / "input" / "f.a")
    second = diamond.run()
    assert diamond.ran(second) == set(BELOW_INPUT)
    reasons = diamond.explained(second)
    assert all(
        "f.a" in reasons[job]["reason"]
        or "preprocess" in reasons[job]["reason"]
        or "findrange" in reasons[job]["reason"]
        for job in JOBS
    )
    assert any("f.a" in changed for changed in reasons["preprocess"]["changed"])


def test_one_argument_of_one_job(diamond: Diamond) -> None:
    diamond.run()
    diamond.edit("diamond.yml", '["-a", "findrange", "-i", "f.b1"', '["-a", "other", "-i", "f.b1"')
    second = diamond.run()
    assert diamond.ran(second) == {"findrange-left", "analyze"}
    reasons = diamond.explained(second)
    assert any("findrange" in changed and "other" in changed for changed in reasons["findrange-left"]["changed"])
    assert "findrange-left" in reasons["analyze"]["reason"]


def test_a_deleted_intermediate_and_a_forced_job(diamond: Diamond) -> None:
    first = diamond.run()
    (Path(first["output_dir"]) / "f.c1").unlink()
    unforced = diamond.run()
    assert diamond.ran(unforced) == {"findrange-left"}  # its output is wanted in the output folder
    wanted = contents(unforced)
    (Path(first["output_dir"]) / "f.c2").unlink()
    forced = diamond.run("--force", "analyze")
    assert "analyze" in diamond.ran(forced)
    assert "findrange-right" in diamond.ran(forced)
    assert "preprocess" not in diamond.ran(forced)
    assert contents(forced) == wanted


def test_garbage_of_the_same_size_and_mtime(diamond: Diamond) -> None:
    first = diamond.run()
    output = Path(first["output_dir"]) / "f.d"
    good, before = output.read_bytes(), output.stat()
    output.write_bytes(bytes(byte ^ 1 for byte in good))
    os.utime(output, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = diamond.run()
    assert diamond.ran(second) == {"analyze"}
    assert (Path(second["output_dir"]) / "f.d").read_bytes() == good
    assert diamond.site.query('checks where verdict = "mismatch" and name = "f.d"')


def test_history_a_b_a(diamond: Diamond) -> None:
    original = (diamond.folder / "input" / "f.a").read_bytes()
    first = diamond.run()
    flip_bit(diamond.folder / "input" / "f.a")
    assert diamond.run()["jobs"]["run"] == 4
    (diamond.folder / "input" / "f.a").write_bytes(original)
    assert diamond.run()["jobs"]["reused"] == 4
    elsewhere = diamond.site.folder / "another place"
    shutil.copytree(diamond.folder, elsewhere)
    text = (elsewhere / "diamond.yml").read_text().replace("name: diamond\n", "name: renamed\n", 1)
    (elsewhere / "diamond.yml").write_text(text)
    third = diamond.run(workflow=elsewhere / "diamond.yml")
    assert third["workflow"] == "renamed"
    assert third["jobs"]["reused"] == 4
    assert contents(third) == contents(first)


def test_outputs_that_only_the_replica_catalog_lists(diamond: Diamond) -> None:
    first = diamond.run()
    kept = diamond.site.folder / "kept"
    shutil.copytree(first["output_dir"], kept)
    replicas = diamond.folder / "replicas.yml"
    listed = "".join(
        f"- lfn: {name}\n  pfns:\n  - {{site: local, pfn: {kept / name}}}\n"
        for name in ("f.b1", "f.b2", "f.c1", "f.c2", "f.d")
    )
    replicas.write_text(replicas.read_text() + listed)
    fresh = {"PIRENE_STORE": str(diamond.site.folder / "fresh")}
    run = diamond.site.run("run", str(diamond.workflow), "--format", "json", environment=fresh).json()
    assert run["jobs"]["reused"] == 4
    explained = diamond.site.run("explain", run["run_dir"], "--format", "json", environment=fresh).json()
    assert {job["ground"] for job in explained} == {"asserted"}
    diamond.edit("diamond.yml", "name: diamond\n", "name: diamond\nreuse: {trust: [proven, observed]}\n")
    other = {"PIRENE_STORE": str(diamond.site.folder / "other")}
    run = diamond.site.run("run", str(diamond.workflow), "--format", "json", environment=other).json()
    assert run["jobs"]["run"] == 4


def test_a_policy_that_matches_nothing(diamond: Diamond) -> None:
    diamond.run()
    assert diamond.run("--reuse", 'jobs where workflow.name = "nobody"')["jobs"]["run"] == 4
    assert diamond.run("--reuse", 'jobs where workflow.name = "diamond"')["jobs"]["reused"] == 4
    assert diamond.run("--no-reuse")["jobs"]["run"] == 4


def test_a_plan_runs_with_the_store_that_recorded_it(site) -> None:
    folder = site.copy("diamond")
    site.run("plan", str(folder / "diamond.yml"), "-d", "planned")
    nowhere = site.run("run", "planned", "--store", "other", code=2)
    assert "there is no store here" in nowhere.err and not (site.folder / "other").exists()
    site.run("files", "add", str(folder / "input"), "--store", "other")
    refused = site.run("run", "planned", "--store", "other", code=2)
    assert "was planned with the store" in refused.err and "--store" in refused.err
    had = sorted((site.folder / "other" / "commits").iterdir())
    shutil.move(site.folder / ".pirene", site.folder / "moved")
    site.run("run", "planned", code=2)
    site.run("run", "planned", "--store", "moved")
    assert sorted((site.folder / "other" / "commits").iterdir()) == had


@pytest.mark.parametrize("copies", [True, False])
def test_reused_outputs_take_the_place_of_others(site, copies) -> None:
    """History A, B, then A again over the outputs of B: the store knows what is there then."""
    folder = site.copy("diamond")
    workflow, raw = str(folder / "diamond.yml"), folder / "input" / "f.a"
    first = site.run("run", workflow, "--format", "json").json()
    original = raw.read_bytes()
    raw.write_bytes(original + b"17.5\n")
    site.run("run", workflow, "--output-dir", "shared")
    raw.write_bytes(original)
    options = ["--copy-reused"] if copies else []
    third = site.run("run", workflow, "--output-dir", "shared", *options, "--format", "json").json()
    assert third["jobs"]["reused"] == 4
    result = site.folder / "shared" / "f.d"
    assert result.is_symlink() != copies
    nodes = site.run("lineage", str(result), "--format", "json").json()["nodes"]
    assert first["run"] in {node["run"] for node in nodes if node["kind"] == "job"}
    assert site.run("audit", "--format", "json").json()["verdict"] == "clean"
    site.run("exec", "--in", str(result), "--out", "n", "--", "sh", "-c", f"wc -l < {result} > n")
    before = site.query('files upstream of (files where name = "n") where origin = "raw" show name')
    assert {"name": "f.a"} in before
