"""A plan on its way through the passes, and as engines get it: every job with all that is needed to run or skip it.

Passes fill in what they know and leave the rest; after the last one a plan is complete. Engines read it back from the
plan folder (planner/plan_folder.py) and never look at the workflow file again.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from planner.catalogs.model import Catalogs, Transformation
from planner.workflow import Job, Metadata, Workflow
from provenance.store import Store


@dataclass(frozen=True, slots=True)
class OtherCopy:
    """Another place where the replica catalog says that a file is; ``path`` is a local path."""

    path: str
    url: str
    site: str


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """What a plan knows of a file that already exists: a raw input, or the output of a job that is reused.

    ``source``, ``file`` name the occurrence; ``sha256`` is what is expected (None: nothing is known yet); ``path`` is
    the local path of the replica to read; ``digest_origin`` declared | recorded | produced | observed. The stat fields
    are those of the replica as last verified, all None when it never was. ``new`` marks a first sight that the plan
    commit registers; ``replaces`` is the occurrence whose replica had that URL until now. ``others`` are read, in this
    order, should the copy at ``path`` not be what is expected.
    """

    source: int
    file: int
    name: str
    path: str
    url: str
    site: str
    sha256: bytes | None
    size_bytes: int | None
    digest_origin: str | None
    modified_ns: int | None = None
    changed_ns: int | None = None
    inode: int | None = None
    device: int | None = None
    new: bool = False
    owner: str | None = None
    metadata: Metadata = field(default_factory=dict)
    replaces: tuple[int, int] | None = None
    others: tuple[OtherCopy, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedUse:
    """A job uses a file. ``producer`` is the ordinal of the job of this plan that writes it (None: raw, see
    Plan.files).

    ``role`` input | output | inout | checkpoint | executable. For an inout, ``producer`` is that of the version it
    reads.
    """

    name: str
    role: str
    producer: int | None = None
    stage_out: bool = True
    register_replica: bool = True
    optional: bool = False
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReusedOutput:
    """An output that a reused job takes from the past; ``file.path`` is empty if it has no readable copy and nobody
    needs it.
    """

    file: PlannedFile
    stage_out: bool


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job of the plan. ``number`` from 1 in file order; ``executable`` a local path or a path at the site.

    ``decision`` run | reuse; ``ground`` proven | observed | asserted | None; ``reused_from`` (run, job) of the
    original; ``reused`` its outputs by lfn. ``retries`` are attempts after the first. ``executable_ground`` says how
    well the digest of the executable is known: proven (hashed while planning) | observed | None (not known well enough
    to reuse anything). ``on_mismatch`` and ``protection`` are words of planner/job_choices.py. ``expected`` are the
    digests of outputs that the store recorded, or that the user's catalog lists: what the keys of jobs below rest on.
    """

    number: int
    job: Job
    made_by: str = ""  # the id that the workflow file gives it: that of the foreach job, or its own
    arguments: tuple[str, ...] = ()
    uses: tuple[PlannedUse, ...] = ()
    transformation: Transformation | None = None
    site: str = "local"
    executable: str = ""
    executable_type: str = "installed"
    executable_sha256: bytes | None = None
    executable_digest_origin: str | None = None
    executable_ground: str | None = None
    container_sha256: bytes | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    submit: Mapping[str, str] = field(default_factory=dict)  # submit commands for HTCondor
    metadata: Metadata = field(default_factory=dict)
    retries: int = 0
    walltime_seconds: int | None = None  # None: any time
    checkpoint_seconds: int | None = None  # after which it is told to write its checkpoint; None: never
    cpu_seconds: int | None = None  # that each of its processes may take; None: any
    salt: str = ""
    deterministic: bool = True
    on_mismatch: str = "recover"
    protection: str = "guard"
    decision: str = "run"
    ground: str | None = None
    reason: str = ""
    changed: tuple[str, ...] = ()
    reuse_key: bytes | None = None
    reused_from: tuple[int, int] | None = None
    reused_from_names: tuple[str, str] | None = None  # (run id, job id), for explain
    reused: Mapping[str, ReusedOutput] = field(default_factory=dict)
    expected: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrozenSelection:
    """A selection as the plan froze it: normalised query, what it was asked with, what it chose, by name."""

    name: str
    query: str
    tree: str
    parameters: Mapping[str, object]
    now: dt.datetime
    store_commit: int
    files: tuple[PlannedFile, ...]


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What the user asked for. ``parameters`` are `-p` values for selections; ``force`` ids of jobs that run in any
    case; ``on_mismatch`` and ``protection`` go for all jobs, whatever their profiles say (None: it is as they say).
    """

    workflow: Path
    store: Store
    run_dir: Path | None = None
    output_dir: Path | None = None
    engine: str = "local"
    reuse: bool = True
    reuse_policy: str | None = None
    trust: tuple[str, ...] | None = None
    force: frozenset[str] = frozenset()
    parameters: Mapping[str, object] = field(default_factory=dict)
    copy_reused: bool = False
    on_mismatch: str | None = None
    protection: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan. ``files`` are raw inputs by lfn; ``edges`` (parent, child) job numbers, sorted, without doubles.

    ``findings`` are (PlannedFile, actual sha256 or None, finding class) of replicas found damaged or gone while
    planning: the plan commit records them as checks and replica events. ``verified`` are files that were hashed again
    and found good.
    """

    request: PlanRequest
    workflow: Workflow
    catalogs: Catalogs
    run_id: uuid.UUID
    run: int
    run_dir: Path
    output_dir: Path
    planned: dt.datetime
    jobs: tuple[PlannedJob, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    files: Mapping[str, PlannedFile] = field(default_factory=dict)
    selections: Mapping[str, FrozenSelection] = field(default_factory=dict)
    findings: tuple[tuple[PlannedFile, bytes | None, str], ...] = ()
    verified: tuple[PlannedFile, ...] = ()
    warnings: tuple[str, ...] = ()


def first_sights(plan: Plan) -> list[PlannedFile]:
    """Every file that this plan sees first: raw inputs, and outputs that only the replica catalog knew."""
    files = [*plan.files.values(), *(out.file for job in plan.jobs for out in job.reused.values())]
    return list({(file.source, file.file): file for file in files if file.new}.values())
