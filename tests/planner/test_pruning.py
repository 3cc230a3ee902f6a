"""What is left out on any graph, against a plain second opinion that knows only contents and walks to a fixed point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Job = dict[str, Any]


class Opinion:
    """Remembers computations by all that went into them, and for each success where its outputs are (None: nowhere)."""

    def __init__(self) -> None:
        self.successes: dict[Any, list[dict[str, Path | None]]] = {}

    def look(self, jobs: list[Job], raw: dict[str, str], forced: set[str]) -> tuple[set[str], dict[str, Any]]:
        """The jobs that have to run, and what each job computes as far as that is known (None: it is not)."""
        content: dict[str, Any] = dict(raw)
        computes: dict[str, Any] = {}
        running = set()
        for job in jobs:  # they come in an order that they could run in
            reads = tuple((name, content[name]) for name in job["in"])
            names = tuple(sorted(out["lfn"] for out in job["out"]))
            computes[job["id"]] = (
                None if any(each is None for _, each in reads) else (job["arguments"][0], frozenset(reads), names)
            )
            if computes[job["id"]] not in self.successes or job["id"] in forced:
                running.add(job["id"])
            for name in names:
                content[name] = None if job["id"] in running else (computes[job["id"]], name)
        while missing := {
            job["id"] for job in jobs if job["id"] not in running and not self.covered(job, jobs, running, computes)
        }:
            running |= missing
        return running, computes

    def covered(self, job: Job, jobs: list[Job], running: set[str], computes: dict[str, Any]) -> bool:
        wanted = {name for other in jobs if other["id"] in running for name in other["in"]}
        needed = [out["lfn"] for out in job["out"] if out["stageOut"] or out["lfn"] in wanted]
        return any(all(success[name] for name in needed) for success in self.successes[computes[job["id"]]])

    def learn(self, jobs: list[Job], raw: dict[str, str], running: set[str], output: Path) -> None:
        """What a run of ``running`` adds; by now the content of everything is known."""
        content: dict[str, Any] = dict(raw)
        for job in jobs:
            names = tuple(sorted(out["lfn"] for out in job["out"]))
            computes = (job["arguments"][0], frozenset((name, content[name]) for name in job["in"]), names)
            content.update({name: (computes, name) for name in names})
            if job["id"] in running:
                copies = {out["lfn"]: output / out["lfn"] if out["stageOut"] else None for out in job["out"]}
                self.successes.setdefault(computes, []).append(copies)

    def lose(self, path: Path) -> None:
        path.unlink()
        for successes in self.successes.values():
            for success in successes:
                success.update({name: None for name, copy in success.items() if copy == path})


@st.composite
def graphs(draw: st.DrawFn) -> list[Job]:
    """Up to seven jobs, each reading raw files and outputs of earlier jobs, each writing one file or two."""
    jobs: list[Job] = []
    for number in range(draw(st.integers(1, 7))):
        names = ["raw.0", "raw.1", *(out["lfn"] for job in jobs for out in job["out"])]
        outputs = [
            {"lfn": f"out.{number}.{part}", "stageOut": draw(st.booleans())} for part in range(draw(st.integers(1, 2)))
        ]
        reads = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        jobs.append({"id": f"j{number}", "in": reads, "out": outputs, "arguments": ["0"]})
    return jobs


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(graphs(), st.data())
def test_the_same_jobs_run_as_in_the_second_opinion(
    new_world: Callable[[], Any], jobs: list[Job], data: st.DataObject
) -> None:
    world, opinion = new_world(), Opinion()
    raw = {"raw.0": "0", "raw.1": "0"}
    for step in range(4):
        if step:
            raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(st.sampled_from("001"))
            data.draw(st.sampled_from(jobs))["arguments"] = [data.draw(st.sampled_from("001"))]
            copies = sorted((world.folder / "runs").glob("*/output/*"))
            for path in data.draw(st.lists(st.sampled_from(copies), max_size=2, unique=True)) if copies else ():
                opinion.lose(path)
        for name, content in raw.items():
            world.raw(name, content)
        forced = data.draw(st.sets(st.sampled_from([job["id"] for job in jobs]), max_size=1)) if step else set()
        expected, _ = opinion.look(jobs, raw, forced)
        run_dir = world.folder / "runs" / f"{step}"
        plan = world.plan(world.write(jobs), force=frozenset(forced), run_dir=run_dir)
        assert {job.job.id for job in plan.jobs if job.decision == "run"} == expected
        assert all(job.reason for job in plan.jobs)
        for job in plan.jobs:
            assert all(Path(out.file.path).is_file() for out in job.reused.values())
        world.pretend(world.freeze(plan))
        opinion.learn(jobs, raw, expected, plan.output_dir)
