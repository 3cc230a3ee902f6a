"""Where outputs go: to the output folder, or to where only later jobs of the run read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planner.engine_plan import EngineJob, EnginePlan
from planner.planned import PlannedUse
from planner.run_folder import RunFolder, below
from provenance.copies.replicas import file_url


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an output. ``url`` is None if the file there is no replica: nobody but the run may count on it.

    ``site`` is where that place is: wherever a pool ran the job, its outputs come back to this machine.
    """

    path: Path
    url: str | None
    site: str


class Places:
    """The places of all outputs of a plan."""

    def __init__(self, plan: EnginePlan, folder: RunFolder) -> None:
        self._output_dir = plan.output_dir
        self._comes_back = plan.engine == "htcondor"
        self._folder = folder
        # A version of a file that another job goes on to change in place is nobody's final output.
        self._superseded = {
            (use.producer, use.name) for job in plan.jobs for use in job.uses if use.role == "inout" and use.producer
        }

    def of(self, job: EngineJob, use: PlannedUse) -> Place:
        """The place of one output of a job. Raises PlannerError for a name that would lead elsewhere."""
        if use.stage_out and (job.number, use.name) not in self._superseded:
            path = below(self._output_dir, use.name)
            return Place(path, file_url(path), self.site(job))
        return Place(self._folder.intermediate(job.number, use.name), None, self.site(job))

    def site(self, job: EngineJob) -> str:
        """Where the outputs of a job are in the end."""
        return "local" if self._comes_back else job.site
