"""docs/ducklake.md is typed as it stands: its commands in a shell, its SQL in DuckDB with the real extension."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = ("one.txt", "two.txt", "three.txt", "four.txt")


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs" / "ducklake.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


def statements(block: str) -> list[str]:
    """The statements of a block. Extensions come from PyPI here, where INSTALL would fetch them."""
    return [one.strip() for one in block.split(";") if one.strip() and not one.strip().startswith("INSTALL ")]


@pytest.fixture
def environment(pirene: Path, postgresql: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Ada's, whose server is that of the tests."""
    path = f"{pirene.parent}:{postgresql.binaries}:{os.environ['PATH']}"
    for name, value in {"PATH": path, "PGHOST": str(postgresql.folder), "PGUSER": "ada"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIRENE_STORE", raising=False)
    return dict(os.environ)


@pytest.fixture
def folder(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A folder with a store of two commits."""
    for name in FILES:
        (tmp_path / name).write_text(name)
    for names in (FILES[:1], FILES[1:]):
        subprocess.run(
            ["pirene", "files", "add", *names, "-m", "project=page"], cwd=tmp_path, env=environment, check=True
        )
    return tmp_path


def test_the_page_as_it_stands(
    folder: Path, environment: dict[str, str], postgresql: Any, ducklake: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    typed = "set -euo pipefail\n" + "\n".join(commands())
    done = subprocess.run(
        ["bash", "-c", typed], cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "schema co2: made, 2 commits" in done.stderr
    assert "schema co2: 0 commits added" in done.stderr
    printed = [line for line in done.stdout.splitlines() if line.startswith("ATTACH")]

    attach, use, *asked = statements(blocks("sql")[0]) + statements(blocks("sql")[1])
    assert use == "USE lake"
    files, keys, snapshots, before, since = ducklake([attach], [(sql, []) for sql in asked], folder)
    assert files == [("four.txt", 8), ("one.txt", 7), ("three.txt", 9)]
    assert ("project", 4) in keys
    assert [(number, message) for number, _, _, message in snapshots] == [(0, None), (1, "register"), (2, "register")]
    assert before == [(1,)]
    assert since == [("four.txt",), ("three.txt",), ("two.txt",)]
    # The line that is printed needs no folder.
    assert ducklake([printed[0]], [("SELECT count(*) FROM lake.files", [])], Path("/")) == [[(4,)]]

    postgresql.psql("CREATE ROLE bob LOGIN IN ROLE readers", "provenance")
    monkeypatch.setenv("PGUSER", "bob")
    attach, *asked = statements(blocks("sql")[2])
    assert ducklake([attach], [(sql, []) for sql in asked], Path("/")) == [[(4,)]]
    assert ducklake([printed[1]], [("SELECT count(*) FROM lake.files", [])], Path("/")) == [[(4,)]]
    assert len(blocks("sql")) == 3
