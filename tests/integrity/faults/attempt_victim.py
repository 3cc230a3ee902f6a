"""Makes wrappers to be disturbed: it has imported everything, and forks a child for each attempt.

A request is a line of JSON, ``[description, record, parent ends strays]``. The child stops itself; once its number is printed, somebody may
attach to it and let it go on: then it makes the attempt, and every system call after the stop is one of the wrapper.
When it is over its exit status is printed (negative: the signal).
"""

import ctypes
import json
import os
import signal
import sys

from integrity.wrapper.facts import facts
from integrity.wrapper.processes import PR_SET_CHILD_SUBREAPER, ended_children, libc_prctl
from integrity.wrapper.run import run_attempt

_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)


def main() -> None:
    """Serve until the standard input ends."""
    facts()
    libc_prctl()(PR_SET_CHILD_SUBREAPER, 1)  # what a killed wrapper leaves comes to us, and is not in the way
    for line in sys.stdin:
        description, record, parent_ends_strays = json.loads(line)
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)  # where only parents may attach (yama)
            os.setsid()
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(run_attempt(description, record, parent_ends_strays))
        os.waitpid(child, os.WUNTRACED)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        list(ended_children())


if __name__ == "__main__":
    main()
