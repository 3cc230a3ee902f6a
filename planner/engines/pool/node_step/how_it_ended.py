"""Why no record came back of an attempt: the return value that DAGMan saw, and what the job said last."""

import os

from integrity.wrapper.errors import CODE_NOT_FOUND, CODE_NOT_RUNNABLE, EXIT_UNRECORDED, EXIT_UNUSABLE

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from planner.engines.pool.node_step.pool import Pool

LAST_BYTES = 1024  # of a job's stderr are looked at for its last words
# What the shell on the worker ends with (planner/engines/pool/dag.py), as sysexits.h has it: data that is no good, and
# what cannot be created.
WRAPPER_ALTERED = 65
DESCRIPTION_ALTERED = 66
FOLDERS_MISSING = 73
ALTERED = {WRAPPER_ALTERED: "kickstart.pyz", DESCRIPTION_ALTERED: "job.json"}
# What the shell, the wrapper itself and DAGMan say by the return value if there is no record.
WITHOUT_RECORD = {
    EXIT_UNUSABLE: "the wrapper could not use its description (see its stderr)",
    EXIT_UNRECORDED: "the wrapper could not write its record (is the worker's disk full?)",
    FOLDERS_MISSING: "the worker could not make the folders to run in (see its stderr; is its disk full?)",
    CODE_NOT_RUNNABLE: "python3 of the worker cannot be run",
    CODE_NOT_FOUND: "the worker has no python3 along its PATH",
    -1001: "HTCondor did not take the job (see run.dag.dagman.out)",  # these are DAGMan's own
    -1002: "HTCondor removed the job",
    -1003: "DAGMan could not read its log of events (see run.dag.dagman.out)",
}


def how_it_ended(pool: "Pool", job: int, returned: int) -> str:
    """What DAGMan's return value of a job without a record means, and what the job said last."""
    if returned in WITHOUT_RECORD:
        how = WITHOUT_RECORD[returned]
    elif returned < 0:
        how = "the wrapper was ended by signal %d" % -returned
    else:
        how = "the job ended with exit code %d" % returned
    return how + last_said(pool, job)


def last_said(pool: "Pool", job: int) -> str:
    """What to add to how a job ended."""
    said = last_words(os.path.join(pool.node(job), b"stderr"))
    return "; its stderr ends: %s" % said if said else ""


def last_words(path: bytes) -> str:
    """The last line of a file that is not blank, as far as it is no longer than a sentence."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return ""
    said = [line for line in lines if line.strip()]
    return said[-1].decode("utf-8", "backslashreplace")[-LAST_BYTES // 4 :] if said else ""
