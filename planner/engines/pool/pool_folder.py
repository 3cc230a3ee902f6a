"""The part of a run folder that belongs to HTCondor.

RUN/pool/run.dag            the DAG: a node for every job of the plan, named by the job's number; never changed
RUN/pool/run.dag.rescue*    which nodes are done: written by the engine before each submission, by DAGMan at a bad end
RUN/pool/run.dag.*          what DAGMan writes: run.dag.nodes.log (events of all nodes), run.dag.dagman.log (its own)
RUN/pool/nodes.jsonl        the static part of every job's description, with an index (planner/engines/pool/dag.py)
RUN/pool/kickstart.pyz      the wrapper, and
RUN/pool/node_step.pyz      the PRE and POST step of every node, as they were when the run was planned
RUN/pool/nodes/K/N/         a node at work: in/ (what goes to the worker), out/ (what came back), stdout, stderr
RUN/pool/handed/K/N.json    the outputs of job N in their places: written by the POST step of a good attempt
RUN/pool/refused/K/N-A.json why attempt A of job N does not count, where its record does not say so
RUN/pool/news/N-A           there is something new of attempt A of job N: the engine looks here and nowhere else
RUN/pool/given_up/K/N       job N has failed in an earlier round of the command at work, and is not to run in this one
RUN/pool/instead.json       inputs that are read from other copies than the plan says, for want of a good one there
RUN/pool/node_step.log      what node steps said on stderr

K is N // 1000. Records are where the local engine keeps them too: RUN/records/K/N-A.json.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.run_folder import JOBS_PER_FOLDER


@dataclass(frozen=True, slots=True)
class PoolFolder:
    """Paths below RUN/pool. ``root`` is that folder."""

    root: Path

    @classmethod
    def of(cls, run_dir: Path) -> PoolFolder:
        """That of a run folder."""
        return cls(run_dir / "pool")

    @property
    def dag(self) -> Path:
        """The DAG file."""
        return self.root / "run.dag"

    @property
    def events(self) -> Path:
        """The log of events of all nodes, as DAGMan has HTCondor write it."""
        return self.root / "run.dag.nodes.log"

    @property
    def dagman_events(self) -> Path:
        """The log of events of the DAGMan job itself."""
        return self.root / "run.dag.dagman.log"

    @property
    def nodes(self) -> Path:
        """Static descriptions of all jobs."""
        return self.root / "nodes.jsonl"

    @property
    def first_rescue_file(self) -> Path:
        """The rescue file that says what was done before DAGMan started."""
        return self.root / "run.dag.rescue001"

    def rescue_files(self) -> list[Path]:
        """All rescue files."""
        return sorted(self.root.glob("run.dag.rescue[0-9]*"))

    @property
    def steps(self) -> Path:
        """The program of node steps."""
        return self.root / "node_step.pyz"

    @property
    def news(self) -> Path:
        """Where node steps leave an empty file JOB-ATTEMPT for whoever watches the run."""
        return self.root / "news"

    def node(self, job: int) -> Path:
        """The folder that HTCondor transfers to and from for one job."""
        return self.root / "nodes" / str(job // JOBS_PER_FOLDER) / str(job)

    def handed(self, job: int) -> Path:
        """What the POST step of a good attempt says of its outputs."""
        return self.root / "handed" / str(job // JOBS_PER_FOLDER) / f"{job}.json"

    @property
    def refusals(self) -> Path:
        """Where what is said against attempts lies, a folder for each thousand jobs."""
        return self.root / "refused"

    def give_up(self, jobs: Iterable[int]) -> None:
        """Let DAGMan run none of these in the next round, although they are not done; and all others."""
        root = self.root / "given_up"
        if root.exists():
            shutil.rmtree(root)
        for job in jobs:
            folder = root / str(job // JOBS_PER_FOLDER)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / str(job)).touch()

    def read_instead(self, paths: Mapping[str, str]) -> None:
        """Let PRE steps lay out these copies (by `instead_key`) in place of those that the plan names."""
        temporary = self.root / ".instead.json.tmp"
        temporary.write_text(json.dumps(paths), encoding="ascii")
        temporary.replace(self.root / "instead.json")

    def keep_events(self) -> None:
        """Move the log of events away before a new round: DAGMan begins it anew."""
        if self.events.exists():
            earlier = len(list(self.root.glob(f"{self.events.name}.[0-9]*")))
            self.events.rename(self.events.with_name(f"{self.events.name}.{earlier + 1}"))

    def refused(self, job: int, attempt: int) -> Path:
        """What the POST step says of an attempt that does not count."""
        return self.root / "refused" / str(job // JOBS_PER_FOLDER) / f"{job}-{attempt}.json"
