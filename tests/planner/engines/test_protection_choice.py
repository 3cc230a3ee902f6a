"""Who says how the inputs of a job are protected, and what the store then says of each."""

from __future__ import annotations

from typing import Any

import pytest

from planner.engines.local import run_local
from planner.engines.progress import Watch
from planner.errors import FileError
from provenance.reading.views import fetch

READ = {"arguments": ["cat a > r"], "in": ["a"], "out": ["r"]}


def protections(world: Any, job: dict[str, Any], **options: Any) -> dict[str, str]:
    """Plan and run one job: the level of each look at an input of it."""
    world.tool('#!/bin/sh\nexec /bin/sh -ec "$1"\n')
    world.raw("a", "raw data\n")
    plan = world.freeze(world.plan(world.write([{"id": "read", **READ, **job}]), **options))
    assert run_local(plan, world.store, at_once=1, watch=Watch(lambda *_: None, pytest.fail)) == "succeeded"
    assert (plan.output_dir / "r").read_text() == "raw data\n"
    return dict(fetch(world.store, "SELECT name, protection FROM checks WHERE stage = 'pre-exec'"))


@pytest.mark.parametrize("level", ["copy", "seal"])
def test_a_profile_and_an_option(world: Any, level: str) -> None:
    profile = {"profiles": {"pirene": {"protection": level}}}
    assert protections(world, profile) == {"a": level, str(world.folder / "tool"): "guard"}
    states = fetch(world.store, "SELECT state FROM replica_states")
    assert states == [("ok",)] * len(states)
    assert protections(world, profile, protection="guard", reuse=False)["a"] == "guard"


def test_guard_is_the_default(world: Any) -> None:
    assert set(protections(world, {}).values()) == {"guard"}


def test_a_level_that_there_is_not(world: Any) -> None:
    with pytest.raises(FileError, match=r"profile pirene\.protection: expected guard, copy or seal, found 'lock'"):
        protections(world, {"profiles": {"pirene": {"protection": "lock"}}})
