"""Two plans that race: one is made whole while the other is about to be recorded, or about to get its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner import plan_folder
from planner.commands.plan_options import PlanOptions
from planner.plan_folder import PlanFolderError, StagedPlan, read_plan
from planner.record_plan import OvertakenError
from provenance.commands.context import Invocation
from provenance.copies.replicas import file_url
from provenance.registration.raw_files import add_files
from provenance.registration.retirement import retire_files
from provenance.store import Store

Diamond = Callable[..., Path]


def make(world: Any, workflow: Path, folder: str) -> Path:
    options = PlanOptions(run_dir=world.folder / "runs" / folder)
    return options.make(Invocation(quiet=True), workflow, Store.open(world.store.root))


@pytest.fixture
def when_staged(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object], int], list[int]]:
    """Makes something happen each of the next times that a plan is about to be recorded; counts those times."""
    stage = plan_folder.stage_plan

    def arrange(happens: Callable[[], object], times: int) -> list[int]:
        staged: list[int] = []

        def staging(plan: Any) -> StagedPlan:
            made = stage(plan)
            if len(staged) < times:
                staged.append(1)
                happens()
            return made

        monkeypatch.setattr(plan_folder, "stage_plan", staging)
        return staged

    return arrange


def files(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT name, origin FROM files ORDER BY name", tables=["files"])


def states(store: Store) -> list[tuple[str, str | None]]:
    return store.rows("SELECT state, reason FROM workflow_states ORDER BY commit_number", tables=["workflow_states"])


def events(store: Store) -> list[str]:
    return [row[0] for row in store.rows("SELECT event FROM replicas ORDER BY commit_number", tables=["replicas"])]


def test_a_file_that_two_plans_meet_first_is_one_file(world: Any, diamond: Diamond, when_staged: Any) -> None:
    workflow = diamond()
    when_staged(lambda: make(world, workflow, "theirs"), 1)
    mine = read_plan(make(world, workflow, "mine"))
    theirs = read_plan(world.folder / "runs" / "theirs")
    assert files(world.store) == [("f.a", "raw")]
    (file,), (other,) = mine.files.values(), theirs.files.values()
    assert (file.source, file.file) == (other.source, other.file) == (theirs.run, 0)
    assert states(world.store) == [("planned", None), ("planned", None)]
    assert sorted(path.name for path in (world.folder / "runs" / "mine").iterdir()) == ["plan"]


def test_a_file_that_is_given_up_while_others_plan_with_it_is_not_replaced(
    world: Any, diamond: Diamond, when_staged: Any
) -> None:
    workflow = diamond()
    raw = world.folder / "input" / "f.a"
    (old,) = add_files(world.store, [raw]).files
    raw.write_text("other content\n")
    when_staged(lambda: retire_files(Store.open(world.store.root), [old.file]), 1)
    make(world, workflow, "mine")
    assert events(world.store) == ["registered", "retired", "registered"]


def test_what_a_plan_found_gone_and_others_gave_up_is_given_up(world: Any, diamond: Diamond, when_staged: Any) -> None:
    workflow = diamond()
    plan = world.run(workflow)
    output = world.output(plan, "f.d")
    (key,) = world.store.rows("SELECT source, file FROM files WHERE name = 'f.d'", tables=["files"])
    output.unlink()
    when_staged(lambda: retire_files(Store.open(world.store.root), [key]), 1)
    make(world, workflow, "mine")
    said = world.store.rows(
        "SELECT event FROM replicas WHERE url = ? ORDER BY commit_number", [file_url(output)], tables=["replicas"]
    )
    assert said == [("registered",), ("retired",)]


def test_of_two_plans_for_one_folder_one_is_planned_and_the_other_never_will_be(
    world: Any, diamond: Diamond, when_staged: Any
) -> None:
    workflow = diamond()
    add_files(world.store, [world.folder / "input" / "f.a"])  # else it would be planned again, and see the other
    when_staged(lambda: make(world, workflow, "one"), 1)
    with pytest.raises(PlanFolderError, match="there is a plan in this folder already"):
        make(world, workflow, "one")
    assert read_plan(world.folder / "runs" / "one")
    *planned, (last, reason) = states(world.store)
    assert planned == [("planned", None), ("planned", None)]
    assert last == "failed"
    assert reason is not None and "there is a plan in this folder already" in reason
    assert sorted(path.name for path in (world.folder / "runs" / "one").iterdir()) == ["plan"]


def test_a_folder_that_cannot_get_its_name_is_said_too(
    world: Any, diamond: Diamond, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        if target.name == "plan":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    rename = Path.rename
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        make(world, diamond(), "one")
    assert [state for state, _ in states(world.store)] == ["planned", "failed"]


def test_planning_again_and_again_ends(world: Any, diamond: Diamond, when_staged: Any) -> None:
    workflow = diamond()
    raw = world.folder / "input" / "f.a"

    def other_content() -> None:
        add_files(Store.open(world.store.root), [raw])
        raw.write_text(raw.read_text() + "more\n")

    times = when_staged(other_content, 100)
    with pytest.raises(OvertakenError, match=r"f\.a: somebody else has just registered it"):
        make(world, workflow, "mine")
    assert len(times) == 10
    assert states(world.store) == []
    assert not (world.folder / "runs" / "mine").exists()
