"""Wrappers that are forked once and make one attempt after the other, as a process tells them to.

It exists because a fork costs more than all else that a wrapper does for a small job: copying the pages that both then
write to. Between two attempts nothing is left of the first but the memory: its processes have ended, its files are
closed. A worker that its parent signalled is not used again, as nobody knows which attempt a signal would strike; what
others send to one that waits concerns no attempt, and is forgotten.
"""

import gc
import os
import time

from integrity.wrapper.in_time import hangs
from integrity.wrapper.json_text import parse, unparse
from integrity.wrapper.processes import descendants, ended_children, process_tree, send
from integrity.wrapper.run import complain, run_attempt
from integrity.wrapper.sha256 import by_openssl
from integrity.wrapper.signals import signal
from integrity.wrapper.stop import STOP_SIGNALS

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any, NoReturn

PATIENCE_SECONDS = 0.005  # between two looks at processes that were sent SIGKILL
STRAY_SECONDS = 1.0  # for all of them to end: meanwhile the others have to wait
EXIT_BUG = 70
REPLY_BYTES = 4096


def share_memory() -> None:
    """Let children share the pages of this process for as long as nobody writes to them; OpenSSL among them."""
    by_openssl()
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()  # novm: Python 3.7 has it


class Worker:
    """The parent's side of one worker. ``about`` is what it is at work on, None while it waits."""

    def __init__(self, pid: int, requests: int) -> None:
        self.pid = pid
        self.requests = requests
        self.about: "Any" = None
        self.signalled = False


class Workers:
    """All workers of a process. ``news`` is readable when one of them has something to say: then, and after every end
    of a child, ask `ended`.

    ``let_go`` rids a forked worker of what is its parent's alone; handlers of signals are the parent's until it has.
    """

    def __init__(self, let_go: "Callable[[], None]") -> None:
        self._let_go = let_go
        self._by_pid: "dict[int, Worker]" = {}
        self._idle: "list[Worker]" = []
        self._left: "set[int]" = set()  # processes of killed wrappers that could not be ended
        self.news, self._news_end = os.pipe()
        os.set_blocking(self.news, False)
        self._said = b""

    @property
    def busy(self) -> int:
        """How many are at work."""
        return len(self._by_pid) - len(self._idle)

    def start(self, description: "Mapping[str, Any]", record: str, about: object) -> int:
        """Have an attempt made: the process id of its wrapper. Raises OSError where there is no room for another.

        ``about`` is anything but None: what `ended` names the attempt by.
        """
        line = unparse([description, record]).encode("ascii") + b"\n"
        while self._idle:
            worker = self._idle.pop()
            try:
                return self._give(worker, line, about)
            except BrokenPipeError:
                continue  # somebody has killed it while it waited; `ended` will hear of it
        return self._give(self._fork(), line, about)

    def stop(self, number: int, concerns: "Callable[[Any], bool]") -> None:
        """Send a signal to the workers that are at work on what it concerns."""
        for worker in self._by_pid.values():
            if worker.about is not None and concerns(worker.about):
                worker.signalled = True
                send(worker.pid, number)

    def ended(self) -> "Iterator[tuple[Any, int]]":
        """Attempts that are over: (what they are about, exit status of the wrapper, or less than 0: the signal that
        ended it; then nothing of its job is left).
        """
        for line in self._lines():
            pid, status = map(int, line.split())
            worker = self._by_pid.get(pid)
            if worker is None:
                continue  # killed right after it had said so, and reaped: its end has been told
            about, worker.about = worker.about, None
            if worker.signalled:
                self._dismiss(worker)
            else:
                self._idle.append(worker)
            yield about, status
        for pid, code in ended_children():
            gone = self._by_pid.pop(pid, None)
            if gone in self._idle:
                self._idle.remove(gone)
            self._left.discard(pid)
            if code != 0:
                self._end_strays()
            if gone is not None:
                self._dismiss(gone)
                if gone.about is not None:
                    yield gone.about, code

    def close(self) -> None:
        """Let those that wait go, and wait until they have."""
        for worker in self._idle:
            self._dismiss(worker)
            os.waitpid(worker.pid, 0)
            del self._by_pid[worker.pid]
        self._idle = []

    def _end_strays(self) -> None:
        for pid in end_strays({*self._by_pid, *self._left}):
            self._left.add(pid)
            complain("process %d, which a killed wrapper left, cannot be ended" % pid, EXIT_BUG)

    def _give(self, worker: Worker, line: bytes, about: object) -> int:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(worker.requests, rest) :]
        worker.about = about
        return worker.pid

    def _dismiss(self, worker: Worker) -> None:
        if worker.requests >= 0:
            os.close(worker.requests)
            worker.requests = -1

    def _lines(self) -> "list[bytes]":
        try:
            self._said += os.read(self.news, REPLY_BYTES)
        except BlockingIOError:
            return []
        whole, _, self._said = self._said.rpartition(b"\n")
        return whole.split(b"\n") if whole else []

    def _fork(self) -> Worker:
        reader, writer = os.pipe()
        me = os.getpid()
        # Blocked until a wrapper is ready for them: a stop that follows a start at once is not lost.
        signals = (*STOP_SIGNALS, signal.SIGCHLD)
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        try:
            pid = os.fork()
            if pid == 0:
                os.close(writer)
                self._work(reader, me)
        except OSError:
            os.close(writer)
            raise
        finally:
            os.close(reader)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        self._by_pid[pid] = Worker(pid, writer)
        return self._by_pid[pid]

    def _work(self, requests: int, parent: int) -> "NoReturn":
        """In the forked child: be a wrapper and nothing else, in a session of its own, until nobody asks for more."""
        record, status = "?", EXIT_BUG
        try:
            os.setsid()
            self._let_go()
            os.close(self.news)
            for other in self._by_pid.values():
                self._dismiss(other)
            with open(requests, "rb") as lines:
                for line in lines:
                    forget_signals(but_of=parent)
                    description, record = parse(line.decode("ascii"))
                    status = run_attempt(description, record, parent_ends_strays=True)
                    if hangs():
                        break  # and end by the status that else would be said
                    os.write(self._news_end, b"%d %d\n" % (os.getpid(), status))
        except BrokenPipeError:
            pass  # nobody wants to know: the record is what counts
        except Exception as error:  # noqa: BLE001 - the process boundary
            status = complain("a bug in the wrapper of %r: %s: %s" % (record, type(error).__name__, error), EXIT_BUG)
        finally:
            os._exit(status)


def forget_signals(but_of: int) -> None:
    """Take back stop signals that came while no attempt was at work, and are blocked still. A process signals its
    workers only for an attempt that it has given them: its own wait on, for the one that is about to begin.
    """
    meant = []
    while True:
        came = signal.sigtimedwait(STOP_SIGNALS, 0)
        if came is None:
            break
        if came.si_pid == but_of:
            meant.append(came.si_signo)
    for number in meant:
        os.kill(os.getpid(), number)


def end_strays(known: "Collection[int]") -> "list[int]":
    """End what a killed wrapper left: such processes are ours now, and each that ends hands us its children. Those that
    cannot be ended in time (of another user, or in a call that the kernel does not come back from): nobody waits for
    them. ``known`` children are none of them.
    """
    me = os.getpid()
    limit = time.monotonic() + STRAY_SECONDS
    while True:
        tree = process_tree()
        strays = [pid for pid in tree.get(me, []) if pid not in known]
        if not strays or time.monotonic() >= limit:
            return strays
        for pid in strays + descendants(tree, strays):
            send(pid, signal.SIGKILL)
        time.sleep(PATIENCE_SECONDS)
        for pid in strays:
            os.waitpid(pid, os.WNOHANG)
