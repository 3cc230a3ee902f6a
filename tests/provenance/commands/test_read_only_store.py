"""A store that nobody may write to: what reads works and has nothing to complain of, what writes says why it cannot."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

READING = (
    "store info",
    "store check",
    "store commits",
    "query files",
    "fields files",
    "meta list files",
    "sql --schema",
)
WRITING = ("meta set files k=v", "files retire files", "store erase files --reason x --yes")


@pytest.fixture
def read_only(runs: Any, tmp_path: Path) -> Iterator[Path]:
    """The store of `runs`, in a folder that is mounted read-only: that holds for root as well."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    subprocess.run(["mount", "--bind", runs.store.root, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_store_is_read_and_refuses_the_rest(
    read_only: Path, pirene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(command: str) -> subprocess.CompletedProcess[str]:
        arguments = [str(pirene), "--store", str(read_only), *command.split()]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    for command in READING:
        ended = run(command)
        assert (ended.returncode, ended.stderr) == (0, ""), command
    assert "(format 1, read-only)" in run("store info").stdout
    for command in WRITING:
        ended = run(command)
        said, *hint = ended.stderr.splitlines()
        assert (ended.returncode, ended.stdout) == (2, ""), command
        assert said.startswith("pirene: ")
        assert said.endswith("Read-only file system")
        assert len(hint) == 1
