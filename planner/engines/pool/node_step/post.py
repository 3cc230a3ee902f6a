"""The POST step: takes in what came back of an attempt."""

import os

from integrity.wrapper.notation import clock_ns, time_text
from planner.engines.pool.node_step.documents import read_document, write_document
from planner.engines.pool.node_step.outputs import take_outputs
from planner.engines.pool.node_step.records import arrived_record, spool
from planner.engines.pool.node_step.refused import NEVER, NO, YES, RefusedError
from planner.engines.pool.node_step.trees import remove

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from planner.engines.pool.node_step.pool import Pool


def post(pool: "Pool", job: int, returned: int) -> int:
    """Take in what came back of the attempt in the node's folder."""
    attempt = pool.laid_out(job)
    handed = read_document(pool.handed(job))
    if handed is not None and attempt in (0, handed["attempt"]):
        pool.announce(job, handed["attempt"])  # the step had done its work when it, or DAGMan, was killed
        remove(pool.node(job))
        return YES
    try:
        plan = pool.plan_of(job)
        record = arrived_record(pool, plan, job, attempt, returned)
        spool(pool, job, attempt)
        if record["status"] != "succeeded":
            pool.announce(job, attempt)
            return NEVER if record["status"] == "integrity_failed" else NO
        outputs = take_outputs(pool, plan, job, record)
    except RefusedError as error:
        pool.refuse(job, attempt, error, started=True)
        return error.code
    except OSError as error:
        pool.refuse(job, attempt, RefusedError("what came back cannot be taken in: %s" % error), started=True)
        return NO
    at, host = time_text(clock_ns()), os.uname().nodename  # of this side
    write_document(pool.handed(job), {"job": job, "attempt": attempt, "outputs": outputs, "at": at, "host": host})
    pool.announce(job, attempt)
    remove(pool.node(job))
    return YES
