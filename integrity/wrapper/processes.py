"""The processes below this one, and what the kernel is told of them."""

import os
import time

from integrity.wrapper.libc import c_function

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLOCK_BOOTTIME = 7  # linux/time.h; Python names it since 3.7


_loaded: "list[Callable[[int, int], int]]" = []


def libc_prctl() -> "Callable[[int, int], int]":
    """prctl(2) with one argument; raises OSError. Loaded once: who forks wrappers does it for all of them."""
    if not _loaded:
        _loaded.append(c_function("prctl", "iL"))  # as all uses of it here
    return _loaded[0]


def what_is_in(path: str) -> str:
    """What the system says in a file of its own; nothing where it has none."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def started(pid: int) -> str:
    """When a process was, in ticks since the machine was: the 22nd field of proc(5); the second is a name in
    parentheses, with anything in it.
    """
    return (what_is_in("/proc/%d/stat" % pid).rpartition(")")[2].split()[19:20] or ["?"])[0]


def ticks() -> str:
    """What `started` would say of a process that is started now, if that is still so afterwards: the system needs a
    third of a millisecond to tell it of one that is being loaded.
    """
    return "%d" % (time.clock_gettime(CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


_boot: "list[str]" = []


def boot() -> str:
    """When the machine was started: a random number of its own for each time."""
    if not _boot:
        _boot.append(what_is_in("/proc/sys/kernel/random/boot_id").strip() or "?")
    return _boot[0]


def ended_children() -> "Iterator[tuple[int, int]]":
    """Reap children that have ended: (process id, exit code, or less than 0: the signal that ended it)."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def process_tree() -> "dict[int, list[int]]":
    """The children of every process that there is, from one look at /proc."""
    children: "dict[int, list[int]]" = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rsplit(b")", 1)[1].split()  # a command name may hold anything, `)` included
            except (OSError, IndexError):
                continue  # it has just ended
            children.setdefault(int(fields[1]), []).append(int(name))
    return children


def descendants(tree: "Mapping[int, list[int]]", roots: "list[int]") -> "list[int]":
    """All processes below ``roots``, without them, whatever their session or process group."""
    found: "list[int]" = []
    pending = list(roots)
    while pending:
        below = tree.get(pending.pop(), [])
        found.extend(below)
        pending.extend(below)
    return found


def signal_descendants(number: int) -> None:
    """Send a signal to every descendant of this process that may be sent one."""
    for pid in descendants(process_tree(), [os.getpid()]):
        send(pid, number)


def send(pid: int, number: int) -> None:
    """Signal a process, unless it has ended or runs as another user: whoever waits for its end goes on waiting."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
