"""The record that came back of an attempt: as its wrapper wrote it, or refused."""

import os

from integrity.wrapper.json_text import parse
from integrity.wrapper.sha256 import digest_of
from planner.engines.pool.node_step.how_it_ended import ALTERED, how_it_ended, last_said
from planner.engines.pool.node_step.refused import NEVER, RefusedError

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from planner.engines.pool.node_step.documents import Document
    from planner.engines.pool.node_step.pool import Pool

RECORD_SCHEMA = "pirene.invocation/1"
STATUSES = ("succeeded", "failed", "integrity_failed")


def arrived_record(pool: "Pool", plan: "Document", job: int, attempt: int, returned: int) -> "Document":
    """The record that came back, of this attempt, as its wrapper wrote it. Raises RefusedError."""
    path = os.path.join(pool.node(job), b"out", b"record.json")
    try:
        with open(path, "rb") as file:
            data = file.read()
        with open(path + b".sha256", "rb") as file:
            expected = file.read().strip().decode("ascii", "replace")
    except FileNotFoundError:
        if returned in ALTERED:
            raise not_as_sent(pool, job, ALTERED[returned]) from None
        raise RefusedError("no record came back: %s" % how_it_ended(pool, job, returned)) from None
    found = digest_of(data)
    if found != expected:
        raise RefusedError("its record was altered on its way back: expected sha256 %s, found %s" % (expected, found))
    try:
        record = parse(data.decode("ascii"))
        problem = problem_of(record, plan, job, attempt)
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("its record cannot be believed: %s: %s" % (type(error).__name__, error), NEVER) from error
    if problem is not None:
        raise RefusedError("its record cannot be believed: %s" % problem, NEVER)
    return record  # type: ignore[no-any-return]


def problem_of(record: "Document", plan: "Document", job: int, attempt: int) -> "str | None":
    """Why a record is not that of this attempt; None if it is. Ingest checks every value of it."""
    expected = {"schema": RECORD_SCHEMA, "run_id": plan["description"]["run_id"], "job": job, "attempt": attempt}
    for key, value in expected.items():
        if record[key] != value:
            return "%s: expected %r, found %r" % (key, value, record[key])
    if record["status"] not in STATUSES:
        return "status: found %r" % record["status"]
    names = [output["name"] for output in record["outputs"]]
    declared = [output["name"] for output in plan["description"]["outputs"]]
    if record["status"] == "succeeded" and names != declared:
        return "outputs: expected %r, found %r" % (declared, names)
    return None


def not_as_sent(pool: "Pool", job: int, name: str) -> RefusedError:
    """Why the shell on the worker started nothing: it could not find a file of ours to be as it was sent."""
    how = "%s did not reach the worker as it was sent: its sha256 is another, or there is no sha256sum" % name
    return RefusedError(how + last_said(pool, job), NEVER, name)


def spool(pool: "Pool", job: int, attempt: int) -> None:
    """Give the record its lasting name. One that is there under that name is this one: numbers are used once."""
    arrived = os.path.join(pool.node(job), b"out", b"record.json")
    os.makedirs(pool.records(job), exist_ok=True)
    descriptor = os.open(arrived, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(arrived, pool.record(job, attempt))
    except FileExistsError:
        return
