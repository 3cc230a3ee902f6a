"""What a workflow, a job, an attempt and a file *are*: the numbers that name them, for ever and in every store.

Every id is two signed 64-bit integers: the *source*, a hash of the UUID of the run or of the registration in which the
thing came to be, and an ordinal within that source. Two such integers sort, compress to a few bytes a row and do not
collide across stores, so stores can be merged by copying.

    workflow   (source, 0)          source = source_of(run_id)
    job        (source, job)        job = 1, 2, ... in the order of the plan
    attempt    (source, job, n)     n = 1, 2, ...
    file       (source, file)       an occurrence: produced by one attempt, or registered once

The ordinal of a produced file is a function of job, attempt and position among the job's outputs: two machines that
ingest the same invocation record name the same files alike, in whatever order records arrive.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid

FileId = tuple[int, int]
"""(source, file)."""
JobId = tuple[int, int]
"""(run, job): a run is the source of its jobs."""

_OUTPUT_BITS = 20
_ATTEMPT_BITS = 10
_JOB_BITS = 33
ATTEMPT_SHIFT, JOB_SHIFT = _OUTPUT_BITS, _OUTPUT_BITS + _ATTEMPT_BITS
"""Where attempt and job are in the ordinal of a produced file; its position is below them."""

MAX_OUTPUTS = (1 << _OUTPUT_BITS) - 1
MAX_ATTEMPTS = (1 << _ATTEMPT_BITS) - 1
MAX_JOBS = (1 << _JOB_BITS) - 1


def new_run_id() -> uuid.UUID:
    """A new UUIDv7 (RFC 9562): 48 bits of milliseconds since 1970, then random bits; ids sort by time of making."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return uuid.UUID(int=value)


def source_of(run_id: uuid.UUID) -> int:
    """The signed 64-bit source of a run or registration: the first 8 bytes (big-endian) of the UUID's SHA-256."""
    return int.from_bytes(hashlib.sha256(run_id.bytes).digest()[:8], "big", signed=True)


def produced_file(job: int, attempt: int, position: int) -> int:
    """The ordinal of the file at ``position`` (from 0) among the outputs of ``attempt`` (from 1) of ``job`` (from 1).

    Raises ValueError beyond MAX_JOBS, MAX_ATTEMPTS or MAX_OUTPUTS: an ordinal must never name two files.
    """
    if not (1 <= job <= MAX_JOBS and 1 <= attempt <= MAX_ATTEMPTS and 0 <= position <= MAX_OUTPUTS):
        raise ValueError(f"job {job}, attempt {attempt}, output {position}: out of the range of file ordinals")
    return job << JOB_SHIFT | attempt << ATTEMPT_SHIFT | position


def registered_file(position: int) -> int:
    """The ordinal of the file at ``position`` (from 0) among those that a run or registration saw first."""
    if not 0 <= position < 1 << JOB_SHIFT:
        raise ValueError(f"registered file {position}: out of the range of file ordinals")
    return position
