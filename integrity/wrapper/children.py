"""Wrappers that a process forks once it has imported everything: a job does not pay for an interpreter's start."""

import gc
import os
import time

from integrity.wrapper.processes import descendants, process_tree, send
from integrity.wrapper.run import complain, run_attempt
from integrity.wrapper.signals import signal
from integrity.wrapper.stop import STOP_SIGNALS

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from typing import Any, NoReturn

PATIENCE_SECONDS = 0.005  # between two looks at processes that were sent SIGKILL
EXIT_BUG = 70


def share_memory() -> None:
    """Let children share the pages of this process for as long as nobody writes to them."""
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()  # novm: Python 3.7 has it


def fork_wrapper(description: "Mapping[str, Any]", record: str, let_go: "Callable[[], None]") -> int:
    """Fork a wrapper for one attempt; its process id. Raises OSError where the system has no room for it.

    ``let_go`` rids the child of what is its parent's alone. Handlers of signals are the parent's until it has.
    """
    # Blocked until the wrapper is ready for them: a stop that follows the start at once is not lost.
    signals = (*STOP_SIGNALS, signal.SIGCHLD)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        pid = os.fork()
        if pid == 0:
            _be_wrapper(description, record, let_go)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _be_wrapper(description: "Mapping[str, Any]", record: str, let_go: "Callable[[], None]") -> "NoReturn":
    """In the forked child: be a wrapper and nothing else, in a session of its own."""
    status = EXIT_BUG
    gc.disable()  # it lives for one job, and a collection would copy the pages that it shares with its parent
    try:
        os.setsid()
        let_go()
        status = run_attempt(description, record)
    except Exception as error:  # noqa: BLE001 - the process boundary
        complain("a bug in the wrapper of %r: %s: %s" % (record, type(error).__name__, error), EXIT_BUG)
    finally:
        os._exit(status)


def end_strays(wrappers: "Container[int]") -> None:
    """End what a killed wrapper left: such processes are ours now, and each that ends hands us its children."""
    me = os.getpid()
    while True:
        tree = process_tree()
        strays = [pid for pid in tree.get(me, []) if pid not in wrappers]
        if not strays:
            return
        for pid in strays + descendants(tree, strays):
            send(pid, signal.SIGKILL)
        time.sleep(PATIENCE_SECONDS)
        for pid in strays:
            os.waitpid(pid, os.WNOHANG)
