"""A store with two runs in it, and a way to run commands on it as a shell would."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from integrity.digest import Stat
from provenance.commands.context import Invocation
from provenance.history.commits import CommitKind
from provenance.identity import source_of
from provenance.ingest.ingest import Published, ingest
from provenance.metadata import from_json, from_yaml
from provenance.metadata_rows import add_metadata
from provenance.registration.raw_files import add_files
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.urls import file_url

AT = dt.datetime(2026, 11, 23, 5, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Runs:
    """Two runs of workflows called left and right: raw.dat -> job a -> mid.dat -> job b -> done.flag (empty)."""

    store: Store
    folder: Path
    ids: dict[str, uuid.UUID]

    def output(self, workflow: str, name: str) -> Path:
        return self.folder / workflow / name

    def query(self, text: str, **parameters: object) -> list[dict[str, Any]]:
        return list(self.store.query(text, parameters).objects())


@pytest.fixture
def run_command(store: Store) -> Callable[..., Result]:
    """Runs a command on the store; an error it raises is raised here."""

    def run(
        command: click.Command, *arguments: str, exit_code: int = 0, invocation: Mapping[str, Any] | None = None
    ) -> Result:
        shared = Invocation(**{"store": str(store.root), **(invocation or {})})
        result = CliRunner().invoke(command, arguments, obj=shared, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result

    return run


@pytest.fixture
def json_of(run_command: Callable[..., Result]) -> Callable[..., Any]:
    """What a command prints with ``--format json``; it must be one document and nothing else."""

    def run(command: click.Command, *arguments: str, exit_code: int = 0) -> Any:
        return json.loads(run_command(command, *arguments, "--format", "json", exit_code=exit_code).stdout)

    return run


@pytest.fixture
def runs(
    store: Store,
    tmp_path: Path,
    record_bytes: Callable[..., bytes],
    read_file: Callable[..., Any],
    made_file: Callable[..., Any],
) -> Runs:
    """Two unrelated workflows, each with a raw input of its own and an empty done.flag."""
    ids = {"left": uuid.UUID(int=1), "right": uuid.UUID(int=2)}
    for name, run_id in ids.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "raw.dat").write_bytes(name.encode())
        raw = add_files(store, [folder / "raw.dat"], metadata={"kind": from_yaml("raw", True)}).files[0]
        _plan(store, run_id, name)
        (folder / "mid.dat").write_bytes(b"mid of " + name.encode())
        (folder / "done.flag").write_bytes(b"")
        content = {"mid.dat": b"mid of " + name.encode(), "done.flag": b""}
        places = {}
        for job, output in ((1, "mid.dat"), (2, "done.flag")):
            path = folder / output
            places[job, 1, output] = Published(file_url(path), "local", Stat.of(path), None)
        run = source_of(run_id)
        first = record_bytes(
            1,
            run=run_id,
            inputs=[
                read_file("raw.dat", name.encode(), source=raw.file[0], file=raw.file[1], url=raw.url, mtime_ns=None)
            ],
            outputs=[made_file("mid.dat", content["mid.dat"])],
            metadata={"text": "chi2=1.25\nnote=all good", "truncated": False},
        )
        second = record_bytes(
            2,
            run=run_id,
            inputs=[read_file("mid.dat", content["mid.dat"], source=run, file=1 << 30 | 1 << 20)],
            outputs=[made_file("done.flag")],
        )
        ingest(store, [first, second], published=places)
    return Runs(store, tmp_path, ids)


def _plan(store: Store, run_id: uuid.UUID, name: str) -> None:
    run, batch = source_of(run_id), Batch()
    batch.add(
        "workflows",
        run=run,
        run_id=str(run_id),
        kind="workflow",
        name=name,
        user_name="ada",
        host="node0",
        submit_dir=f"/runs/{name}",
        output_dir=f"/runs/{name}/output",
        engine="local",
        planner_version="0.1",
        planned=AT,
    )
    for state, second in (("planned", 0), ("running", 1), ("succeeded", 11)):
        batch.add("workflow_states", run=run, state=state, at=AT + dt.timedelta(seconds=second))
    for job, id_ in ((1, "a"), (2, "b")):
        batch.add(
            "jobs",
            run=run,
            job=job,
            id=id_,
            type="job",
            namespace=None,
            name="stack" if job == 1 else "finish",
            version=None,
            arguments=["-o", "x y"],
            site="local",
            decision="run",
            reason="nothing like it has succeeded before",
        )
    batch.add("job_edges", run=run, parent=1, child=2)
    for key, value in {"timesteps": "500000", "type": "test", "status": "draft", "name": "n"}.items():
        add_metadata(batch, "job", run, 1, key, from_json(value), origin="static", author="ada", at=AT)
    odd = {"q\"uo'te=:\n🦊": "a\nb=c: \"d\" 'e' 🦊"}
    for key, value in {"campaign": "DR3", "depth": 3, **odd}.items():
        add_metadata(batch, "workflow", run, 0, key, from_json(value), origin="static", author="ada", at=AT)
    store.commit(CommitKind.PLAN, batch)
