"""The plan folder: what is read is what was planned, whole or not at all; and the commands on top of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from planner.commands.explain import explain
from planner.commands.plan import plan as plan_command
from planner.engine_plan import EnginePlan
from planner.engines.describe import description_of
from planner.errors import PlannerError
from planner.plan import make_plan
from planner.plan_folder import read_plan, stage_plan
from planner.plan_tables import jobs_of, tables_of
from planner.planned import Plan, PlanRequest
from provenance.commands.context import Invocation

Diamond = Callable[..., Path]


def same(plan: Plan, read: EnginePlan) -> bool:
    """Whether an engine gets what was planned."""
    shared = [name for name in type(read.jobs[0]).__dataclass_fields__ if hasattr(plan.jobs[0], name)]
    return (
        plan.edges == read.edges
        and plan.files == read.files
        and plan.run_id == read.run_id
        and plan.output_dir == read.output_dir
        and plan.planned == read.planned
        and plan.workflow.metadata == read.metadata
        and all(
            getattr(one, name) == getattr(other, name)
            for one, other in zip(plan.jobs, read.jobs, strict=True)
            for name in shared
        )
        and [job.job.id for job in plan.jobs] == [job.id for job in read.jobs]
    )


def test_what_is_read_is_what_was_planned(world: Any, diamond: Diamond) -> None:
    changes = {
        "left": {
            "profiles": {
                "env": {"A": "ü=\n"},
                "dagman": {"RETRY": 2},
                "pirene": {"salt": "s"},
                "pegasus": {"maxwalltime": 2},
            },
            "stdout": "left.log",
        },
        "analyze": {"out": [{"lfn": "f.d", "metadata": {"list": [1, "2", True], "empty": [], "emoji": "🌈"}}]},
    }
    workflow = diamond(changes=changes, metadata={"campaign": "DR3", "n": 1})
    first = world.plan(workflow)
    assert same(first, world.freeze(first))
    world.pretend(read_plan(first.run_dir))
    world.output(first, "f.c1").unlink()
    second = world.plan(workflow)
    read = world.freeze(second)
    assert same(second, read)
    assert read.jobs[1].expected
    assert {job.decision for job in read.jobs} == {"run", "reuse"}


def test_times_reach_the_wrapper(world: Any) -> None:
    times = {"pegasus": {"maxwalltime": 3, "checkpoint.time": 2}}
    plan = world.plan(world.write([{"id": "a", "out": ["x"], "profiles": times}, {"id": "b", "out": ["y"]}]))
    read = world.freeze(plan)
    described = [description_of(read, job, job.executable) for job in read.jobs]
    assert [one["walltime_seconds"] for one in described] == [180, None]
    assert [one["checkpoint"] for one in described] == [{"after_seconds": 120}, {"after_seconds": None}]
    tables = tables_of(plan)
    older = tables["jobs"].drop_columns(["walltime_seconds", "checkpoint_seconds"])
    jobs, _ = jobs_of(older, tables["uses"], tables["files"])
    assert [job.walltime_seconds for job in jobs] == [None, None]


def test_engine_and_planner_agree_on_every_key(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    read = world.freeze(world.plan(diamond()))
    digests = {name: file.sha256 for name, file in read.files.items()}
    digests |= {name: out.file.sha256 for job in read.jobs for name, out in job.reused.items()}
    for job in read.jobs:
        inputs = {use.name: digests[use.name] for use in job.uses if use.role == "input"}
        assert job.key(inputs) == job.reuse_key


def test_changed_missing_and_foreign_plans_are_refused(world: Any, diamond: Diamond, tmp_path: Path) -> None:
    plan = world.plan(diamond())
    world.freeze(plan)
    jobs = plan.run_dir / "plan" / "jobs.parquet"
    whole = bytearray(jobs.read_bytes())
    whole[len(whole) // 2] ^= 1
    jobs.write_bytes(whole)
    with pytest.raises(PlannerError, match=r"jobs.parquet: the plan is not as it was written: expected sha256"):
        read_plan(plan.run_dir)
    jobs.unlink()
    with pytest.raises(PlannerError, match="it is missing"):
        read_plan(plan.run_dir)
    with pytest.raises(PlannerError, match="there is no plan in this folder"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    "lock", ["[" * 100_000, '{"schema": "pirene.plan/1"', '{"schema": "pirene.plan/1", "tables": {}}']
)
def test_a_lock_file_that_is_not_whole_is_refused(world: Any, diamond: Diamond, lock: str) -> None:
    plan = world.plan(diamond())
    world.freeze(plan)
    (plan.run_dir / "plan" / "lock.json").write_text(lock)
    with pytest.raises(PlannerError, match=r"lock.json: the plan is not as it was written"):
        read_plan(plan.run_dir)


def test_a_plan_that_is_given_up_leaves_nothing(world: Any, diamond: Diamond, tmp_path: Path) -> None:
    new, old = world.plan(diamond(), run_dir=tmp_path / "new"), world.plan(diamond(), run_dir=tmp_path / "old")
    old.run_dir.mkdir()
    for plan in (new, old):
        stage_plan(plan).discard()
    assert not new.run_dir.exists()
    assert list(old.run_dir.iterdir()) == []


def test_folder_that_holds_a_plan_is_not_planned_again(world: Any, diamond: Diamond) -> None:
    plan = world.plan(diamond())
    twin = stage_plan(world.plan(diamond(), run_dir=plan.run_dir))
    world.freeze(plan)
    with pytest.raises(PlannerError, match="there is a plan in this folder already"):
        twin.publish()
    with pytest.raises(PlannerError, match="already"):
        world.plan(diamond(), run_dir=plan.run_dir)
    assert [path.name for path in plan.run_dir.iterdir()] == ["plan"]


def test_default_folders_are_safe_and_a_site_may_name_the_output(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.folder)
    workflow = world.write([{"id": "x", "out": ["y"]}], name="w")
    document = json.loads(workflow.read_text())
    workflow.write_text(json.dumps({**document, "name": "..ü $x"}))
    plan = make_plan(PlanRequest(workflow, world.store))
    assert plan.run_dir.parent == world.folder / "runs"
    assert plan.run_dir.name == f"ü_x-{plan.run_id.hex[-8:]}"
    assert plan.output_dir == plan.run_dir / "output"
    storage = {"type": "localStorage", "path": str(world.folder / "store"), "fileServers": []}
    site = {"name": "local", "directories": [storage]}
    workflow.write_text(json.dumps({**document, "siteCatalog": {"sites": [site]}}))
    assert make_plan(PlanRequest(workflow, world.store)).output_dir == world.folder / "store"


def test_plan_and_explain_as_commands(world: Any, diamond: Diamond, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.folder)
    runner, invocation = CliRunner(), Invocation(store=str(world.store.root), quiet=True)
    first = world.run(diamond())
    workflow = diamond(changes={"left": {"arguments": ["-a", "findrange", "3"]}})
    made = runner.invoke(plan_command, [str(workflow), "--format", "json"], obj=invocation, catch_exceptions=False)
    shown = json.loads(made.stdout)
    assert shown["jobs"] == {"total": 4, "run": 2, "reused": 2}
    by_folder, by_id = (
        runner.invoke(explain, [given, "--format", "json"], obj=invocation, catch_exceptions=False).stdout
        for given in (shown["run_dir"], shown["run"])
    )
    assert json.loads(by_folder) == json.loads(by_id)
    rows = {row["job"]: row for row in json.loads(by_folder)}
    assert rows["preprocess"] == {
        "job": "preprocess",
        "decision": "reuse",
        "ground": "proven",
        "reason": f"nothing changed since job preprocess of run {first.run_id} succeeded",
        "changed": [],
        "reused_from": {"run": str(first.run_id), "job": "preprocess"},
    }
    assert rows["left"]["changed"] == ['argument 3 "1" → "3"']
    assert rows["left"]["reused_from"] is None


@pytest.mark.parametrize("arguments", [["--reuse", "jobs", "--no-reuse"], ["-p", "novalue"], ["--trust", "hearsay"]])
def test_options_that_make_no_sense_are_usage_errors(world: Any, diamond: Diamond, arguments: list[str]) -> None:
    result = CliRunner().invoke(plan_command, [str(diamond()), *arguments], obj=Invocation(store=str(world.store.root)))
    assert result.exit_code == 2


def test_recorded_plan_is_in_the_store(world: Any, diamond: Diamond) -> None:
    plan = world.plan(diamond(metadata={"timesteps": "500000"}))
    read = world.freeze(plan)
    tables = ["workflows", "workflow_states", "jobs", "job_edges", "files", "replicas", "metadata"]
    counts = {table: world.store.rows(f"SELECT count(*) FROM {table}", tables=[table])[0][0] for table in tables}
    assert counts == {
        "workflows": 1,
        "workflow_states": 1,
        "jobs": 4,
        "job_edges": 4,
        "files": 1,
        "replicas": 1,
        "metadata": 1,
    }
    assert world.store.rows("SELECT plan_sha256 FROM workflows", tables=["workflows"]) == [(read.plan_sha256,)]
    assert len(list(world.store.commits())) == 1
