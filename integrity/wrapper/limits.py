"""Resource limits of every process of a job (setrlimit(2)), and which of them ended one."""

import math
import os
import resource

from integrity.wrapper.signals import signal

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping

# What the description calls it, and what the system calls it. Each holds for every process on its own.
LIMITS = {
    "memory_bytes": resource.RLIMIT_AS,
    "cpu_seconds": resource.RLIMIT_CPU,
    "file_size_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
}
SIGNALS = {"cpu_seconds": signal.SIGXCPU, "file_size_bytes": signal.SIGXFSZ}
SHELL_SIGNALLED = 128  # a shell whose command was ended by signal n exits with 128 + n
WORDS = {
    "memory_bytes": "%d bytes of memory",
    "cpu_seconds": "%d s of CPU time",
    "file_size_bytes": "%d bytes in a file",
    "open_files": "%d open files",
}


def impose(limits: "Mapping[str, int]", grace_seconds: float) -> None:
    """Limit this process and what it starts; what is limited more already stays so. Raises OSError, ValueError."""
    for name, value in limits.items():
        number = LIMITS[name]
        _, hard = resource.getrlimit(number)
        # SIGXCPU may be caught, to end well: after the grace comes SIGKILL.
        last = value + math.ceil(grace_seconds) if name == "cpu_seconds" else value
        last = last if hard == resource.RLIM_INFINITY else min(last, hard)
        resource.setrlimit(number, (min(value, last), last))


def exceeded(limits: "Mapping[str, int]", status: int) -> "str | None":
    """The limit that ended a command with this wait status, where the system says so by a signal of its own."""
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status) - SHELL_SIGNALLED
    for name, number in SIGNALS.items():
        if name in limits and ended_by == number:
            return name
    return None


def in_force(limits: "Mapping[str, int]") -> str:
    """What a failed command may have run into unseen: the system tells nobody of memory or files that it refused."""
    words = [WORDS[name] % limits[name] for name in LIMITS if name in limits]
    return " (limited to %s)" % ", ".join(words) if words else ""
