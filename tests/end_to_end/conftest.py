"""The command itself, as a user calls it: every test here starts real processes and reads what they print."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from provenance.store import Store

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Site:
    """A folder to work in, with a store of its own, and the command; ``prefix`` are words that run it as somebody else."""

    folder: Path
    environment: Mapping[str, str]
    prefix: tuple[str, ...] = ()

    def argv(self, *arguments: str) -> list[str]:
        return [*self.prefix, sys.executable, "-P", "-m", "planner.cli", *arguments]

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=cwd or self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, code: int = 0, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Result:
        ended = subprocess.run(
            self.argv(*arguments),
            cwd=cwd or self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        result = Result(ended.returncode, ended.stdout, ended.stderr)
        assert ended.returncode == code, f"{arguments}: {result}"
        return result

    def query(self, text: str, *parameters: str) -> list[dict[str, Any]]:
        given = [word for parameter in parameters for word in ("-p", parameter)]
        rows: list[dict[str, Any]] = self.run("query", text, *given, "--format", "json").json()
        return rows

    def copy(self, dataset: str, name: str | None = None) -> Path:
        """A copy of a data set in this folder, to be changed at will."""
        target = self.folder / (name or dataset)
        shutil.copytree(ROOT / "datasets" / dataset, target)
        return target


@pytest.fixture
def site(tmp_path: Path) -> Site:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIRENE")},
        "PYTHONPATH": str(ROOT),
        "PIRENE_STORE": str(tmp_path / ".pirene"),
        "PIRENE_DEBUG": "1",
        "PYTHONWARNINGS": "error",
    }
    return Site(tmp_path, environment)


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes an executable Python script below the site's folder."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable} -S\n{text}")
        path.chmod(0o755)
        return path

    return make


STEP = """#!/bin/sh
# NAME FOLDER OUTPUT INPUT...: notes its start in FOLDER/journal, waits as long as FOLDER/NAME.closed is there
set -e
name=$1 folder=$2 output=$3; shift 3
echo "$name" >> "$folder/journal"
while [ -e "$folder/$name.closed" ]; do sleep 0.1; done
{ echo "$name"; cat "$@" < /dev/null; } > "$output"
"""


@dataclass(frozen=True)
class PoolRun:
    """A run on the real pool, in a folder that all of its jobs see; ``site`` is the command line, as the pool's user.

    Every job is a `step`: it notes its start in the journal, and waits while its door is closed.
    """

    pool: Any
    site: Site
    name: str = "run"

    @property
    def folder(self) -> Path:
        return self.site.folder

    @property
    def run_dir(self) -> Path:
        return self.folder / self.name

    def in_folder(self, name: str) -> PoolRun:
        """Another run, beside this one."""
        return replace(self, name=name)

    def job(self, name: str, *reads: str, retry: int = 0, program: str = "step") -> dict[str, Any]:
        """A job that reads outputs of other jobs, named as these, and writes one."""
        inputs = [f"{read}.out" for read in reads]
        uses = [{"lfn": each, "type": "input"} for each in inputs]
        return {
            "type": "job",
            "id": name,
            "name": program,
            "arguments": [name, str(self.folder), f"{name}.out", *inputs],
            "uses": [*uses, {"lfn": f"{name}.out", "type": "output", "stageOut": True}],
            "profiles": {"dagman": {"retry": str(retry)}},
        }

    def write(self, *jobs: Mapping[str, Any], name: str = "workflow", **programs: str) -> None:
        """Write the workflow, with further programs beside `step`."""
        sites = []
        for program, text in {"step": STEP, **programs}.items():
            path = self.folder / program
            path.write_text(text)
            path.chmod(0o755)
            sites.append({"name": program, "sites": [{"name": "local", "pfn": str(path), "type": "stageable"}]})
        document = {"pegasus": "5.0", "name": name, "transformationCatalog": {"transformations": sites}, "jobs": jobs}
        (self.folder / "workflow.yml").write_text(json.dumps(document))
        self.own()

    def own(self) -> None:
        """What the test wrote becomes the property of the pool's user."""
        subprocess.run(["chown", "-hR", "pool:pool", str(self.folder)], check=True)

    def close(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.closed").touch()

    def open(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.closed").unlink()

    @contextlib.contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """The command, at work until the end of the block at the latest."""
        with self.site.start(*words) as process:
            try:
                yield process
            finally:
                process.kill()

    def planned_and_run(self, *words: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        return self.started("run", "workflow.yml", "-d", self.name, "--engine", "htcondor", "--format", "json", *words)

    def gone_on(self) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        return self.started("run", self.name, "--format", "json")

    def end_of(self, process: subprocess.Popen[str], code: int = 0) -> tuple[dict[str, Any], str]:
        """(summary, notes) of an engine that comes to its end."""
        out, err = process.communicate(timeout=200)
        assert process.returncode == code, (process.returncode, out, err)
        summary: dict[str, Any] = json.loads(out)
        return summary, err

    def until(self, true: Callable[[], Any], process: subprocess.Popen[str] | None = None) -> Any:
        """What it returns, once that is something; the engine must be there until then."""
        limit = time.monotonic() + 120
        while not (found := true()):
            assert time.monotonic() < limit, "it did not come about"
            assert process is None or process.poll() is None, process.communicate()
            time.sleep(0.1)
        return found

    def starts(self) -> Counter[str]:
        """How often each job has begun to work."""
        journal = self.folder / "journal"
        return Counter(journal.read_text().split() if journal.exists() else ())

    def begun(self, process: subprocess.Popen[str] | None, **times: int) -> None:
        """Wait until these jobs have begun, so many times."""
        self.until(lambda: all(self.starts()[name] >= count for name, count in times.items()), process)

    def settled(self, *numbers: int) -> None:
        """Wait until the outputs of these jobs have been taken in."""
        handed = [self.run_dir / "pool" / "handed" / "0" / f"{number}.json" for number in numbers]
        self.until(lambda: all(path.exists() for path in handed))

    def condor_id(self, number: int) -> str:
        """HTCondor's id of the job with that number, which is in the queue."""
        own = f'DAGNodeName == "{number}" && substr(Iwd, 0, {len(str(self.run_dir))}) == "{self.run_dir}"'
        found: str = self.until(lambda: self.pool.tool("condor_q", "-constraint", own, "-af", "ClusterId").strip())
        return f"{found}.0"

    def dagmans(self) -> list[int]:
        """The clusters of all DAGMans that were ever submitted for the run, in order."""
        log = self.run_dir / "pool" / "run.dag.dagman.log"
        text = log.read_text() if log.exists() else ""
        return [int(found) for found in re.findall(r"^000 \((\d+)\.", text, re.MULTILINE)]

    def dagman_gone(self) -> None:
        """Wait until the newest DAGMan has left the queue."""
        cluster = str(self.dagmans()[-1])
        self.until(lambda: not self.pool.tool("condor_q", cluster, "-af", "ClusterId").strip())

    def records(self, number: int) -> list[dict[str, Any]]:
        """What the wrapper has written of each attempt of a job that left a record."""
        found = (self.run_dir / "records" / "0").glob(f"{number}-*.json")
        return [json.loads(path.read_bytes()) for path in sorted(found)]

    def refusals(self, number: int) -> list[dict[str, Any]]:
        """What was said on the submit side against attempts of a job."""
        found = (self.run_dir / "pool" / "refused" / "0").glob(f"{number}-*.json")
        return [json.loads(path.read_bytes()) for path in sorted(found)]

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of a table of the store."""
        store = Store.open(self.folder / ".pirene")
        return store.rows(f"SELECT {columns} FROM {table} ORDER BY ALL", tables=[table])

    def befell(self, number: int) -> list[tuple[str, str]]:
        """(state, reason) of what HTCondor did to a job, as the store has it, in order."""
        told = ("held", "released", "evicted", "removed")
        rows = self.rows("job_states", '"at", job, state, reason')
        return [(state, reason) for _, job, state, reason in rows if job == number and state in told]

    def nothing_twice(self) -> None:
        """Every fact is in the store once."""
        for table, key in {
            "workflows": "run",
            "jobs": "run, job",
            "invocations": "run, job, attempt",
            "files": "source, file",
            "uses": "run, job, attempt, name, role, direction",
            "job_states": 'run, job, attempt, state, "at"',
            "workflow_states": 'run, state, "at"',
            "checks": "source, number",
        }.items():
            rows = Counter(self.rows(table, key))
            assert [row for row, count in rows.items() if count > 1] == [], table
        registered = Counter(
            row for row in self.rows("replicas", "source, file, url, event") if row[-1] == "registered"
        )
        assert [row for row, count in registered.items() if count > 1] == []
        of_attempts = Counter(row for row in self.rows("job_states", "run, job, state, attempt") if row[-1] is not None)
        assert [row for row, count in of_attempts.items() if count > 1] == []
        kept = {path.name for path in self.run_dir.glob("records/*/*.json")}
        assert {f"{job}-{attempt}.json" for job, attempt in self.rows("invocations", "job, attempt")} >= kept


@pytest.fixture
def pool_run(pool: Any, site: Site) -> PoolRun:
    return _pool_run(pool, site)


@pytest.fixture
def pool_run_alone(pool_alone: Any, site: Site) -> PoolRun:
    """With nobody else on the pool."""
    return _pool_run(pool_alone, site)


def _pool_run(pool: Any, site: Site) -> PoolRun:
    environment = {**site.environment, "PIRENE_STORE": str(pool.folder / ".pirene")}
    prefix = (str(ROOT / "tests" / "htcondor-pool"), "su")
    return PoolRun(pool, replace(site, folder=pool.folder, environment=environment, prefix=prefix))
