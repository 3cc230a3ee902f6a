"""The diamond's executable: what goes in comes out, and every change shows in what is below it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

DIAMOND = Path(__file__).resolve().parents[2] / "datasets" / "diamond"


def by_hand(folder: Path, raw: bytes) -> bytes:
    """f.d, made by running the four jobs as the workflow file writes them."""
    (folder / "f.a").write_bytes(raw)
    workflow = yaml.safe_load((DIAMOND / "diamond.yml").read_text(encoding="utf-8"))
    for job in workflow["jobs"]:
        command = [sys.executable, "-I", "-S", str(DIAMOND / "bin" / "keg.py"), *job["arguments"]]
        subprocess.run(command, cwd=folder, env={}, check=True, timeout=60)
    return (folder / "f.d").read_bytes()


def test_the_result_holds_the_raw_input_twice_and_is_the_same_every_time(tmp_path: Path) -> None:
    raw = (DIAMOND / "input" / "f.a").read_bytes()
    first = by_hand(tmp_path, raw)
    assert first.count(raw) == 2
    assert by_hand(tmp_path, raw) == first
    assert by_hand(tmp_path, raw.replace(b"271.4", b"271.5")) != first


def test_the_files_hold_nothing_that_only_pirene_knows() -> None:
    workflow = yaml.safe_load((DIAMOND / "diamond.yml").read_text(encoding="utf-8"))
    assert set(workflow) <= {"pegasus", "name", "metadata", "jobs", "jobDependencies"}
    jobs = {job["id"]: job for job in workflow["jobs"]}
    for edge in workflow["jobDependencies"]:
        made = {use["lfn"] for use in jobs[edge["id"]]["uses"] if use["type"] == "output"}
        for child in edge["children"]:
            assert made & {use["lfn"] for use in jobs[child]["uses"] if use["type"] == "input"}
