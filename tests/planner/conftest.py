"""A small world to plan in: a folder with a store, one executable, workflows from a few lines, pretended runs."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integrity.digest import Stat
from planner.engine_plan import EngineJob, EnginePlan
from planner.plan import make_plan
from planner.plan_folder import read_plan, stage_plan
from planner.plan_metadata import add_output_metadata
from planner.planned import Plan, PlanRequest
from planner.record_plan import record_plan
from provenance.copies.replicas import add_event, by_url, file_url
from provenance.history.commits import CommitKind
from provenance.identity import produced_file
from provenance.segments.batch import Batch
from provenance.store import Store


@dataclass
class World:
    """``files`` are raw inputs; every job runs the executable `tool` unless it says otherwise."""

    folder: Path
    store: Store
    catalog: dict[str, dict[str, Any]] = field(default_factory=dict)

    def tool(self, text: str = "#!/bin/sh\n", name: str = "tool") -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def raw(self, name: str, content: str, **entry: Any) -> Path:
        """A raw input on disk and in the replica catalog."""
        path = self.folder / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        self.catalog[name] = {"lfn": name, "pfns": [{"site": "local", "pfn": str(path)}], **entry}
        return path

    def seen(self, event: str, path: Path) -> None:
        """What an audit records of a registered copy that it finds damaged (`quarantined`) or not at all (`missing`);
        or another event in the life of that copy.
        """
        url = file_url(path)
        (copy,) = by_url(self.store, [url]).values()
        batch, now = Batch(), dt.datetime.now(dt.UTC)
        add_event(batch, event, source=copy.source, file=copy.file, url=url, site="local", at=now)
        self.store.commit(CommitKind.AUDIT, batch)

    def write(self, jobs: Sequence[Mapping[str, Any]], *, name: str = "w", tool: str = "tool", **keys: Any) -> Path:
        """A workflow file. A job is {id, in, out, ...}: lists of lfns or of whole `uses` entries, and any other key."""
        site = {"name": "local", "pfn": str(self.folder / tool), "type": "stageable"}
        document = {
            "pegasus": "5.0",
            "name": name,
            "transformationCatalog": {"transformations": [{"name": "tool", "sites": [site]}]},
            "replicaCatalog": {"replicas": list(self.catalog.values())},
            "jobs": [_job(job) for job in jobs],
            **keys,
        }
        path = self.folder / f"{name}.yml"
        path.write_text(json.dumps(document, ensure_ascii=False))
        return path

    def plan(self, workflow: Path, **options: Any) -> Plan:
        """A plan, not recorded and not written."""
        options.setdefault("run_dir", self.folder / "runs" / os.urandom(4).hex())
        return make_plan(PlanRequest(workflow, self.store, **options))

    def freeze(self, plan: Plan) -> EnginePlan:
        """The plan recorded, written and read back."""
        staged = stage_plan(plan)
        record_plan(plan, staged.plan_sha256)
        staged.publish()
        return read_plan(plan.run_dir)

    def run(self, workflow: Path, *, change: Callable[[str, bytes], bytes] | None = None, **options: Any) -> Plan:
        """Plan, and pretend that the jobs which are to run succeed: what they make is a function of what they read."""
        plan = self.plan(workflow, **options)
        self.pretend(self.freeze(plan), change)
        return plan

    def pretend(self, plan: EnginePlan, change: Callable[[str, bytes], bytes] | None = None) -> None:
        batch = Batch()
        made: dict[tuple[int | None, str], Path] = {(None, name): Path(file.path) for name, file in plan.files.items()}
        for job in plan.jobs:
            made |= {(job.number, name): Path(out.file.path) for name, out in job.reused.items()}
        waiting = [job for job in plan.jobs if job.decision == "run"]
        parents = {child: {parent for parent, other in plan.edges if other == child} for _, child in plan.edges}
        while waiting:
            left = {job.number for job in waiting}
            ready = [job for job in waiting if not parents.get(job.number, set()) & left]
            assert ready
            for job in ready:
                _succeed(batch, plan, job, made, change)
            waiting = [job for job in waiting if job not in ready]
        self.store.commit(CommitKind.INGEST, batch)

    def output(self, plan: Plan, name: str) -> Path:
        """Where a plan's output went."""
        return plan.output_dir / name


@pytest.fixture(scope="session")
def new_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    """Makes worlds that know nothing of each other."""

    def make() -> World:
        folder = tmp_path_factory.mktemp("world")
        made = World(folder, Store.open(folder / ".pirene"))
        made.tool()
        return made

    return make


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    return new_world()


@pytest.fixture
def diamond(world: World) -> Callable[..., Path]:
    """Writes the classic four jobs; `changes` are keys of single jobs, by id."""

    def write(name: str = "diamond", changes: Mapping[str, Mapping[str, Any]] | None = None, **keys: Any) -> Path:
        jobs = [
            {"id": "preprocess", "in": ["f.a"], "out": ["f.b1", "f.b2"], "arguments": ["-a", "preprocess"]},
            {"id": "left", "in": ["f.b1"], "out": ["f.c1"], "arguments": ["-a", "findrange", "1"]},
            {"id": "right", "in": ["f.b2"], "out": ["f.c2"], "arguments": ["-a", "findrange", "2"]},
            {"id": "analyze", "in": ["f.c1", "f.c2"], "out": ["f.d"], "arguments": ["-a", "analyze"]},
        ]
        return world.write([{**job, **(changes or {}).get(job["id"], {})} for job in jobs], name=name, **keys)

    world.raw("f.a", "raw data\n")
    return write


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    uses = [
        {"lfn": entry, "type": role} if isinstance(entry, str) else {"type": role, **entry}
        for key, role in (("in", "input"), ("out", "output"), ("inout", "inout"))
        for entry in job.get(key, ())
    ]
    rest = {key: value for key, value in job.items() if key not in ("in", "out", "inout")}
    return {"type": "job", "name": "tool", "arguments": [], "uses": uses, **rest}


def _succeed(
    batch: Batch,
    plan: EnginePlan,
    job: EngineJob,
    made: dict[tuple[int | None, str], Path],
    change: Callable[[str, bytes], bytes] | None,
) -> None:
    """Rows and files of one successful attempt."""
    now = dt.datetime.now(dt.UTC)
    read = {
        use.name: made[use.producer, use.name]
        for use in job.uses
        if use.role in ("input", "inout")
        if (use.producer, use.name) in made
    }
    contents = {name: path.read_bytes() for name, path in read.items()}
    digests = {name: hashlib.sha256(content).digest() for name, content in contents.items()}
    at = {"run": plan.run, "job": job.number, "attempt": 1}
    batch.add("invocations", **at, status="succeeded", started=now, ended=now, reuse_key=job.key(digests))
    executable = hashlib.sha256(Path(job.executable).read_bytes()).digest()
    batch.add("uses", **at, name=job.executable, role="executable", direction="read", sha256=executable)
    for name, digest in digests.items():
        batch.add(
            "uses", **at, name=name, role="input", direction="read", sha256=digest, size_bytes=len(contents[name])
        )
    outputs = [use for use in job.uses if use.role in ("output", "inout")]
    for position, use in enumerate(outputs):
        said = repr(
            (executable.hex(), job.arguments, sorted(job.environment.items()), sorted(digests.items()), use.name)
        )
        content = hashlib.sha256(said.encode()).hexdigest().encode()
        content = change(use.name, content) if change else content
        path = (plan.output_dir if use.stage_out else plan.run_dir / "intermediate") / use.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        made[job.number, use.name] = path
        number, digest = produced_file(job.number, 1, position), hashlib.sha256(content).digest()
        same = {"name": use.name, "size_bytes": len(content), "sha256": digest}
        batch.add(
            "files", source=plan.run, file=number, origin="produced", kind="file", job=job.number, attempt=1,
            digest_origin="produced", created=now, **same,
        )  # fmt: skip
        batch.add("uses", **at, source=plan.run, file=number, role=use.role, direction="write", **same)
        if use.stage_out:
            place = {"source": plan.run, "file": number, "url": file_url(path), "site": "local"}
            add_event(batch, "registered", **place, at=now, stat=Stat.of(path))
    add_output_metadata(batch, plan, job, 1, [use.name for use in outputs])
