"""The command line over every place: a workflow, a single command, questions, and somebody who may only read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.provenance.conformance.places import Place, python

WORKFLOW = """
pegasus: "5.0"
name: counting
replicaCatalog:
  replicas:
    - {lfn: words, pfns: [{site: local, pfn: "$HERE/words"}], metadata: {kind: text}}
transformationCatalog:
  transformations:
    - {name: count, sites: [{name: local, pfn: "$HERE/count", type: stageable}]}
jobs:
  - type: job
    id: all
    name: count
    arguments: [words, total]
    uses:
      - {lfn: words, type: input}
      - {lfn: total, type: output, metadata: {kind: number}}
"""


@dataclass(frozen=True)
class Command:
    """`pirene`, in a folder of its own."""

    folder: Path
    environment: Mapping[str, str]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        return self.run(python("-m", "planner.cli", *arguments), {}, code).stdout

    def run(self, words: Sequence[str], environment: Mapping[str, str], code: int) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            words,
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == code, ended
        return ended

    def query(self, text: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self("query", text, "--format", "json"))
        return rows


@pytest.fixture
def pirene_there(tmp_path: Path, environment: Mapping[str, str]) -> Command:
    """The command, with the store that the place has."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Command(folder, environment)


def test_a_workflow_runs_and_is_found_and_reused(pirene_there: Command) -> None:
    folder = pirene_there.folder
    (folder / "words").write_text("one two three\n")
    (folder / "count").write_text('#!/bin/sh\nwc -w < "$1" > "$2"\n')
    (folder / "count").chmod(0o755)
    (folder / "workflow.yml").write_text(WORKFLOW.replace("$HERE", str(folder)))

    pirene_there("run", "workflow.yml")
    (made,) = pirene_there.query('files where kind = "number" show name, size, status')
    assert made == {"name": "total", "size": 2, "status": "ok"}
    (source,) = pirene_there.query('files upstream of (files where name = "total") show name, kind')
    assert source == {"name": "words", "kind": "text"}

    pirene_there("run", "workflow.yml")
    decisions = [row["decision"] for row in pirene_there.query("jobs show decision order by decision")]
    assert decisions == ["reuse", "run"]
    pirene_there("audit")
    pirene_there("store", "compact")
    assert len(pirene_there.query("jobs")) == 2


def test_a_single_command_is_recorded_and_what_it_left_behind_taken_up(pirene_there: Command) -> None:
    (pirene_there.folder / "a").write_text("one\n")
    pirene_there("exec", "--in", "a", "--out", "b", "-m", "n=42", "--", "cp", "a", "b")
    pirene_there("exec", "--in", "b", "--out", "c", "--", "cp", "b", "c")
    assert [row["name"] for row in pirene_there.query("files order by name")] == ["a", "b", "c"]
    (job,) = pirene_there.query("jobs where n = 42 show status, exit_code")
    assert job == {"status": "succeeded", "exit_code": 0}
    pirene_there("exec", "--out", "d", "--", "false", code=1)
    (failed,) = pirene_there.query('jobs where status = "failed" show exit_code')
    assert failed == {"exit_code": 1}


def test_who_may_only_read_is_answered_and_told_so_when_writing(place: Place, pirene_there: Command) -> None:
    (pirene_there.folder / "a").write_text("one\n")
    pirene_there("files", "add", "a", "-m", "kind=text")
    words, environment = place.reader(*python("-m", "planner.cli", "query", 'files where kind = "text" show name'))
    assert "a" in pirene_there.run(words, environment, 0).stdout

    words, environment = place.reader(*python("-m", "planner.cli", "meta", "set", "files", "n=1"))
    refused = pirene_there.run(words, environment, 2)
    assert place.location in refused.stderr
    assert "Read-only file system" in refused.stderr or "it is not allowed to write" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(json.loads(pirene_there("store", "commits", "--format", "json"))) == 1
