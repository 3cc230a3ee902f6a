"""What an engine gets of a plan: every job with all that is needed to run it or to take its outputs from the past.

Read from the plan folder (planner/plan_folder.py) and from nowhere else: an engine never looks at the workflow file, a
catalog or, for its inputs, the store again. So a plan always runs what it froze.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from planner.planned import PlannedFile, PlannedUse, ReusedOutput
from planner.reuse_key import around_inputs, reuse_key
from planner.workflow import Metadata

READS = ("input", "inout")
WRITES = ("output", "inout")


class _KeyFields(TypedDict):
    executable_sha256: bytes
    container_sha256: bytes | None
    arguments: tuple[str, ...]
    streams: tuple[str | None, str | None, str | None]
    environment: Mapping[str, str]
    outputs: list[str]
    salt: str


@dataclass(frozen=True, slots=True)
class EngineJob:
    """One job of a plan. ``number`` from 1; it names the job in every record and table.

    ``executable`` is an absolute path, there on the site (installed) or to be brought there (stageable). ``submit`` are
    submit commands for HTCondor, from profiles. ``walltime_seconds``: how long an attempt may take, None: any time;
    ``checkpoint_seconds``: when it is told to write its checkpoint, None: never; ``cpu_seconds``: CPU time that each of
    its processes may take. ``on_mismatch`` and ``protection`` are
    words of planner/job_choices.py. ``decision`` is run or reuse; ``reused`` are a reused job's outputs by lfn.
    ``expected`` are the digests, by lfn, that the store recorded for what a job makes that may run (again): other jobs
    may have been left out because of them, so bytes that differ mean that the job is nondeterministic and that those
    jobs' outputs do not belong to this run's.
    """

    number: int
    id: str
    type: str
    namespace: str | None
    name: str | None
    version: str | None
    arguments: tuple[str, ...]
    stdin: str | None
    stdout: str | None
    stderr: str | None
    uses: tuple[PlannedUse, ...]
    site: str
    executable: str
    executable_type: str
    executable_sha256: bytes | None
    executable_digest_origin: str | None
    container_sha256: bytes | None
    environment: Mapping[str, str]
    submit: Mapping[str, str]
    retries: int
    salt: str
    deterministic: bool
    decision: str
    ground: str | None
    reason: str
    changed: tuple[str, ...]
    reuse_key: bytes | None
    reused_from: tuple[int, int] | None
    reused_from_names: tuple[str, str] | None
    on_mismatch: str = "recover"
    protection: str = "guard"
    reused: Mapping[str, ReusedOutput] = field(default_factory=dict)
    expected: Mapping[str, bytes] = field(default_factory=dict)
    walltime_seconds: int | None = None  # older plans have none of these
    checkpoint_seconds: int | None = None
    cpu_seconds: int | None = None

    @property
    def outputs(self) -> tuple[PlannedUse, ...]:
        """What it writes, checkpoints too, in the order that gives outputs their position (provenance/identity.py)."""
        return tuple(use for use in self.uses if use.role in (*WRITES, "checkpoint"))

    def key(self, inputs: Mapping[str, bytes], executable_sha256: bytes | None = None) -> bytes | None:
        """The reuse key of what really runs: with the digests of ``inputs`` (by lfn; an optional input that is not
        there is left out) and of the executable as seen (None: as planned). None where no key may be recorded: the
        executable's digest is unknown or the job is declared not deterministic.
        """
        executable = executable_sha256 or self.executable_sha256
        if executable is None or not self.deterministic:
            return None
        read = {use.name for use in self.uses if use.role in READS}
        digests = {name: digest for name, digest in inputs.items() if name in read}
        return reuse_key(**self._key_fields(executable), inputs=digests)

    def key_around_inputs(self) -> tuple[bytes, bytes] | None:
        """What the reuse key is hashed of before and after its inputs (planner/reuse_key.py); None as for `key`."""
        if self.executable_sha256 is None or not self.deterministic:
            return None
        return around_inputs(**self._key_fields(self.executable_sha256))

    def _key_fields(self, executable_sha256: bytes) -> _KeyFields:
        return {
            "executable_sha256": executable_sha256,
            "container_sha256": self.container_sha256,
            "arguments": self.arguments,
            "streams": (self.stdin, self.stdout, self.stderr),
            "environment": self.environment,
            "outputs": [use.name for use in self.uses if use.role in WRITES],
            "salt": self.salt,
        }


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """A plan as its folder holds it. ``files`` are raw inputs by lfn; ``edges`` (parent, child) numbers, sorted.

    ``store`` and ``store_id`` name the store that it was planned with; ``metadata`` is the workflow's own.
    """

    run_id: uuid.UUID
    run: int
    name: str
    run_dir: Path
    output_dir: Path
    engine: str
    store: str
    store_id: str
    planned: dt.datetime
    plan_sha256: bytes
    copy_reused: bool
    jobs: tuple[EngineJob, ...]
    edges: tuple[tuple[int, int], ...]
    files: Mapping[str, PlannedFile]
    metadata: Metadata = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
