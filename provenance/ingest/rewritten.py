"""Records that the careful reader has accepted, written again as the wrapper would have written them.

A record of another wrapper, or with names that are no Unicode, becomes rows by the same way as all others: as a line of
JSON with every key, in which what it left open is null, and so is what nobody reads.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import Raw, Struct

from integrity.digest import Stat
from provenance.history.commits import time_text
from provenance.ingest.records import SCHEMA, Input, Output, Record, Usage
from provenance.ingest.wire import (
    InputEntry,
    MetadataEntry,
    OutputEntry,
    RecordEntry,
    TailEntry,
    UsageEntry,
    WrapperEntry,
)
from provenance.storable import storable
from provenance.urls import copy_url

_NOTHING = Raw(b"{}")


def line_of(entry: RecordEntry) -> bytes:
    """An entry of `entry_of` as a line of JSON that Arrow can read: text in the form in which columns keep it."""
    return json.dumps(_plain(entry)).encode() + b"\n"


def _plain(value: object) -> object:
    match value:
        case Struct():
            keys = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
            return {key: _plain(getattr(value, name)) for key, name in keys}
        case list():
            return [_plain(element) for element in value]
        case str():
            return storable(value)
        case Raw():
            return {}
        case _:
            return value


def entry_of(record: Record) -> RecordEntry:
    """A record that `read_record` has accepted, as an entry. Names are as they were, also those that are no Unicode;
    URLs are as the store keeps them.
    """
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
        "environment": _NOTHING,
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
        "url": None if seen.url is None else copy_url(seen.url),
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
