"""The PRE step: lays out what goes to the worker for the next attempt of a job."""

import os

from integrity.wrapper.notation import to_bytes
from integrity.wrapper.sha256 import digest_of
from planner.engines.pool.node_step.documents import in_json, write_whole
from planner.engines.pool.node_step.inputs import find_input, lay_out, reuse_key
from planner.engines.pool.node_step.refused import NEVER, YES, RefusedError
from planner.engines.pool.node_step.trees import clear, remove

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from planner.engines.pool.node_step.documents import Document
    from planner.engines.pool.node_step.pool import Pool


def pre(pool: "Pool", job: int) -> int:
    """Lay out the next attempt of a job in its node's folder."""
    if os.path.lexists(pool.given_up(job)):
        return NEVER  # it failed in an earlier round of the same run, and nothing has changed since
    attempt = next_attempt(pool, job)
    try:
        plan = pool.plan_of(job)
        remove(pool.handed(job))  # what an earlier attempt handed over is not what readers get from now on
        lay_out_attempt(pool, plan, job, attempt)
    except RefusedError as error:
        pool.refuse(job, attempt, error, started=False)
        return error.code
    except OSError as error:
        pool.refuse(job, attempt, RefusedError("it cannot be laid out: %s" % error, NEVER), started=False)
        return NEVER
    return YES


def lay_out_attempt(pool: "Pool", plan: "Document", job: int, attempt: int) -> None:
    """Fill the folder of a node anew, its description last. Raises RefusedError, OSError."""
    given = os.path.join(pool.node(job), b"in")
    os.makedirs(given, exist_ok=True)
    clear(pool.node(job), b"in")
    clear(given, b"job.json")  # it keeps the number of an attempt of which nothing else may be known
    os.mkdir(os.path.join(given, b"work"))
    inputs = []
    for use in plan["inputs"]:
        found = find_input(pool, plan, use)
        if found is not None:
            source, entry = found
            inputs.append(entry)
            lay_out(source, os.path.join(given, b"work", to_bytes(entry["path"])))
    if plan["executable"] is not None:
        lay_out(to_bytes(plan["executable"]["from"]), os.path.join(given, b"work", to_bytes(plan["executable"]["to"])))
    description = plan["description"]
    description.update(attempt=attempt, inputs=description["inputs"] + inputs, reuse_key=reuse_key(plan["key"], inputs))
    data = in_json(description)
    # As `sha256sum -c` reads it: it goes to the worker beside the description, which is the last of all to be there.
    write_whole(os.path.join(given, b"job.json.sha256"), b"%s  job.json\n" % digest_of(data).encode("ascii"))
    write_whole(os.path.join(given, b"job.json"), data)


def next_attempt(pool: "Pool", job: int) -> int:
    """A number that no attempt of the job has had: those that left a record, were refused, or were only laid out."""
    start = b"%d-" % job
    used = [pool.laid_out(job)]
    for folder in (pool.records(job), pool.refusals(job)):
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            continue
        used += [int(name[len(start) : -5]) for name in names if name.startswith(start) and name.endswith(b".json")]
    return max(used) + 1
