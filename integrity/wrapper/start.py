"""How a command is started: what turns from this program into another.

A fork has the kernel copy every page that either of the two writes to afterwards: some 650 faults for one attempt, more
than all else that it costs. posix_spawn(3) has none of them. But nothing can be said to the child in it, and so not
that it is to die with its parent (prctl(2), PR_SET_PDEATHSIG): it is for who has a parent that ends what is left of it
(workers.py), and a lock that shows when that was killed as well (record_file.py). Where it refuses, for whatever
reason, a fork is tried, which tells the reason.
"""

import errno
import os

from integrity.wrapper.description import Job
from integrity.wrapper.errors import CODE_NOT_RUNNABLE
from integrity.wrapper.executable import no_room
from integrity.wrapper.limits import impose
from integrity.wrapper.processes import PR_SET_PDEATHSIG, libc_prctl
from integrity.wrapper.signals import signal
from integrity.wrapper.stop import STOP_SIGNALS, Stop

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # for itself; no command expects that


def spawned(job: Job, program: "tuple[bytes, list[bytes]]", ends: "list[int]") -> "int | None":
    """Have it started in one call: its process id, or None where a fork has to.

    So it is with limits, which are set in the child; and with a time limit: until the program is loaded, which takes
    for ever if its server does not answer, this process hears of no signal and no clock. Nobody else may need the
    working folder of this process, which is another meanwhile. Raises OSError where it cannot go back to it.
    """
    if not hasattr(os, "posix_spawn") or job.limits or job.walltime_seconds is not None:
        return None
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, target) for target, descriptor in enumerate(ends)]  # novm: hasattr
    try:
        before = os.open(".", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _changed_folder(before, job.work_dir):
            return None
        try:
            return os.posix_spawn(  # novm: hasattr
                program[0],
                program[1],
                job.environment,
                file_actions=actions,
                setsid=True,  # a job that signals its process group must not reach the wrapper
                setsigdef=IGNORED_BY_PYTHON,
            )
        except (OSError, ValueError, NotImplementedError):
            return None
        finally:
            os.fchdir(before)
    finally:
        os.close(before)


def _changed_folder(before: int, work_dir: bytes) -> bool:
    """Whether this process is in the work folder now, from where there is a way back."""
    try:
        os.fchdir(before)
        os.chdir(work_dir)
    except OSError:
        return False
    return True


def forked(job: Job, program: "tuple[bytes, list[bytes]]", ends: "list[int]", stop: Stop) -> "tuple[int, int]":
    """Fork it: (its process id, the end of a pipe that says why exec was refused). Raises UnpreparedError where the
    system has no room for it.
    """
    try:
        errors, error_end = os.pipe()
    except OSError as error:
        raise no_room(program[0], error) from error
    wrapper, prctl = os.getpid(), libc_prctl()
    # A signal that arrives between fork and exec must reach the command, not die in this program's handler.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, signal.SIGCHLD))
    try:
        pid = os.fork()
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(errors)
        os.close(error_end)
        raise no_room(program[0], error) from error
    if pid == 0:
        _become(job, program, ends, stop, mask, wrapper, prctl, error_end)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.close(error_end)
    return pid, errors


def _become(
    job: Job,
    program: "tuple[bytes, list[bytes]]",
    ends: "list[int]",
    stop: Stop,
    mask: "Any",
    wrapper: int,
    prctl: "Callable[[int, int], int]",
    errors: int,
) -> "NoReturn":
    """In the forked child: turn into the command. Dies with the wrapper; reports a refused exec through ``errors``.

    The less is done in here the better: each page that the child writes to, be it to count a reference, is copied.
    """
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != wrapper:
            os._exit(CODE_NOT_RUNNABLE)  # the wrapper died before the line above took effect
        os.setsid()  # a job that signals its process group must not reach the wrapper
        os.chdir(job.work_dir)
        for target, descriptor in enumerate(ends):
            os.dup2(descriptor, target)
        stop.reset()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if job.limits:
            impose(job.limits, job.grace_seconds)
        os.execve(program[0], program[1], job.environment)
    except OSError as error:
        os.write(errors, b"%d" % (error.errno or errno.EIO))
    finally:
        os._exit(CODE_NOT_RUNNABLE)
