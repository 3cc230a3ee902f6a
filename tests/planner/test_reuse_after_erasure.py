"""A job whose output was erased is not reused for it: it runs again, and what needs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from provenance.answers.things import find_things
from provenance.erasure.erasure import Target, erase


def test_an_erased_output_is_made_again(world: Any, diamond: Callable[..., Path]) -> None:
    workflow = diamond()
    world.run(workflow)
    again = world.run(workflow)
    assert {str(job.decision) for job in again.jobs} == {"reuse"}
    erase(world.store, Target(tuple(find_things(world.store, ['files where name = "f.b1"'], {}))), "asked to")
    plan = world.run(workflow)
    decisions = {job.job.id: str(job.decision) for job in plan.jobs}
    assert decisions == {"preprocess": "run", "left": "run", "right": "reuse", "analyze": "run"}
    made = list(world.store.query('files where name = "f.b1"').rows())
    assert len(made) == 1
