"""The careful reader of invocation records: every value is checked before anything believes it.

`read_record` either returns a frozen `Record` in which every value has its type and range, or raises `MalformedError`
with the place in the document. Unknown keys are ignored, so that a newer wrapper can serve an older store.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Iterator

from integrity.digest import Stat
from provenance.checked_json import UINT64_MAX, JsonObject, MalformedError, parse_object
from provenance.identity import MAX_ATTEMPTS, MAX_JOBS, MAX_OUTPUTS, source_of
from provenance.ingest.records import (
    DIGEST_ORIGINS,
    FINDING,
    INPUT_ROLES,
    KINDS,
    LONGEST_NAME,
    OUTPUT_ROLES,
    PROTECTIONS,
    SCHEMA,
    STATUSES,
    VERDICTS,
    Input,
    Output,
    Record,
    Reported,
    Usage,
)
from provenance.storable import storable, storable_bytes
from provenance.urls import is_copy_url

_INT64 = (-(1 << 63), (1 << 63) - 1)


def read_record(data: bytes) -> Record:
    """The record in ``data``. Raises MalformedError, which names the place, what was expected and what was found."""
    document = parse_object(data)
    document.one_of("schema", (SCHEMA,))
    run_id = _run_id(document)
    record = Record(
        digest=hashlib.sha256(data).digest(),
        run_id=run_id,
        run=source_of(run_id),
        job=document.integer("job", 1, MAX_JOBS),
        id=document.text("id"),
        attempt=document.integer("attempt", 1, MAX_ATTEMPTS),
        site=document.optional_text("site") or "local",
        reuse_key=document.optional_digest("reuse_key"),
        status=document.one_of("status", STATUSES),
        failure=document.optional_text("failure"),
        interrupted=document.boolean("interrupted", False),
        started=document.time("start"),
        ended=document.time("end"),
        duration_seconds=document.optional_seconds("duration"),
        exit_code=document.optional_integer("exit_code", 0, 255),
        signal=document.optional_integer("signal", 1, 127),
        user=document.optional_text("user", LONGEST_NAME),
        host=document.optional_text("hostname", LONGEST_NAME),
        work_dir=document.optional_text("cwd"),
        python=_python(document),
        command=document.texts("argument_vector"),
        usage=_usage(document),
        inputs=tuple(_inputs(document, "inputs", "pre-exec")),
        changed_inputs=tuple(_inputs(document, "changed_inputs", "post-exec")),
        outputs=tuple(_outputs(document)),
        stdout_tail=_tail(document, "stdout"),
        stderr_tail=_tail(document, "stderr"),
        reported=_reported(document),
    )
    _require_consistent(record)
    return record


def _require_consistent(record: Record) -> None:
    """A record that contradicts itself is no evidence: "completed" must never be taken for success."""
    if len({output.name for output in record.outputs}) != len(record.outputs):
        raise MalformedError("outputs: one name appears twice")
    if len(record.inputs) + len(record.changed_inputs) + 2 * len(record.outputs) > MAX_OUTPUTS:
        raise MalformedError(f"inputs and outputs: more than {MAX_OUTPUTS} looks at files")
    if record.status != "succeeded":
        return
    if record.exit_code != 0 or record.signal is not None:
        raise MalformedError(
            f"status: succeeded, but exit_code is {record.exit_code} and signal {record.signal}: expected 0 and null"
        )
    if record.changed_inputs:
        raise MalformedError(f"status: succeeded, but {record.changed_inputs[0].name!r} changed while the command ran")
    looked_at: tuple[Input | Output, ...] = (*record.inputs, *record.outputs)
    for seen in looked_at:
        if seen.verdict != "ok" and not (seen.verdict == "missing" and seen.optional):
            raise MalformedError(f"status: succeeded, but the verdict on {seen.name!r} is {seen.verdict}")


def _run_id(document: JsonObject) -> uuid.UUID:
    text = document.text("run_id")
    try:
        run_id = uuid.UUID(text)
    except ValueError:
        raise document.fail("run_id", "a UUID") from None
    if str(run_id) != text.lower():
        raise document.fail("run_id", "a UUID with dashes")
    return run_id


def _inputs(document: JsonObject, key: str, stage: str) -> Iterator[Input]:
    for entry in document.objects(key):
        actual_size = entry.optional_integer("actual_size", 0)
        seen = Input(
            name=entry.text("name"),
            role=entry.one_of("role", INPUT_ROLES),
            stage=stage,
            verdict=entry.one_of("verdict", VERDICTS),
            finding=_finding(entry),
            error=entry.optional_text("error"),
            optional=entry.boolean("optional", False),
            url=_url(entry),
            source=entry.optional_integer("source", *_INT64),
            file=entry.optional_integer("file", 0),
            digest_origin=entry.optional_one_of("digest_origin", DIGEST_ORIGINS),
            sha256=entry.optional_digest("sha256"),
            size_bytes=entry.optional_integer("size", 0),
            actual_sha256=entry.optional_digest("actual_sha256"),
            actual_size_bytes=actual_size,
            stat=_stat(entry, actual_size),
            protection=entry.optional_one_of("protection", PROTECTIONS) or "none",
            seconds=entry.optional_seconds("seconds"),
            at=entry.time("at"),
        )
        if seen.verdict == "ok" and (seen.actual_sha256 is None or actual_size is None):
            raise entry.fail("actual_sha256", "a digest and a size, for the verdict is ok")
        if seen.verdict == "ok" and seen.sha256 not in (None, seen.actual_sha256):
            raise entry.fail("actual_sha256", "the expected digest, for the verdict is ok")
        yield seen


def _outputs(document: JsonObject) -> Iterator[Output]:
    for position, entry in enumerate(document.objects("outputs")):
        if position > MAX_OUTPUTS:
            raise MalformedError(f"outputs: more than {MAX_OUTPUTS + 1}")
        size = entry.optional_integer("size", 0)
        output = Output(
            name=entry.text("name"),
            role=entry.one_of("role", OUTPUT_ROLES),
            kind=entry.optional_one_of("kind", KINDS),
            verdict=entry.one_of("verdict", VERDICTS),
            finding=_finding(entry),
            error=entry.optional_text("error"),
            optional=entry.boolean("optional", False),
            sha256=entry.optional_digest("sha256"),
            size_bytes=size,
            stat=_stat(entry, size),
            owner=entry.optional_text("owner"),
            seconds=entry.optional_seconds("seconds"),
            at=entry.time("at"),
        )
        if output.verdict == "ok" and (output.sha256 is None or size is None):
            raise entry.fail("sha256", "a digest and a size, for the verdict is ok")
        if output.sha256 is not None and output.kind is None:
            raise entry.fail("kind", " | ".join(KINDS) + ", for there is a digest")
        yield output


def _url(entry: JsonObject) -> str | None:
    url = entry.optional_text("url")
    if url is not None and not is_copy_url(url):
        raise entry.fail("url", "a path or a URL")
    return url


def _finding(entry: JsonObject) -> str | None:
    finding = entry.optional_text("finding")
    if finding is not None and not FINDING.fullmatch(finding):
        raise entry.fail("finding", "a finding class")
    return finding


def _stat(entry: JsonObject, size: int | None) -> Stat | None:
    modified = entry.optional_integer("mtime_ns", *_INT64)
    changed = entry.optional_integer("ctime_ns", *_INT64)
    inode = entry.optional_integer("inode", 0, UINT64_MAX)
    device = entry.optional_integer("device", 0, UINT64_MAX)
    if size is None or modified is None or changed is None or inode is None or device is None:
        return None
    return Stat(size=size, mtime_ns=modified, ctime_ns=changed, inode=inode, device=device)


def _usage(document: JsonObject) -> Usage:
    usage = document.optional_object("usage")
    if usage is None:
        return Usage()
    user, system = usage.optional_seconds("utime"), usage.optional_seconds("stime")
    return Usage(
        cpu_seconds=None if user is None or system is None else user + system,
        max_rss_bytes=usage.optional_integer("maxrss", 0),
        read_bytes=usage.optional_integer("inblock", 0),
        written_bytes=usage.optional_integer("outblock", 0),
    )


def _python(document: JsonObject) -> str | None:
    wrapper = document.optional_object("wrapper")
    return None if wrapper is None else wrapper.optional_text("python")


def _tail(document: JsonObject, key: str) -> str:
    stream = document.optional_object(key)
    if stream is None:
        return ""
    encoded = stream.optional_text("base64")
    if encoded is None:
        return storable(stream.optional_text("text") or "")
    try:
        return storable_bytes(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        raise stream.fail("base64", "base64") from None


def _reported(document: JsonObject) -> Reported | None:
    metadata = document.optional_object("metadata")
    if metadata is None:
        return None
    text = metadata.optional_text("text")
    return None if text is None else Reported(text, metadata.boolean("truncated", False))
