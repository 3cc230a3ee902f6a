"""A run in HTCondor's queue: its DAGMan and the jobs of its nodes.

All of them carry the attribute PireneRun, so a run is found whoever submitted it, whenever, and whatever the schedd has
been through since. The description of DAGMan is written here, not by `Submit.from_dag`: that one writes a file beside
the DAG, prints, lets a batch name break the description and a path be expanded. Here every file has a plain name in
the run's folder, and the folder is named once. What the arguments mean: manual of condor_dagman(1).
"""

from __future__ import annotations

import enum
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.engines.pool import schedd
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.schedd import PATIENCE_SECONDS, POLL_SECONDS, QueueError, QueueUnreachableError

_SCHEDULER_UNIVERSE = 7  # where DAGMan runs
_LOOKS_LIKE = {"$": "\N{FULLWIDTH DOLLAR SIGN}", "\\": "\N{FULLWIDTH REVERSE SOLIDUS}"}
_WHERE = ("JobStatus", "HoldReason", "HoldReasonCode", "HoldReasonSubCode", "RemoveReason")


class QueueStatus(enum.Enum):
    """Where a job in the queue is; the values are HTCondor's JobStatus."""

    IDLE = 1
    RUNNING = 2
    REMOVED = 3  # on its way out
    COMPLETED = 4  # on its way out
    HELD = 5
    TRANSFERRING_OUTPUT = 6
    SUSPENDED = 7

    @property
    def word(self) -> str:
        """For a person."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class DagmanJob:
    """The DAGMan of a run, in the queue. ``reason`` is HTCondor's, of a job that is held or removed."""

    cluster: int
    status: QueueStatus
    reason: str | None


@dataclass(frozen=True, slots=True)
class NodeJob:
    """The job of a node, in the queue. ``job`` is the plan's number, ``id`` HTCondor's (cluster.proc)."""

    job: int
    id: str
    status: QueueStatus
    reason: str | None
    starts: int


def submit(folder: PoolFolder, run_id: str, name: str, at_once: int | None = None) -> int:
    """Submit DAGMan for the DAG in ``folder`` (absolute); its cluster. ``name``: what people see in the queue;
    ``at_once``: how many jobs may be in the queue at a time (None: as many as are ready).

    The newest rescue file there counts. Waits for a schedd that restarts. Raises QueueError: condor_dagman is nowhere,
    HTCondor cannot be given the path, it refuses; QueueUnreachableError: no schedd for PATIENCE_SECONDS.
    """
    token = uuid.uuid4().hex
    description = _description(folder.root, run_id, name, token, at_once or 0)  # 0 is DAGMan's word for no limit
    schedd.patiently(lambda: schedd.query("false", []))
    try:
        return schedd.submit(description)
    except QueueUnreachableError:
        # Only its answer may have been lost.
        ads = schedd.patiently(lambda: schedd.query(f"PireneRound == {schedd.quoted(token)}", ["ClusterId"]))
        if ads:
            return int(ads[0]["ClusterId"])
        raise


def find(run_id: str) -> DagmanJob | None:
    """The DAGMan of a run; None if none is in the queue. Raises QueueError, QueueUnreachableError."""
    ads = schedd.query(_dagman_of(run_id), ["ClusterId", *_WHERE])
    jobs = [DagmanJob(int(ad["ClusterId"]), QueueStatus(ad["JobStatus"]), _reason(ad)) for ad in ads]
    leaving = (QueueStatus.REMOVED, QueueStatus.COMPLETED)  # that of an earlier round may not be quite gone yet
    return max(jobs, key=lambda job: (job.status not in leaving, job.cluster), default=None)


def node_jobs(run_id: str) -> list[NodeJob]:
    """The jobs of a run's nodes in the queue, by number. Raises QueueError, QueueUnreachableError."""
    ads = schedd.query(
        f"{_all_of(run_id)} && JobUniverse != {_SCHEDULER_UNIVERSE}",
        ["DAGNodeName", "ClusterId", "ProcId", "NumJobStarts", *_WHERE],
    )
    jobs = [
        NodeJob(
            job=int(ad["DAGNodeName"]),
            id=f"{ad['ClusterId']}.{ad['ProcId']}",
            status=QueueStatus(ad["JobStatus"]),
            reason=_reason(ad),
            starts=int(ad.get("NumJobStarts", 0)),
        )
        for ad in ads
    ]
    return sorted(jobs, key=lambda job: (job.job, job.id))


def remove(run_id: str, reason: str, *, patience_seconds: float = PATIENCE_SECONDS) -> int:
    """Take a run out of the queue and wait until it has gone; how many jobs were there, DAGMan included.

    DAGMan goes first: it removes its nodes' jobs and writes its rescue file; then what a DAGMan that was killed has
    left. HTCondor's logs keep ``reason``. Raises QueueError: the run is another user's, or does not go within
    ``patience_seconds``; QueueUnreachableError.
    """
    found = len(schedd.patiently(lambda: schedd.query(_all_of(run_id), ["ClusterId"])))
    if found:
        for constraint in (_dagman_of(run_id), _all_of(run_id)):
            schedd.remove(f"{constraint} && JobStatus != {QueueStatus.REMOVED.value}", reason)
            _wait_until_gone(constraint, patience_seconds)
    return found


def _wait_until_gone(constraint: str, patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while ads := schedd.patiently(lambda: schedd.query(constraint, ["ClusterId", "ProcId"])):
        if time.monotonic() > deadline:
            raise QueueError(
                f"HTCondor was told to remove them, but still has {len(ads)} jobs of the run, the first of them "
                f"{ads[0]['ClusterId']}.{ads[0]['ProcId']}, after {patience_seconds:.0f} s",
                hint="They end when their machines answer; `condor_rm -forcex` gives such jobs up.",
            )
        time.sleep(POLL_SECONDS)


def _description(root: Path, run_id: str, name: str, token: str, at_once: int) -> dict[str, str]:
    """The submit description of DAGMan. It stays in the queue, to be started again, until it ends in an orderly way."""
    return {
        "universe": "scheduler",
        "executable": schedd.path_value(schedd.dagman_program()),
        "initialdir": schedd.path_value(root),
        "arguments": f'"-f -l . -Lockfile run.dag.lock -Dag run.dag -AutoRescue 1 -MaxJobs {at_once}"',
        "environment": '"_CONDOR_DAGMAN_LOG=run.dag.dagman.out _CONDOR_MAX_DAGMAN_LOG=0"',
        "getenv": "CONDOR_CONFIG,_CONDOR_*,PATH,TZ,HOME,USER,LANG,LC_ALL,BEARER_TOKEN,BEARER_TOKEN_FILE",
        "output": "run.dag.lib.out",
        "error": "run.dag.lib.err",
        "log": "run.dag.dagman.log",
        "notification": "never",
        "remove_kill_sig": "SIGUSR1",
        "on_exit_remove": "ExitSignal =?= 11 || (ExitCode =!= undefined && ExitCode >= 0 && ExitCode <= 2)",
        "My.OtherJobRemoveRequirements": '"DAGManJobId =?= $(cluster)"',
        "My.IsDaemonCore": "true",
        "My.PireneRun": schedd.quoted(run_id),
        "My.PireneRound": schedd.quoted(token),
        "My.JobBatchName": schedd.quoted(_batch_name(name)),
    }


def _batch_name(name: str) -> str:
    """The name as DAGMan can hand it on in the submit language, where `$` starts a macro that may end as an error, and
    `\\` is read in two ways: they get signs that only look like them.
    """
    return "".join(_LOOKS_LIKE.get(c, c if c.isprintable() else " ") for c in name)


def _all_of(run_id: str) -> str:
    return f"PireneRun == {schedd.quoted(run_id)}"


def _dagman_of(run_id: str) -> str:
    return f"{_all_of(run_id)} && JobUniverse == {_SCHEDULER_UNIVERSE}"


def _reason(ad: Mapping[str, Any]) -> str | None:
    """HTCondor's own, told as events tell it (planner/engines/pool/events.py)."""
    if ad["JobStatus"] == QueueStatus.HELD.value and "HoldReason" in ad:
        return f"{ad['HoldReason']} (code {ad.get('HoldReasonCode', 0)}, subcode {ad.get('HoldReasonSubCode', 0)})"
    if ad["JobStatus"] == QueueStatus.REMOVED.value and "RemoveReason" in ad:
        return str(ad["RemoveReason"])
    return None
