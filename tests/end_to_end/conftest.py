"""The command itself, as a user calls it: every test here starts real processes and reads what they print."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Site:
    """A folder to work in, with a store of its own, and the command."""

    folder: Path
    environment: Mapping[str, str]

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "planner.cli", *arguments]

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=cwd or self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, code: int = 0, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Result:
        ended = subprocess.run(
            self.argv(*arguments),
            cwd=cwd or self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        result = Result(ended.returncode, ended.stdout, ended.stderr)
        assert ended.returncode == code, f"{arguments}: {result}"
        return result

    def query(self, text: str, *parameters: str) -> list[dict[str, Any]]:
        given = [word for parameter in parameters for word in ("-p", parameter)]
        rows: list[dict[str, Any]] = self.run("query", text, *given, "--format", "json").json()
        return rows

    def copy(self, dataset: str, name: str | None = None) -> Path:
        """A copy of a data set in this folder, to be changed at will."""
        target = self.folder / (name or dataset)
        shutil.copytree(ROOT / "datasets" / dataset, target)
        return target


@pytest.fixture
def site(tmp_path: Path) -> Site:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIRENE")},
        "PYTHONPATH": str(ROOT),
        "PIRENE_STORE": str(tmp_path / ".pirene"),
        "PIRENE_DEBUG": "1",
        "PYTHONWARNINGS": "error",
    }
    return Site(tmp_path, environment)


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes an executable Python script below the site's folder."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable} -S\n{text}")
        path.chmod(0o755)
        return path

    return make
