"""The engine's end of the launcher: sends job descriptions, hears which wrappers have ended.

The launcher is a process of its own (integrity/launcher.py, docs/formats/invocation.md): forking this process, full of
libraries, would cost more than many jobs do, and being the reaper of a job's orphans is a matter of the whole process.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import integrity
from planner.errors import PlannerError
from planner.locks import lock_if_possible

LAUNCHER = Path(integrity.__file__).with_name("launcher.py")
_READ_BYTES = 1 << 20


class LauncherDiedError(PlannerError):
    """The launcher is gone although nobody told it to go; the run can be taken up again."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Started:
    """A wrapper was forked."""

    job: int
    attempt: int
    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A wrapper is gone; ``recorded`` says whether it left a record."""

    job: int
    attempt: int
    status: int
    recorded: bool


class Launcher:
    """One launcher process. Use as a context manager: leaving it lets running wrappers finish and waits for them."""

    def __init__(self, lock: Path) -> None:
        """Start it. ``lock`` is locked for as long as the launcher or one of its wrappers lives, however the engine
        ends.
        """
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        lock_if_possible(descriptor)
        # A session of its own, so that Ctrl-C in the terminal reaches the engine alone and it decides what happens to
        # jobs.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(descriptor,),
        )
        os.close(descriptor)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests = self._process.stdin
        self._replies = self._process.stdout
        self._rest = b""

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Readable when there is something for `replies`."""
        return self._replies.fileno()

    def start(self, description: Mapping[str, object], record: Path) -> None:
        """Fork a wrapper for one attempt."""
        self._send({"start": description, "record": os.fsdecode(record)})

    def stop(self, signal_number: int) -> None:
        """Signal all wrappers: each ends its job's processes and writes its record."""
        self._send({"stop": signal_number})

    def replies(self) -> Iterator[Started | Ended]:
        """What has been said since the last call; call it when the launcher is readable.

        Raises LauncherDiedError when the launcher has closed its end.
        """
        data = os.read(self._replies.fileno(), _READ_BYTES)
        if not data:
            raise LauncherDiedError(
                "the process that starts jobs is gone",
                hint="Running jobs finish by themselves; `pirene run` on the run folder goes on from there.",
            )
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            reply = json.loads(line)
            if "started" in reply:
                yield Started(reply["started"], reply["attempt"], reply["pid"])
            elif "ended" in reply:
                yield Ended(reply["ended"], reply["attempt"], reply["status"], reply["record"])
            else:
                raise RuntimeError(f"the launcher did not take a request: {reply.get('error', reply)}")

    def close(self) -> None:
        """Let wrappers finish, and wait until the launcher has gone."""
        if not self._requests.closed:
            with contextlib.suppress(BrokenPipeError):  # it went first; waiting is all that is left
                self._requests.close()
        # Replies that nobody reads any more must not fill the pipe and keep the launcher from ending.
        while os.read(self._replies.fileno(), _READ_BYTES):
            pass
        self._process.wait()
        self._replies.close()

    def _send(self, request: Mapping[str, object]) -> None:
        try:
            # ASCII with \udcXX escapes: names that are not valid Unicode survive the way.
            self._requests.write(json.dumps(request).encode("ascii") + b"\n")
            self._requests.flush()
        except BrokenPipeError as error:
            raise LauncherDiedError("the process that starts jobs is gone") from error
