"""The plan of a repair, followed as somebody would who has nothing but the report and a shell."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

MONDAY = "mon day's.txt"


@pytest.fixture
def folder(tmp_path: Path, pirene: Path) -> Path:
    """all.txt and top.txt, made by two commands of `exec` from two measurements with names that a shell would split."""
    folder = tmp_path / "a b"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / MONDAY).write_text("3\n1\n2\n")
    (folder / "data" / "tuesday.txt").write_text("6\n5\n4\n")
    inputs = [f"data/{MONDAY}", "data/tuesday.txt"]
    given = [word for name in inputs for word in ("--in", name)]
    run(folder, pirene, "files", "add", "data")
    described = ["-m", "by=anna's", "-m", "days=mon", "-m", "days=1.10"]
    run(folder, pirene, "exec", *given, *described, "--out", "all.txt", "--", "sort", "-o", "all.txt", *inputs)
    run(folder, pirene, "exec", "--in", "all.txt", "--out", "top.txt", "--", "sort", "-r", "-o", "top.txt", "all.txt")
    return folder


def run(folder: Path, pirene: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([pirene, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def audit(folder: Path, pirene: Path) -> Any:
    return json.loads(run(folder, pirene, "audit", "--format", "json").stdout)


def follow(command: str, pirene: Path) -> None:
    path = f"{pirene.parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-c", command], env={**os.environ, "PATH": path}, cwd="/", check=True, timeout=120)


def test_results_are_made_again_in_the_order_of_the_plan(folder: Path, pirene: Path) -> None:
    (folder / "all.txt").write_text("1\n2\n3\n4\n5\n7\n")
    (folder / "top.txt").unlink()
    (folder / "data" / MONDAY).write_text("3\n1\n9\n")
    report = audit(folder, pirene)
    assert report["verdict"] == "damaged"
    repair = report["repair"]
    assert [step["name"] for step in repair["restore"]] == [MONDAY]
    assert [step["makes"] for step in repair["rerun"]] == [["all.txt"], ["top.txt"]]
    (folder / "data" / MONDAY).write_text("3\n1\n2\n")
    follow(report["reproduce"][0] + " || true", pirene)
    for step in repair["rerun"]:
        follow(step["command"], pirene)
    assert audit(folder, pirene)["verdict"] == "clean"
    assert (folder / "top.txt").read_text() == "6\n5\n4\n3\n2\n1\n"
    asked = run(folder, pirene, "query", "jobs where by is not missing show by, days", "--format", "json")
    assert json.loads(asked.stdout) == [{"by": "anna's", "days": ["mon", 1.10]}] * 2


def test_a_copy_spares_the_command(folder: Path, pirene: Path) -> None:
    (folder / "spare.txt").write_bytes((folder / "all.txt").read_bytes())
    run(folder, pirene, "files", "add", "spare.txt")
    (folder / "all.txt").write_text("")
    repair = audit(folder, pirene)["repair"]
    assert (repair["rerun"], repair["restore"]) == ([], [])
    for command in repair["commands"]:
        follow(command, pirene)
    assert audit(folder, pirene)["verdict"] == "clean"


def test_a_folder_keeps_nothing_that_was_put_into_it(folder: Path, pirene: Path) -> None:
    run(folder, pirene, "exec", "--in", "data", "--out", "copied", "--", "cp", "-R", "data", "copied")
    (folder / "copied" / MONDAY).unlink()
    (folder / "copied" / "more").touch()
    (command,) = audit(folder, pirene)["repair"]["commands"]
    follow(command, pirene)
    assert audit(folder, pirene)["verdict"] == "clean"
    assert {path.name for path in (folder / "copied").iterdir()} == {MONDAY, "tuesday.txt"}
