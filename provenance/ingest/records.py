"""Invocation records: what workers say, in the types that it is held to.

The format is described in docs/formats/invocation.md; `provenance.ingest.record_reader` makes a `Record` of a document.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import dataclass

from integrity.digest import Stat

SCHEMA = "pirene.invocation/1"

STATUSES = ("succeeded", "failed", "integrity_failed")
INPUT_ROLES = ("input", "inout", "checkpoint", "executable")
OUTPUT_ROLES = ("output", "inout", "checkpoint")
VERDICTS = ("ok", "mismatch", "missing", "unreadable")
DIGEST_ORIGINS = ("declared", "recorded", "produced", "observed")
KINDS = ("file", "folder")
PROTECTIONS = ("guard", "copy", "seal", "none")
FINDING = re.compile(r"[a-z]+(?:-[a-z]+)*")
LONGEST_NAME = 256
"""Characters of the name of a user or a machine; Linux allows both fewer. Many rows of one record repeat them."""
LONGEST_ID_SHOWN = 256
"""Characters of the id of a job in sentences, of which one record can bring thousands."""


@dataclass(frozen=True, slots=True)
class Input:
    """One look of the wrapper at a file that the command reads, before it or (``stage`` post-exec) after it.

    ``source`` and ``file`` name the occurrence as the description of the job had it (None: not known to the store
    then). ``expected_*`` are None where nothing was expected; ``actual_*`` and ``stat`` where it could not be read
    whole.
    """

    name: str
    role: str
    stage: str
    verdict: str
    finding: str | None
    error: str | None
    optional: bool
    url: str | None
    source: int | None
    file: int | None
    digest_origin: str | None
    sha256: bytes | None
    size_bytes: int | None
    actual_sha256: bytes | None
    actual_size_bytes: int | None
    stat: Stat | None
    protection: str
    seconds: float | None
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Output:
    """A file that the command was to write, as it was after all processes of the job had ended.

    Its place in `Record.outputs` is the position that goes into the file's ordinal. ``kind`` (file | folder),
    ``sha256``, ``size_bytes`` and ``stat`` are None where it was not made or could not be read whole.
    """

    name: str
    role: str
    kind: str | None
    verdict: str
    finding: str | None
    error: str | None
    optional: bool
    sha256: bytes | None
    size_bytes: int | None
    stat: Stat | None
    owner: str | None
    seconds: float | None
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What the command and its descendants used; each None where the wrapper could not tell."""

    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """What the job wrote to its metadata file, as text; ``truncated``: it wrote more than the wrapper kept."""

    text: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One attempt of one job, as its wrapper saw it. ``digest`` is the sha256 of the record's bytes."""

    digest: bytes
    run_id: uuid.UUID
    run: int
    job: int
    id: str
    attempt: int
    site: str
    reuse_key: bytes | None
    status: str
    failure: str | None
    interrupted: bool
    started: dt.datetime
    ended: dt.datetime
    duration_seconds: float | None
    exit_code: int | None
    signal: int | None
    user: str | None
    host: str | None
    work_dir: str | None
    python: str | None
    command: tuple[str, ...]
    usage: Usage
    inputs: tuple[Input, ...]
    changed_inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    stdout_tail: str
    stderr_tail: str
    reported: Reported | None
