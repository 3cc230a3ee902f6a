"""One attempt at a time, through the wrapper's command line, as a worker runs it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KICKSTART = ROOT / "integrity" / "kickstart.py"
LAUNCHER = ROOT / "integrity" / "launcher.py"
WRAPPER = [sys.executable, "-I", "-S", str(KICKSTART)]
PATIENCE_SECONDS = 20.0

Document = dict[str, Any]


def digest_of(data: bytes) -> str:
    """What an expected digest is in a description, taken without the code under test."""
    return hashlib.sha256(data).hexdigest()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that must happen soon; fail when it does not."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs: a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X")


def processes_with(marker: str) -> list[int]:
    """All processes whose environment or command line holds ``marker``."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in text and alive(int(folder.name)):
                found.append(int(folder.name))
    return found


@dataclass
class Bench:
    """A folder to try attempts in. ``work`` is the job's; the record is beside it."""

    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def record_path(self) -> Path:
        return self.folder / "record.json"

    @property
    def record(self) -> Document:
        document: Document = json.loads(self.record_path.read_bytes())
        return document

    digest_of = staticmethod(digest_of)
    wrapper = KICKSTART
    launcher = LAUNCHER
    wait_until = staticmethod(wait_until)
    alive = staticmethod(alive)
    input = staticmethod(lambda *given, **changes: an_input(*given, **changes))
    output = staticmethod(lambda *given, **changes: an_output(*given, **changes))

    def processes(self) -> list[int]:
        """All processes of this bench's jobs: they inherit its name in their environment."""
        return processes_with(f"BENCH={self.folder}")

    def file(self, name: str, data: bytes) -> Path:
        """A file outside of the work folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def describe(self, argv: list[str], **changes: Any) -> Document:
        document: Document = {
            "schema": "pirene.job/1",
            "run_id": "0193563c-0f2e-7000-8000-000000000001",
            "job": 7,
            "id": "isr-0007",
            "attempt": 2,
            "transformation": {"namespace": "lsst", "name": "isr", "version": "1.10"},
            "work_dir": str(self.work),
            "stage_in": [],
            "argv": argv,
            "environment": {"set": {"BENCH": str(self.folder)}, "clear": False, "record": []},
            "stdin": None,
            "stdout": None,
            "stderr": None,
            "inputs": [],
            "outputs": [],
            "metadata_file": None,
            "reuse_key": "ab" * 32,
            "site": "local",
            "tail_bytes": 65536,
            "grace_seconds": 5,
        }
        document.update(changes)
        return document

    def start(self, argv: list[str], **changes: Any) -> subprocess.Popen[bytes]:
        """Start the wrapper; the caller waits for it."""
        return self.start_described(self.describe(argv, **changes))

    def start_described(self, description: Document, **options: Any) -> subprocess.Popen[bytes]:
        path = self.folder / "job.json"
        # By rename: a wrapper that was started before may be reading it.
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(description), encoding="ascii")
        fresh.rename(path)
        process = subprocess.Popen(
            [*WRAPPER, "--job", str(path), "--record", str(self.record_path)],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            preexec_fn=options.pop("preexec_fn", _default_signals),
            **options,
        )
        self.started.append(process)
        return process

    def run(self, argv: list[str], **changes: Any) -> tuple[int, Document]:
        """Run one attempt to its end: the wrapper's exit status and the record."""
        process = self.start(argv, **changes)
        out, errors = process.communicate(timeout=PATIENCE_SECONDS * 3)
        assert errors == b"", errors
        assert out == b""
        return process.returncode, self.record

    def sh(self, script: str, **changes: Any) -> tuple[int, Document]:
        return self.run(["/bin/sh", "-c", script], **changes)

    def refused(self, description: Document) -> tuple[int, str]:
        """An attempt of which there must be no record: the exit status and what the wrapper said."""
        process = self.start_described(description)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, errors.decode()


def _default_signals() -> None:
    # The test run itself may have been started in the background, with these ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def an_input(path: Path | str, sha256: str | None = None, size: int | None = None, **changes: Any) -> Document:
    """An entry of ``inputs``."""
    entry: Document = {
        "name": Path(path).name,
        "path": str(path),
        "role": "input",
        "sha256": sha256,
        "size": size,
        "digest_origin": "declared" if sha256 else None,
        "optional": False,
        "url": f"file://{path}",
        "source": -5,
        "file": 12,
    }
    entry.update(changes)
    return entry


def an_output(name: str, **changes: Any) -> Document:
    """An entry of ``outputs``."""
    return {"name": name, "path": name, "role": "output", "optional": False, **changes}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    one = Bench(tmp_path)
    yield one
    for process in one.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
