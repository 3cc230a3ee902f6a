"""Invocation records in the shape that the wrapper gives them, typed: what rows are made of.

`RecordEntry` is what msgspec holds a document to, `WIRE_SCHEMA` is the same for Arrow, which reads many at once: it
is made of the types, so that both know the same keys. Digests stay hex and times text, as they are on the wire: they
are converted by the column. What accepted records may have beside this, or not have, `provenance.ingest.rewritten`
evens out.

Importing this module imports pyarrow and msgspec, which only ingest needs.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

import msgspec
import pyarrow as pa
from msgspec import Meta, Raw, Struct, field

from provenance.checked_json import INT64_MAX
from provenance.identity import MAX_ATTEMPTS, MAX_JOBS, source_of
from provenance.ingest.records import LONGEST_NAME

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
Account = Annotated[str, Meta(max_length=LONGEST_NAME)]
"""A user or a machine, whose name every row about them has."""


class InputEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One look at an input; see `provenance.ingest.records.Input`."""

    name: Name
    path: str | None
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
    kind: str | None
    at: Time
    stage: str | None
    protection: Literal["guard", "copy", "seal", "none"] | None
    verdict: Verdict
    target: str | None
    seconds: Seconds | None


class OutputEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One output; see `provenance.ingest.records.Output`."""

    name: Name
    path: str | None
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
    stage: str | None
    verdict: Verdict
    seconds: Seconds | None


class UsageEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the command used."""

    utime: Seconds | None
    stime: Seconds | None
    maxrss: Count | None
    minflt: Int64 | None
    majflt: Int64 | None
    nvcsw: Int64 | None
    nivcsw: Int64 | None
    inblock: Count | None
    outblock: Count | None


class TailEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The end of a stream that is UTF-8. Others have ``base64`` for ``text``: the careful reader knows those."""

    size: Int64 | None
    text: str


class MetadataEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the job reported."""

    text: str | None
    truncated: bool


class TransformationEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Which program it was; the plan knows that already."""

    namespace: str | None
    name: str | None
    version: str | None


class WrapperEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Who wrote the record."""

    version: str | None
    python: str | None
    sha256: str | None
    archive_sha256: str | None = None  # older wrappers did not measure it


class MachineEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Where it ran."""

    uname: Raw
    page_size: Int64 | None
    ram_total: Int64 | None
    cpu_count: Int64 | None


class StepEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A command before or after that of the job."""

    step: Literal["setup", "pre", "post", "cleanup"]
    argument_vector: list[str]
    executable: str | None
    start: Time
    duration: Seconds | None
    exit_code: Annotated[int, Meta(ge=0, le=255)] | None
    signal: Annotated[int, Meta(ge=1, le=127)] | None
    usage: UsageEntry | None
    stdout: TailEntry
    stderr: TailEntry
    failure: str | None


class RecordEntry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One attempt; see `provenance.ingest.records.Record`. ``usage`` None: the command never started.

    Two objects have keys that nobody knows beforehand: they stay bytes of JSON, and no column has them.
    """

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
    pid: Int64 | None
    cwd: str | None
    user: Account | None
    uid: Int64 | None
    gid: Int64 | None
    umask: str | None
    hostname: Account | None
    hostaddr: str | None
    machine: MachineEntry | None
    wrapper: WrapperEntry | None
    argument_vector: list[str]
    executable: str | None
    environment: Raw
    usage: UsageEntry | None
    inputs: list[InputEntry]
    changed_inputs: list[InputEntry]
    outputs: list[OutputEntry]
    stdout: TailEntry | None
    stderr: TailEntry | None
    metadata: MetadataEntry | None
    # Older wrappers knew nothing of these, which no column has.
    steps: list[StepEntry] = []
    exceeded: str | None = None
    checkpoint_signalled: Time | None = None


def source_of_run(run_id: str) -> int | None:
    """The source of a run by its UUID as text, with dashes; None if it is none."""
    try:
        parsed = uuid.UUID(run_id)
    except ValueError:
        return None
    return source_of(parsed) if str(parsed) == run_id.lower() else None


def _arrow_type(kind: msgspec.inspect.Type) -> pa.DataType:
    """The type of what msgspec takes for ``kind``. Raises TypeError for types that no entry has."""
    match kind:
        case msgspec.inspect.UnionType(types=types):
            (alone,) = (each for each in types if not isinstance(each, msgspec.inspect.NoneType))
            return _arrow_type(alone)
        case msgspec.inspect.StrType() | msgspec.inspect.LiteralType():
            return pa.string()
        case msgspec.inspect.IntType(le=None):
            return pa.uint64()
        case msgspec.inspect.IntType():
            return pa.int64()
        case msgspec.inspect.FloatType():
            return pa.float64()
        case msgspec.inspect.BoolType():
            return pa.bool_()
        case msgspec.inspect.ListType(item_type=item):
            return pa.list_(_arrow_type(item))
        case msgspec.inspect.StructType(fields=fields):
            return pa.struct([pa.field(each.encode_name, _arrow_type(each.type)) for each in fields])
        case msgspec.inspect.RawType():
            return pa.struct([])  # that it comes twice is seen all the same
        case _:
            raise TypeError(f"{kind}: no column can have it")


WIRE_SCHEMA = pa.schema(list(_arrow_type(msgspec.inspect.type_info(RecordEntry))))
"""Columns of records: every key of `RecordEntry`. The objects that stay JSON have no fields here."""
