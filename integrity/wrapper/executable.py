"""The program that a command names: where it is, and why it could not be run."""

import errno
import os

from integrity.wrapper.description import Job
from integrity.wrapper.errors import CODE_NOT_FOUND, CODE_NOT_RUNNABLE, UnpreparedError
from integrity.wrapper.notation import reason, to_text

DEFAULT_PATH = b"/usr/bin:/bin"  # of a command whose environment has none


def resolve(job: Job, name: bytes) -> "tuple[bytes, bytes]":
    """(what to hand to execve, its absolute path). A name without a slash is looked up along the command's own PATH."""
    if b"/" in name:
        return name, os.path.join(job.work_dir, name)
    for folder in job.environment.get(b"PATH", DEFAULT_PATH).split(b":"):
        candidate = os.path.join(job.work_dir, folder, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate, candidate
    raise UnpreparedError("cannot run %r: there is no such program along PATH" % to_text(name), CODE_NOT_FOUND)


def no_room(executable: bytes, error: OSError) -> UnpreparedError:
    """Why there is no process for a command: the system, or a limit on its user, refused one."""
    return UnpreparedError("cannot start %r: %s" % (to_text(executable), reason(error)), CODE_NOT_RUNNABLE)


def not_run(executable: bytes, number: int) -> UnpreparedError:
    """Why execve refused, in words that help."""
    if number == errno.ENOENT:
        if not os.path.exists(executable):
            return UnpreparedError("cannot run %r: there is no such file" % to_text(executable), CODE_NOT_FOUND)
        why = "the interpreter that its first line (or its header) names is missing"
    elif number == errno.ENOEXEC:
        why = "it is neither a program for this machine nor a script whose first line starts with #!"
    elif number == errno.EACCES:
        why = "it is not executable, or it is a folder (permission denied)"
    else:
        why = os.strerror(number)
    return UnpreparedError("cannot run %r: %s" % (to_text(executable), why), CODE_NOT_RUNNABLE)
