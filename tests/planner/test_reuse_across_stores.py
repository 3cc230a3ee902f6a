"""Half of a workflow is done on a cluster, half on a laptop: what was pulled counts as if it had been done here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.planned import Plan
from provenance.exchange.pull import pull
from provenance.store import Store


def decisions(plan: Plan) -> dict[str, str]:
    return {job.job.id: str(job.decision) for job in plan.jobs}


@pytest.fixture
def laptop(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "laptop")


@pytest.fixture
def half_done(world: Any, diamond: Callable[..., Path], laptop: Store) -> Plan:
    """The cluster's half; the world goes on with the laptop's store, which has pulled it."""
    jobs = [
        {"id": "preprocess", "in": ["f.a"], "out": ["f.b1", "f.b2"], "arguments": ["-a", "preprocess"]},
        {"id": "left", "in": ["f.b1"], "out": ["f.c1"], "arguments": ["-a", "findrange", "1"]},
    ]
    diamond()
    done = world.run(world.write(jobs, name="half"))
    pull(laptop, world.store)
    world.store = laptop
    assert isinstance(done, Plan)
    return done


def test_what_was_done_there_is_reused_here(
    world: Any, diamond: Callable[..., Path], half_done: Plan, laptop: Store
) -> None:
    whole = world.run(diamond())
    assert decisions(whole) == {"preprocess": "reuse", "left": "reuse", "right": "run", "analyze": "run"}
    assert whole.files["f.a"].source == half_done.run  # the input is the file that the cluster saw first
    assert sorted(row["status"] for row in laptop.query("jobs").objects()) == ["reused"] * 2 + ["succeeded"] * 4


def test_outputs_that_cannot_be_read_here_are_made_again_and_are_nobodys_loss(
    world: Any, diamond: Callable[..., Path], half_done: Plan, laptop: Store
) -> None:
    world.output(half_done, "f.c1").unlink()
    again = world.run(diamond())
    assert decisions(again) == {"preprocess": "reuse", "left": "run", "right": "run", "analyze": "run"}
    events = laptop.rows("SELECT event, count(*) FROM replicas GROUP BY 1 ORDER BY 1", tables=["replicas"])
    assert not {"missing", "quarantined", "replaced"} & {event for event, _ in events}
