"""Operations on a store that are killed, or whose file system fails, at one system call of their choice (strace)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VICTIM = Path(__file__).with_name("victim.py")
_PAGE = 4096
_PATH = re.compile(r"\"([^\"]*)\"")
_DESCRIPTOR = re.compile(r"(?:close|\w*write\w*|f\w+)\(\d+<(/[^>]*)>")
"""A call that is about an open file, as ``strace --decode-fds=path`` writes it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that was made: by which thread (0: the main one), its name, and the rest of strace's line."""

    thread: int
    name: str
    text: str

    @property
    def path(self) -> str | None:
        """The path of the open file that it is about, else the first that it names."""
        match = _DESCRIPTOR.match(self.text) or _PATH.search(self.text)
        return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended: ``status`` 0, an exit code, or less than 0: the signal.

    ``said`` is ``acknowledged``, or the message of its error, or empty if it came to neither. ``struck`` are the calls
    that failed or at which it was killed, ``calls`` all that were traced.
    """

    status: int
    said: str
    struck: tuple[Call, ...]
    calls: tuple[Call, ...]

    @property
    def acknowledged(self) -> bool:
        """Whether the operation was told that it had been done."""
        return self.said == "acknowledged"


class Victims:
    """Processes to disturb: `run` makes one."""

    def __init__(self, folder: Path) -> None:
        self._log, self._ledger = folder / "strace.log", folder / "ledger"
        self._maker = subprocess.Popen(
            [sys.executable, "-B", str(VICTIM)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        strace = shutil.which("strace")
        assert strace, "these tests need strace"
        self._strace = strace

    def close(self) -> None:
        """End the process that makes victims."""
        assert self._maker.stdin is not None and self._maker.stdout is not None
        self._maker.stdin.close()
        self._maker.wait()
        self._maker.stdout.close()

    def run(self, operation: str, store: Path, *options: str) -> Outcome:
        """Do one operation of victim.py on a store, under strace with these options."""
        assert self._maker.stdin is not None and self._maker.stdout is not None
        self._ledger.write_bytes(bytes(_PAGE))
        self._maker.stdin.write(f"{operation} {store} {self._ledger}\n")
        self._maker.stdin.flush()
        process = int(self._maker.stdout.readline())
        command = [self._strace, "-f", "--decode-fds=path", "-o", str(self._log), *options, "-p", str(process)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            attached = tracer.stderr.readline()
            os.kill(process, signal.SIGCONT)
            status = int(self._maker.stdout.readline())
            rest = tracer.stderr.read()
        assert "attached" in attached, attached + rest
        said = self._ledger.read_bytes().rstrip(b"\0").decode()
        return Outcome(status, said, *_read_log(self._log.read_text(errors="replace")))


def _read_log(text: str) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
    """The calls that were struck, and all calls; one that was interrupted by another thread's is put together."""
    threads: dict[str, int] = {}
    begun: dict[int, Call] = {}
    calls: list[Call] = []
    for line in text.splitlines():
        thread, rest = line.split(maxsplit=1)
        number = threads.setdefault(thread, len(threads))
        if rest.startswith("<... "):
            before = begun.pop(number)
            calls.append(Call(number, before.name, before.text + rest.partition("resumed>")[2]))
        elif match := re.match(r"(\w+)\(", rest):
            call = Call(number, match[1], rest.removesuffix("<unfinished ...>"))
            if rest.endswith("<unfinished ...>"):
                begun[number] = call
            else:
                calls.append(call)
    calls += begun.values()
    # A call at which its process was killed has no result.
    return tuple(call for call in calls if call.text.endswith(("(INJECTED)", "= ?"))), tuple(calls)


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    """Makes processes that are disturbed."""
    made = Victims(tmp_path_factory.mktemp("victims"))
    yield made
    made.close()


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Makes a fresh copy of a store and of the one called `other` beside it; the copies before are gone then."""
    copy = tmp_path / "store"

    def make(root: Path) -> Path:
        for old, new in ((root, copy), (root.with_name("other"), copy.with_name("other"))):
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(old, new)
        return copy

    return make
