"""Servers that tests start: on ports that are free, below a folder of the test run, and gone at its end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SCRIPTS = Path(sysconfig.get_path("scripts"))
"""Where the programs are that packages of the development group bring."""
START_SECONDS = 60
TRIES = 3


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses. Somebody may take one before the server does: then start again."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """The program, once ``answers`` says so. Raises RuntimeError with the end of its log if that does not come about."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        limit = time.monotonic() + START_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it holds goes with the test run
        process.wait()
