"""One checked invocation record as rows: attempt, files, uses, checks, states, what became known of copies.

Ordinals follow from the record alone (provenance/identity.py), so that whoever ingests it names the same things alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from integrity.digest import Stat
from provenance.batch import Batch
from provenance.identity import produced_file
from provenance.metadata import add_metadata
from provenance.records import Input, Output, Record
from provenance.replicas import add_event
from provenance.reported import ReportedFact
from provenance.urls import copy_url

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Published:
    """Where an output was staged out to. ``stat``: of the bytes that were hashed (None: nobody looked at them since
    they came there). ``sha256``: of the copy, read back (None: it is the very file that was hashed). ``at``, ``host``:
    when and on which machine it came there (None: when and where the attempt ended).
    """

    url: str
    site: str
    stat: Stat | None
    sha256: bytes | None
    at: dt.datetime | None = None
    host: str | None = None


def add_record(batch: Batch, record: Record, facts: Iterable[ReportedFact]) -> None:
    """Add all rows that one record stands for."""
    _add_invocation(batch, record)
    _add_states(batch, record)
    for seen in record.inputs:
        _add_read(batch, record, seen)
    for position, output in enumerate(record.outputs):
        _add_output(batch, record, position, output)
    _add_checks(batch, record)
    for fact in facts:
        _add_fact(batch, record, fact)


def add_sightings(batch: Batch, records: Iterable[Record]) -> None:
    """Add what the attempts saw of the copies that they read: bad ones each time, good ones once, as seen last."""
    verified: dict[tuple[int, int, str], Input] = {}
    for record in records:
        for seen in (*record.inputs, *record.changed_inputs):
            if seen.url is None or seen.source is None or seen.file is None:
                continue
            if seen.verdict == "ok":
                if seen.sha256 is None:
                    continue  # nothing was expected of it, so nothing was verified
                key = (seen.source, seen.file, seen.url)
                if key not in verified or verified[key].at <= seen.at:
                    verified[key] = seen
            elif seen.verdict in ("mismatch", "missing") and not (seen.verdict == "missing" and seen.optional):
                event = "quarantined" if seen.verdict == "mismatch" else "missing"
                reason = f"{seen.finding or seen.verdict} seen by job {record.id}, attempt {record.attempt}"
                _add_sighting(batch, event, seen.source, seen.file, seen, stat=None, reason=reason)
    for (source, file, _), seen in verified.items():
        _add_sighting(batch, "verified", source, file, seen, stat=seen.stat, reason=None)


def add_published(
    batch: Batch, record: Record, position: int, place: Published, replaced: tuple[int, int, str | None] | None
) -> None:
    """Add the copy of an output that was staged out. ``replaced``: (source, file, site) whose copy was there before."""
    output = record.outputs[position]
    source, file = record.file_of(position)
    url, at = copy_url(place.url), place.at or record.ended
    if replaced is not None:
        old_source, old_file, old_site = replaced
        add_event(
            batch,
            "replaced",
            source=old_source,
            file=old_file,
            url=url,
            site=old_site,
            at=at,
            reason=f"job {record.id} wrote {output.name} there",
        )
    add_event(batch, "registered", source=source, file=file, url=url, site=place.site, at=at, stat=place.stat)
    if place.sha256 is None:
        return
    good = place.sha256 == output.sha256
    batch.add(
        "checks",
        **_check_key(record, _first_stage_out(record) + position),
        file_source=source,
        file=file,
        name=output.name,
        url=url,
        site=place.site,
        stage="stage-out",
        expected_sha256=output.sha256,
        actual_sha256=place.sha256,
        expected_size_bytes=output.size_bytes,
        actual_size_bytes=None if place.stat is None else place.stat.size,
        verdict="ok" if good else "mismatch",
        finding=None if good else "content-mismatch",
        digest_origin="produced",
        protection="none",
        at=at,
        host=place.host or record.host,
    )
    if not good:
        later = at + dt.timedelta(microseconds=1)
        add_event(
            batch, "quarantined", source=source, file=file, url=url, site=place.site, at=later, reason="stage-out"
        )


def time_of_ns(nanoseconds: int) -> dt.datetime:
    """Nanoseconds since 1970 as a time, cut to microseconds."""
    return _EPOCH + dt.timedelta(microseconds=nanoseconds // 1000)


def _add_invocation(batch: Batch, record: Record) -> None:
    batch.add(
        "invocations",
        run=record.run,
        job=record.job,
        attempt=record.attempt,
        host=record.host,
        user_name=record.user,
        python=record.python,
        started=record.started,
        ended=record.ended,
        duration_seconds=record.duration_seconds,
        exit_code=record.exit_code,
        signal=record.signal,
        status=record.status,
        failure=record.failure,
        cpu_seconds=record.usage.cpu_seconds,
        max_rss_bytes=record.usage.max_rss_bytes,
        read_bytes=record.usage.read_bytes,
        written_bytes=record.usage.written_bytes,
        stdout_tail=record.stdout_tail,
        stderr_tail=record.stderr_tail,
        command=record.command,
        work_dir=record.work_dir,
        reuse_key=_key_of_what_ran(record),
        record_sha256=record.digest,
    )


def _key_of_what_ran(record: Record) -> bytes | None:
    """The key that the attempt was described with; none if an optional input that it counts on had gone by then."""
    gone = any(seen.verdict == "missing" and seen.sha256 is not None for seen in record.inputs)
    return None if gone else record.reuse_key


def _add_states(batch: Batch, record: Record) -> None:
    for state, at, reason in (("started", record.started, None), ("ended", record.ended, record.failure)):
        batch.add(
            "job_states", run=record.run, job=record.job, attempt=record.attempt, state=state, at=at, reason=reason
        )


def _add_read(batch: Batch, record: Record, seen: Input) -> None:
    if seen.verdict == "missing":
        return
    batch.add(
        "uses",
        run=record.run,
        job=record.job,
        attempt=record.attempt,
        source=seen.source,
        file=seen.file,
        name=seen.name,
        role=seen.role,
        direction="read",
        size_bytes=seen.actual_size_bytes,
        sha256=seen.actual_sha256,
    )


def _add_output(batch: Batch, record: Record, position: int, output: Output) -> None:
    if output.sha256 is None:
        return
    source, file = record.file_of(position)
    batch.add(
        "files",
        source=source,
        file=file,
        name=output.name,
        origin="produced",
        kind=output.kind,
        job=record.job,
        attempt=record.attempt,
        size_bytes=output.size_bytes,
        sha256=output.sha256,
        digest_origin="produced",
        created=output.at,
        modified=None if output.stat is None else time_of_ns(output.stat.mtime_ns),
        owner=output.owner,
        checksum_seconds=output.seconds,
    )
    batch.add(
        "uses",
        run=record.run,
        job=record.job,
        attempt=record.attempt,
        source=source,
        file=file,
        name=output.name,
        role=output.role,
        direction="write",
        size_bytes=output.size_bytes,
        sha256=output.sha256,
    )


def _add_checks(batch: Batch, record: Record) -> None:
    """Every look at a file is a check. Its number is its place among them, which leaves room for the stage-outs."""
    for place, seen in enumerate((*record.inputs, *record.changed_inputs)):
        batch.add(
            "checks",
            **_check_key(record, place),
            file_source=seen.source,
            file=seen.file,
            name=seen.name,
            url=None if seen.url is None else copy_url(seen.url),
            stage=seen.stage,
            expected_sha256=seen.sha256,
            actual_sha256=seen.actual_sha256,
            expected_size_bytes=seen.size_bytes,
            actual_size_bytes=seen.actual_size_bytes,
            verdict=seen.verdict,
            finding=seen.finding,
            digest_origin=seen.digest_origin,
            protection=seen.protection,
            at=seen.at,
            duration_seconds=seen.seconds,
            host=record.host,
        )
    for position, output in enumerate(record.outputs):
        source, file = record.file_of(position) if output.sha256 is not None else (None, None)
        batch.add(
            "checks",
            **_check_key(record, len(record.inputs) + len(record.changed_inputs) + position),
            file_source=source,
            file=file,
            name=output.name,
            stage="output",
            actual_sha256=output.sha256,
            actual_size_bytes=output.size_bytes,
            verdict=output.verdict,
            finding=output.finding,
            protection="none",
            at=output.at,
            duration_seconds=output.seconds,
            host=record.host,
        )


def _add_fact(batch: Batch, record: Record, fact: ReportedFact) -> None:
    """A fact that the job reported, about itself or one of its outputs."""
    if fact.file is None:
        entity, number = "job", record.job
    else:
        names = [output.name for output in record.outputs]
        entity, number = "file", record.file_of(names.index(fact.file))[1]
    add_metadata(
        batch,
        "job" if entity == "job" else "file",
        record.run,
        number,
        fact.key,
        fact.value,
        origin="runtime",
        author=record.user,
        at=record.ended,
    )


def _add_sighting(
    batch: Batch, event: str, source: int, file: int, seen: Input, *, stat: Stat | None, reason: str | None
) -> None:
    url = None if seen.url is None else copy_url(seen.url)
    add_event(batch, event, source=source, file=file, url=url, site=None, at=seen.at, stat=stat, reason=reason)


def _check_key(record: Record, place: int) -> dict[str, object]:
    return {
        "source": record.run,
        "number": produced_file(record.job, record.attempt, place),
        "run": record.run,
        "job": record.job,
        "attempt": record.attempt,
    }


def _first_stage_out(record: Record) -> int:
    return len(record.inputs) + len(record.changed_inputs) + len(record.outputs)
