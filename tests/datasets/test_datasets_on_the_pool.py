"""Both data sets on the pool and on this machine: the same bytes, the same story of them, and each reuses the other's.

Outputs are compared as they lie on disk, what is known of them as the store's own files have it, read here by code of
its own; only lineage is asked for with the command, as a user does.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("local", "htcondor")
SITES = {"local": "local", "htcondor": "condorpool"}
PATIENCE_SECONDS = 500  # other tests use the pool meanwhile
RESULTS = ("correlation", "figure", "summary")  # the last jobs of co2-el-nino
JOBS = {"diamond": 4, "co2-el-nino": 93}
SEEN_FROM = {  # by name: the end of each data set, its beginning, and something between
    "diamond": ("f.d", "f.a", "f.c1"),
    "co2-el-nino": ("co2-el-nino.svg", "mlo-co2-1998.csv", "climatology.csv"),
}

# What is another thing each time: ids and hashes of ids, when, where and how fast.
PLAN_AND_RUN = {"run", "source", "commit_number", "at"}
THERE_AND_THEN = {
    "workflows": {"run_id", "engine", "submit_dir", "output_dir", "plan_sha256", "planned"},
    "workflow_states": set(),
    "jobs": {"site"},
    "job_states": set(),
    "metadata": set(),
    "invocations": {
        "host", "python", "started", "ended", "duration_seconds", "cpu_seconds", "max_rss_bytes", "read_bytes",
        "written_bytes", "command", "work_dir", "record_sha256",
    },
    "files": {"created", "modified", "checksum_seconds"},
    "checks": {"number", "file_source", "url", "duration_seconds", "host"},
    "uses": set(),
    "job_edges": set(),
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One data set, for the pool's user, and a store."""

    pool: Any
    dataset: str
    store: Path

    @property
    def workflow(self) -> Path:
        return self.pool.folder / self.dataset / f"{self.dataset}.yml"

    def _words(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        environment = {
            "PYTHONPATH": str(ROOT),
            "PIRENE_STORE": str(self.store),
            "PIRENE_DEBUG": "1",
            "PYTHONWARNINGS": "error",
        }
        return [sys.executable, "-P", "-m", "planner.cli", *arguments], environment

    def call(self, *arguments: str, code: int = 0) -> Any:
        words, environment = self._words(*arguments, "--format", "json")
        ended = self.pool.run(*words, code=code, environment=environment, timeout_seconds=PATIENCE_SECONDS)
        return json.loads(ended.stdout)

    def start(self, *arguments: str) -> Any:
        words, environment = self._words(*arguments, "--format", "json")
        return self.pool.start(*words, environment=environment)

    def register(self) -> Work:
        """Make the store, with what the data set's own table says of its raw files."""
        table = self.workflow.parent / "raw" / "metadata.csv"
        if table.exists():
            self.call("files", "add", "--table", str(table))
        return self

    def run(self, engine: str, name: str, *, workflow: Path | None = None, code: int = 0) -> Any:
        """Plan and run in the folder `name`, on an engine."""
        where = ("-d", str(self.pool.folder / name), "--engine", engine)
        return self.call("run", str(workflow or self.workflow), *where, code=code)

    def decided(self, run: Any) -> dict[str, set[str]]:
        """The ids of jobs that were to be run, and of those that were not."""
        decisions: dict[str, set[str]] = {"run": set(), "reuse": set()}
        for row in self.call("query", "jobs where workflow.id = $run show id, decision", "-p", f"run={run['run']}"):
            decisions[row["decision"]].add(row["id"])
        return decisions

    def succeeded(self, run: Any) -> set[str]:
        query = 'jobs where workflow.id = $run and status = "succeeded" show id'
        return {row["id"] for row in self.call("query", query, "-p", f"run={run['run']}")}

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The live rows of a table, read as the description of the format says."""
        commits = [json.loads(path.read_bytes()) for path in sorted((self.store / "commits").iterdir())]
        replaced = {path for commit in commits for path in commit["replaces"]}
        segments = [each for commit in commits for each in commit["segments"] if each["table"] == table]
        live = [each["path"] for each in segments if each["path"] not in replaced]
        return [row for path in live for row in pq.read_table(self.store / path).to_pylist()]

    def story(self, table: str) -> Counter[str]:
        """The rows of a table without what belongs to one run and one place."""
        left_out = PLAN_AND_RUN | THERE_AND_THEN[table]
        rows = [row for row in self.rows(table) if row.get("stage") != "stage-out"]
        kept = ({key: value for key, value in row.items() if key not in left_out} for row in rows)
        return Counter(json.dumps(row, sort_keys=True, default=_as_text) for row in kept)

    def lineage(self, name: str) -> tuple[Counter[str], Counter[tuple[str, ...]]]:
        """Nodes and edges around a file, by names instead of ids."""
        graph = self.call("lineage", name)
        names = {node["id"]: f"{node['kind']} {node.get('job') or node['name']}" for node in graph["nodes"]}
        assert len(set(names.values())) == len(names)
        nodes = [{key: value for key, value in node.items() if key not in ("id", "run")} for node in graph["nodes"]]
        edges = (tuple(names[end] for end in edge) for edge in graph["edges"])
        return Counter(json.dumps(node, sort_keys=True) for node in nodes), Counter(edges)


def _as_text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def on_disk(folder: str) -> dict[str, tuple[str, str]]:
    """Path -> (mode, sha256) of all that is in a folder, the targets of links in their stead."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = (oct(path.stat().st_mode), sha256)
    return found


@pytest.fixture
def work(pool: Any) -> Callable[[str, str], Work]:
    """``work(dataset, store)``: a copy of the data set in the pool's folder, made once, with a store of that name."""

    def made(dataset: str, store: str) -> Work:
        folder = pool.folder / dataset
        if not folder.exists():
            shutil.copytree(ROOT / "datasets" / dataset, folder)
        return Work(pool, dataset, pool.folder / store).register()

    return made


@pytest.mark.timeout(2 * PATIENCE_SECONDS)
@pytest.mark.parametrize("dataset", ["co2-el-nino", "diamond"])
def test_what_the_pool_makes_and_says_is_what_this_machine_makes_and_says(
    work: Callable[[str, str], Work], dataset: str
) -> None:
    at = {engine: work(dataset, f"store-{engine}") for engine in ENGINES}
    runs = {engine: at[engine].run(engine, f"run-{engine}") for engine in ENGINES}
    local, pool = (at[engine] for engine in ENGINES)
    for run in runs.values():
        assert (run["status"], run["jobs"]["succeeded"]) == ("succeeded", JOBS[dataset])
    outputs = {engine: on_disk(run["output_dir"]) for engine, run in runs.items()}
    assert outputs["local"] == outputs["htcondor"] != {}
    for table in THERE_AND_THEN:
        assert pool.story(table) == local.story(table), table
        assert local.rows(table), table
    for name in SEEN_FROM[dataset]:
        assert pool.lineage(name) == local.lineage(name)
    assert all(row["reuse_key"] for row in pool.rows("invocations"))
    _holds_what_a_scientist_asks_for(local, pool, runs["htcondor"])
    for engine, other in (ENGINES, ENGINES[::-1]):
        again = at[engine].run(other, f"again-{other}")
        assert (again["jobs"]["reused"], again["jobs"]["run"]) == (JOBS[dataset], 0)
        assert on_disk(again["output_dir"]) == outputs[engine]
        assert at[engine].call("audit")["verdict"] == "clean"


def _holds_what_a_scientist_asks_for(local: Work, pool: Work, run: Any) -> None:
    """What the store says of a run on the pool: where and with what it ran, and where its files are now."""
    worker = pool.pool.tool("python3", "-c", "import platform; print(platform.node(), platform.python_version())")
    assert {f"{row['host']} {row['python']}\n" for row in pool.rows("invocations")} == {worker}
    for engine, each in zip(ENGINES, (local, pool), strict=True):
        assert {row["site"] for row in each.rows("jobs")} == {SITES[engine]}
        assert {row["engine"] for row in each.call("query", "workflows show engine")} == {engine}
    assert {tuple(row["sites"]) for row in pool.call("query", "files show sites")} == {("local",)}
    # Every copy that the store knows is one of this side, as it is now; what a worker saw of its own copies is no
    # news of these.
    copies = pool.rows("replicas")
    assert {row["event"] for row in copies} == {"registered"}
    for row in copies:
        status = Path(unquote(urlsplit(row["url"]).path)).stat()
        now = (status.st_ino, status.st_dev, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        assert now == tuple(row[key] for key in ("inode", "device", "modified_ns", "changed_ns", "size_bytes"))
    # On the way back to this side every output was read once more, by this side.
    made = [row for row in pool.rows("files") if row["origin"] == "produced"]
    arrived = [row for row in pool.rows("checks") if row["stage"] == "stage-out"]
    assert sorted((row["name"], row["sha256"], row["sha256"], "ok") for row in made) == sorted(
        (row["name"], row["expected_sha256"], row["actual_sha256"], row["verdict"]) for row in arrived
    )
    assert {row["host"] for row in arrived} == {os.uname().nodename}
    ended = {(row["job"], row["attempt"]): row["ended"] for row in pool.rows("invocations")}
    assert all(row["at"] > ended[row["job"], row["attempt"]] for row in arrived)
    verified = pool.call("audit", run["run"])
    assert verified["verdict"] == "clean"
    assert {row["verdict"] for row in pool.call("verify", run["output_dir"])} == {"ok"}


def _typing_error(work: Work) -> Path:
    """The diamond with an input of one job misspelt among its arguments."""
    text = work.workflow.read_text(encoding="utf-8")
    right = '"findrange", "-i", "f.b2"'
    assert text.count(right) == 1
    path = work.workflow.with_name("misspelt.yml")
    path.write_text(text.replace(right, '"findrange", "-i", "f.b22"'), encoding="utf-8")
    return path


@pytest.mark.parametrize(("first", "second"), [ENGINES, ENGINES[::-1]])
def test_what_was_done_when_a_job_failed_is_not_done_again_by_the_other_engine(
    work: Callable[[str, str], Work], first: str, second: str
) -> None:
    diamond = work("diamond", ".pirene")
    failed = diamond.run(first, "first", workflow=_typing_error(diamond), code=1)
    assert diamond.succeeded(failed) == {"preprocess", "findrange-left"}
    mended = diamond.run(second, "second")
    assert diamond.decided(mended) == {"reuse": {"preprocess", "findrange-left"}, "run": {"findrange-right", "analyze"}}
    assert mended["status"] == "succeeded"
    _is_the_same_as_at_once(diamond, mended, work("diamond", "store-of-its-own"))


def test_what_was_done_when_a_run_was_taken_off_the_pool_is_not_done_again_on_this_machine(
    work: Callable[[str, str], Work],
) -> None:
    diamond = work("diamond", ".pirene")
    folder = diamond.pool.folder / "first"
    with diamond.start("run", str(diamond.workflow), "-d", str(folder), "--engine", "htcondor") as engine:
        while not list((folder / "records").rglob("1-*.json")):
            assert engine.poll() is None
            time.sleep(0.1)
        diamond.call("remove", str(folder))
        removed = json.loads(engine.communicate(timeout=60)[0])
    done = diamond.succeeded(removed)
    assert "preprocess" in done
    assert "analyze" not in done
    rest = diamond.run("local", "second")
    assert diamond.decided(rest) == {"reuse": done, "run": _jobs_of_diamond() - done}
    _is_the_same_as_at_once(diamond, rest, work("diamond", "store-of-its-own"))


def test_what_this_machine_has_done_of_a_large_workflow_is_not_done_again_by_the_pool(
    work: Callable[[str, str], Work],
) -> None:
    co2 = work("co2-el-nino", ".pirene")
    begun = co2.run("local", "first", workflow=_without(co2.workflow, RESULTS))
    done = co2.succeeded(begun)
    assert len(done) == JOBS["co2-el-nino"] - len(RESULTS)
    whole = co2.run("htcondor", "second")
    assert co2.decided(whole) == {"reuse": done, "run": set(RESULTS)}
    _is_the_same_as_at_once(co2, whole, work("co2-el-nino", "store-of-its-own"))


def _is_the_same_as_at_once(work: Work, run: Any, fresh: Work) -> None:
    """A run of two halves has the outputs of a local run of the whole."""
    whole = fresh.run("local", "whole")
    assert on_disk(run["output_dir"]) == on_disk(whole["output_dir"])
    assert work.call("audit")["verdict"] == "clean"


def _jobs_of_diamond() -> set[str]:
    return {"preprocess", "findrange-left", "findrange-right", "analyze"}


def _without(workflow: Path, ids: Collection[str]) -> Path:
    """The workflow without some of its last jobs, which are one paragraph of the file each."""
    head, *jobs = workflow.read_text(encoding="utf-8").split("\n- type: job\n")
    kept = list(_paragraphs(jobs, ids))
    assert len(kept) == len(jobs) - len(ids)
    path = workflow.with_name("begun.yml")
    path.write_text("\n- type: job\n".join([head, *kept]) + "\n", encoding="utf-8")
    return path


def _paragraphs(jobs: list[str], left_out: Collection[str]) -> Iterator[str]:
    for job in jobs:
        if job.split("\n", 1)[0].removeprefix("  id: ") not in left_out:
            yield job
