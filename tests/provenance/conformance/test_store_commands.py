"""The command line over every place: a workflow, a single command, questions, and somebody who may only read."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provenance.store import Store
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


@pytest.fixture
def pirene_there(tmp_path: Path, environment: Mapping[str, str]) -> Command:
    """The command, with the store that the place has."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Command(folder, environment)


def found(place: Place, text: str) -> list[tuple[Any, ...]]:
    return list(Store.open(place.location).query(text).rows())


def test_a_workflow_runs_and_is_found_and_reused(place: Place, pirene_there: Command) -> None:
    folder = pirene_there.folder
    (folder / "words").write_text("one two three\n")
    (folder / "count").write_text('#!/bin/sh\nwc -w < "$1" > "$2"\n')
    (folder / "count").chmod(0o755)
    (folder / "workflow.yml").write_text(WORKFLOW.replace("$HERE", str(folder)))

    pirene_there("run", "workflow.yml")
    assert found(place, 'files where kind = "number" show name, size, status') == [("total", 2, "ok")]
    assert found(place, 'files upstream of (files where name = "total") show name, kind') == [("words", "text")]

    pirene_there("run", "workflow.yml")
    assert found(place, "jobs show decision order by decision") == [("reuse",), ("run",)]
    pirene_there("audit")


def test_a_single_command_is_recorded(place: Place, pirene_there: Command) -> None:
    (pirene_there.folder / "a").write_text("one\n")
    pirene_there("exec", "--in", "a", "--out", "b", "-m", "n=42", "--", "cp", "a", "b")
    pirene_there("exec", "--in", "b", "--", "false", code=1)
    assert found(place, "files show name order by name") == [("a",), ("b",)]
    assert found(place, "jobs where n = 42 show status, exit_code") == [("succeeded", 0)]
    assert found(place, 'jobs where status = "failed" show exit_code') == [(1,)]


def test_what_a_killed_command_left_is_taken_in_by_the_next(place: Place, pirene_there: Command) -> None:
    """Its parent, which would have recorded it, dies before it does."""
    store = Store.open(place.location)
    end = "kill -9 $(ps -o ppid= -p $PPID); echo made > out"
    killed = subprocess.run(
        python("-m", "planner.cli", "exec", "--out", "out", "-m", "kept=yes", "--", "sh", "-c", end),
        cwd=pirene_there.folder,
        env=pirene_there.environment,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    limit = time.monotonic() + 30
    while not list(store.root.glob("spool/*/1-1.json")):
        assert time.monotonic() < limit, "the wrapper left no record"
        time.sleep(0.05)
    pirene_there("exec", "--", "true")
    assert found(place, 'jobs where kept = "yes" show status, attempts') == [("succeeded", 1)]
    assert list(store.root.glob("spool/*")) == []


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
    assert Store.open(place.location).snapshot().number == 1
