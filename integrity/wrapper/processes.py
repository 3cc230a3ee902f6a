"""The processes below this one, and what the kernel is told of them."""

import os

from integrity.wrapper.libc import c_function

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


_loaded: "list[Callable[[int, int], int]]" = []


def libc_prctl() -> "Callable[[int, int], int]":
    """prctl(2) with one argument; raises OSError. Loaded once: who forks wrappers does it for all of them."""
    if not _loaded:
        _loaded.append(c_function("prctl", "iL"))  # as all uses of it here
    return _loaded[0]


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
