"""A place in which attempts are run as in a run, by the same wrapper, with copies of files and stand-ins for commands.

The commands of a workflow may take days and are not what is tried out: what a job reads and writes is, and `cp` does
both. Faults come by the wrapper's own steps, so that they happen just where their point says.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from planner.engines.describe import SCHEMA
from planner.engines.launch import Ended, Launcher

INPUT = "input"
OUTPUT = "output"
_TAIL_BYTES = 4096


class Bench:
    """Runs attempts one after the other, each in a folder of its own below ``folder``. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._run_id = uuid.uuid4()
        self._launcher = Launcher(folder / "lock")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._launcher.close()

    def place(self) -> Path:
        """A new, empty folder; `clear` takes it away."""
        self._number += 1
        place = self._folder / f"{self._number:06}"
        place.mkdir()
        return place

    def clear(self, place: Path) -> None:
        """Remove what was in a place."""
        shutil.rmtree(place)

    def attempt(
        self,
        work_dir: Path,
        source: Path,
        sha256: bytes,
        size_bytes: int,
        *,
        argv: Sequence[str] = ("cp", "--", INPUT, OUTPUT),
        steps: Mapping[str, Sequence[str]] | None = None,
        protection: str = "guard",
    ) -> Mapping[str, Any]:
        """The record of one attempt that reads ``source``, which is to have this digest and size, and writes OUTPUT, at
        a protection level.
        """
        description = self._description(work_dir, source, sha256, size_bytes)
        description.update(argv=list(argv), protection={"level": protection})
        description["steps"] = {name: list(words) for name, words in (steps or {}).items()}
        record = work_dir.with_name(f"{work_dir.name}.record")
        self._launcher.start(description, record)
        while not any(isinstance(reply, Ended) for reply in self._launcher.replies()):
            pass
        document: Mapping[str, Any] = json.loads(record.read_bytes())
        return document

    def _description(self, work_dir: Path, source: Path, sha256: bytes, size_bytes: int) -> dict[str, Any]:
        """What is the same for every attempt (docs/formats/invocation.md)."""
        return {
            "schema": SCHEMA,
            "run_id": str(self._run_id),
            "job": 1,
            "id": work_dir.name,
            "attempt": self._number,
            "transformation": {"namespace": None, "name": "chaos", "version": None},
            "work_dir": str(work_dir),
            "stage_in": [{"from": str(source), "to": INPUT, "copy": False}],
            "environment": {"set": {}, "clear": False, "record": []},
            "stdin": None,
            "stdout": None,
            "stderr": None,
            "inputs": [
                {
                    "name": INPUT,
                    "path": INPUT,
                    "role": "input",
                    "sha256": sha256.hex(),
                    "size": size_bytes,
                    "digest_origin": "recorded",
                    "optional": False,
                    "url": None,
                    "source": None,
                    "file": None,
                }
            ],
            "outputs": [{"name": OUTPUT, "path": OUTPUT, "role": "output", "optional": False}],
            "metadata_file": None,
            "reuse_key": None,
            "site": "local",
            "tail_bytes": _TAIL_BYTES,
        }
