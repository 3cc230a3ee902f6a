"""Invocation records in the shape that the wrapper gives them, typed: what rows are made of.

`provenance.quick_reader` decodes most of them at once. `entry_of` gives what the careful reader of `provenance.records`
accepts the same form, so that there is one way from records to rows. An entry keeps digests as hex and times as text,
as they are on the wire: they are converted by the column.
"""

from __future__ import annotations

import uuid
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from integrity.digest import Stat
from provenance.checked_json import INT64_MAX
from provenance.commits import time_text
from provenance.identity import MAX_ATTEMPTS, MAX_JOBS, source_of
from provenance.records import SCHEMA, Input, Output, Record, Usage

Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Unsigned = Annotated[int, Meta(ge=0)]
"""Of 64 bits; a bound of that size is more than msgspec can check."""
Int64 = Annotated[int, Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]
Seconds = Annotated[float, Meta(ge=0, le=2.0**62)]
Name = Annotated[str, Meta(min_length=1)]
Digest = Annotated[str, Meta(min_length=64, max_length=64)]
"""Whether it is hex is seen when the column is made of it."""
Time = Annotated[str, Meta(min_length=27, max_length=27)]
Verdict = Literal["ok", "mismatch", "missing", "unreadable"]
Unused = object
"""A value that nobody here reads: it is there because its key is counted."""


class InputEntry(Struct, frozen=True, gc=False):
    """One look at an input; see `provenance.records.Input`."""

    name: Name
    path: Unused
    role: Literal["input", "inout", "checkpoint", "executable"]
    expected_sha256: Digest | None = field(name="sha256")
    expected_size_bytes: Count | None = field(name="size")
    digest_origin: Literal["declared", "recorded", "produced", "observed"] | None
    optional: bool
    url: str | None
    source: Int64 | None
    file: Count | None
    actual_sha256: Digest | None
    actual_size_bytes: Count | None = field(name="actual_size")
    mtime_ns: Int64 | None
    ctime_ns: Int64 | None
    inode: Unsigned | None
    device: Unsigned | None
    owner: str | None
    finding: str | None
    error: str | None
    kind: Unused
    at: Time
    stage: Unused
    protection: Literal["guard", "copy", "seal", "none"] | None
    verdict: Verdict
    target: Unused
    seconds: Seconds | None


class OutputEntry(Struct, frozen=True, gc=False):
    """One output; see `provenance.records.Output`. What only inputs have is None for all of them."""

    name: Name
    path: Unused
    role: Literal["output", "inout", "checkpoint"]
    optional: bool
    actual_sha256: Digest | None = field(name="sha256")
    actual_size_bytes: Count | None = field(name="size")
    mtime_ns: Int64 | None
    ctime_ns: Int64 | None
    inode: Unsigned | None
    device: Unsigned | None
    owner: str | None
    finding: str | None
    error: str | None
    kind: Literal["file", "folder"] | None
    at: Time
    stage: Unused
    verdict: Verdict
    seconds: Seconds | None

    expected_sha256: ClassVar[None] = None
    expected_size_bytes: ClassVar[None] = None
    digest_origin: ClassVar[None] = None
    protection: ClassVar[None] = None
    url: ClassVar[None] = None


class UsageEntry(Struct, frozen=True, gc=False):
    """What the command used."""

    utime: Seconds | None
    stime: Seconds | None
    maxrss: Count | None
    minflt: Unused
    majflt: Unused
    nvcsw: Unused
    nivcsw: Unused
    inblock: Count | None
    outblock: Count | None


class TailEntry(Struct, frozen=True, gc=False):
    """The end of a stream: ``text``, or ``base64`` where it is not UTF-8; never both."""

    size: Unused
    text: str | None = None
    base64: Unused = None


class MetadataEntry(Struct, frozen=True, gc=False):
    """What the job reported."""

    text: str | None
    truncated: bool


class TransformationEntry(Struct, frozen=True, gc=False):
    """Which program it was; the plan knows that already."""

    namespace: Unused
    name: Unused
    version: Unused


class WrapperEntry(Struct, frozen=True, gc=False):
    """Who wrote the record."""

    version: Unused
    python: str | None
    sha256: Unused


class MachineEntry(Struct, frozen=True, gc=False):
    """Where it ran."""

    uname: dict[str, str]
    page_size: Unused
    ram_total: Unused
    cpu_count: Unused


class RecordEntry(Struct, frozen=True, gc=False):
    """One attempt; see `provenance.records.Record`. ``usage`` None: the command never started."""

    schema: Literal["pirene.invocation/1"]
    run_id: str
    job: Annotated[int, Meta(ge=1, le=MAX_JOBS)]
    id: Name
    attempt: Annotated[int, Meta(ge=1, le=MAX_ATTEMPTS)]
    transformation: TransformationEntry | None
    site: str | None
    reuse_key: Digest | None
    status: Literal["succeeded", "failed", "integrity_failed"]
    failure: str | None
    interrupted: bool
    start: Time
    end: Time
    duration: Seconds | None
    exit_code: Annotated[int, Meta(ge=0, le=255)] | None
    signal: Annotated[int, Meta(ge=1, le=127)] | None
    pid: Unused
    cwd: str | None
    user: str | None
    uid: Unused
    gid: Unused
    umask: Unused
    hostname: str | None
    hostaddr: Unused
    machine: MachineEntry | None
    wrapper: WrapperEntry | None
    argument_vector: list[str]
    executable: Unused
    environment: dict[str, str]
    usage: UsageEntry | None
    inputs: list[InputEntry]
    changed_inputs: list[InputEntry]
    outputs: list[OutputEntry]
    stdout: TailEntry | None
    stderr: TailEntry | None
    metadata: MetadataEntry | None


Looked = InputEntry | OutputEntry


@cache
def source_of_run(run_id: str) -> int | None:
    """The source of a run by its UUID as text, with dashes; None if it is none."""
    try:
        parsed = uuid.UUID(run_id)
    except ValueError:
        return None
    return source_of(parsed) if str(parsed) == run_id.lower() else None


def looks_of(entry: RecordEntry) -> list[Looked]:
    """All looks at files: at inputs, at inputs that changed, at outputs."""
    return [*entry.inputs, *entry.changed_inputs, *entry.outputs]


def entry_of(record: Record) -> RecordEntry:
    """A record that `read_record` has accepted, as an entry: what it left open is null, and so is what nobody reads."""
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "run_id": str(record.run_id),
        "job": record.job,
        "id": record.id,
        "attempt": record.attempt,
        "transformation": None,
        "site": record.site,
        "reuse_key": _hex(record.reuse_key),
        "status": record.status,
        "failure": record.failure,
        "interrupted": record.interrupted,
        "start": time_text(record.started),
        "end": time_text(record.ended),
        "duration": record.duration_seconds,
        "exit_code": record.exit_code,
        "signal": record.signal,
        "pid": None,
        "cwd": record.work_dir,
        "user": record.user,
        "uid": None,
        "gid": None,
        "umask": None,
        "hostname": record.host,
        "hostaddr": None,
        "machine": None,
        "wrapper": WrapperEntry(version=None, python=record.python, sha256=None),
        "argument_vector": list(record.command),
        "executable": None,
        "environment": {},
        "usage": _usage(record.usage),
        "inputs": [_input(seen) for seen in record.inputs],
        "changed_inputs": [_input(seen) for seen in record.changed_inputs],
        "outputs": [_output(output) for output in record.outputs],
        "stdout": TailEntry(size=None, text=record.stdout_tail),
        "stderr": TailEntry(size=None, text=record.stderr_tail),
        "metadata": None if record.reported is None else MetadataEntry(record.reported.text, record.reported.truncated),
    }
    return RecordEntry(**fields)


def _usage(usage: Usage) -> UsageEntry:
    return UsageEntry(
        utime=usage.cpu_seconds,
        stime=None if usage.cpu_seconds is None else 0.0,
        maxrss=usage.max_rss_bytes,
        minflt=None,
        majflt=None,
        nvcsw=None,
        nivcsw=None,
        inblock=usage.read_bytes,
        outblock=usage.written_bytes,
    )


def _input(seen: Input) -> InputEntry:
    fields: dict[str, Any] = {
        "name": seen.name,
        "path": None,
        "role": seen.role,
        "expected_sha256": _hex(seen.sha256),
        "expected_size_bytes": seen.size_bytes,
        "digest_origin": seen.digest_origin,
        "optional": seen.optional,
        "url": seen.url,
        "source": seen.source,
        "file": seen.file,
        "actual_sha256": _hex(seen.actual_sha256),
        "actual_size_bytes": seen.actual_size_bytes,
        "owner": None,
        "finding": seen.finding,
        "error": None,
        "kind": None,
        "at": time_text(seen.at),
        "stage": None,
        "protection": seen.protection,
        "verdict": seen.verdict,
        "target": None,
        "seconds": seen.seconds,
        **_stat(seen.stat),
    }
    return InputEntry(**fields)


def _output(output: Output) -> OutputEntry:
    fields: dict[str, Any] = {
        "name": output.name,
        "path": None,
        "role": output.role,
        "optional": output.optional,
        "actual_sha256": _hex(output.sha256),
        "actual_size_bytes": output.size_bytes,
        "owner": output.owner,
        "finding": output.finding,
        "error": None,
        "kind": output.kind,
        "at": time_text(output.at),
        "stage": None,
        "verdict": output.verdict,
        "seconds": output.seconds,
        **_stat(output.stat),
    }
    return OutputEntry(**fields)


def _stat(stat: Stat | None) -> dict[str, int | None]:
    if stat is None:
        return {"mtime_ns": None, "ctime_ns": None, "inode": None, "device": None}
    return {"mtime_ns": stat.mtime_ns, "ctime_ns": stat.ctime_ns, "inode": stat.inode, "device": stat.device}


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()
