"""Tab in a shell: a real bash, and what zsh and fish are told."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def work(pirene: Path, tmp_path: Path) -> Path:
    """A folder with a store in which one file is raw."""
    (tmp_path / "a.txt").write_text("a\n")
    subprocess.run([pirene, "files", "add", "a.txt", "-m", "kind=raw"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def offered(pirene: Path, work: Path) -> Callable[..., list[str]]:
    """What a shell gets for a line, of which the last word is being written."""

    def run(shell: str, *words: str, cwd: Path = work) -> list[str]:
        current = {"fish": words[-1]}.get(shell, str(len(words)))
        environment = {"_PIRENE_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(["pirene", *words])}
        done = subprocess.run(
            [pirene], env={**os.environ, **environment, "COMP_CWORD": current}, cwd=cwd, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [line for line in done.stdout.splitlines() if line]

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("qu",), ["plain,query"]),
        (("fields", "f"), ["plain,files"]),
        (("query", "--exp"), ["plain,--explain"]),
        (
            ("query", "'files where s"),
            [f"plain,files where {name}" for name in ("stem", "size", "sha256", "status", "sites")],
        ),
        (
            ("query", "'files where verified is "),
            [f"plain,files where verified is {word}" for word in ("not", "missing", "present")],
        ),
        (("query", "'files where job.st"), ["plain,files where job.status", "plain,files where job.started"]),
        (
            ("query", "'files where origin = \""),
            ['plain,files where origin = "raw"', 'plain,files where origin = "produced"'],
        ),
        (("query", "'no query at all ("), []),
        (
            ("--store", "/nonexistent/store", "query", "'files where si"),
            ["plain,files where size", "plain,files where sites"],
        ),
        (("no-such-command", "x"), []),
    ],
)
def test_commands_entities_fields_keys_and_values(
    words: tuple[str, ...], expected: list[str], offered: Callable[..., list[str]]
) -> None:
    assert offered("bash", *words) == expected


def test_no_store_is_made_and_nothing_is_said(offered: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:  # fmt: skip
    empty = tmp_path_factory.mktemp("empty")
    expected = ["plain,files where size", "plain,files where sites"]
    assert offered("bash", "query", "'files where si", cwd=empty) == expected
    (empty / ".pirene").mkdir()
    (empty / ".pirene" / "store.json").write_text("nonsense")
    assert offered("bash", "query", "'files where si", cwd=empty) == expected
    assert [path.name for path in empty.rglob("*")] == [".pirene", "store.json"]


def test_what_zsh_and_fish_are_told(offered: Callable[..., list[str]]) -> None:
    assert "files where sites has" in offered("zsh", "query", "'files where sit")
    assert offered("zsh", "query", "'files where si") == [
        "plain", "files where size", "bytes; missing until known", "plain", "files where sites", "where good copies are",
    ]  # fmt: skip
    assert offered("fish", "query", "'files where si")[0] == "plain,files where size\tbytes; missing until known"


def test_a_key_and_a_value_of_the_store(offered: Callable[..., list[str]]) -> None:
    """The only one that fits comes with what can follow it: a shell would close the quotes behind it."""
    assert "plain,files where kind is" in offered("bash", "query", "'files where ki")
    assert "plain,files where kind is" in offered("bash", "meta", "list", "'files where ki")
    assert 'plain,files where kind = "raw" and' in offered("bash", "query", "'files where kind = \"r")


def test_tab_in_bash(pirene: Path, work: Path) -> None:
    """The word in quotes is completed in place, and the line runs."""
    source = subprocess.run(
        [pirene], env={**os.environ, "_PIRENE_COMPLETE": "bash_source"}, check=True, capture_output=True, text=True
    ).stdout
    (work / "rc").write_text(f"PS1='ready> '\nPATH={pirene.parent}:$PATH\n{source}\n")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(work)
        os.environ["TERM"] = "dumb"
        os.execvp("bash", ["bash", "--noprofile", "--rcfile", "rc", "-i"])
    try:
        _until(terminal, r"ready> ")
        os.write(terminal, b"pirene query 'files where ki\t")
        _until(terminal, r"where ki\x07?nd ")
        os.write(terminal, b'= "r\t')
        _until(terminal, r'= "r\x07?aw" ')
        os.write(terminal, b"' --format ndjson\r")
        assert '"name": "a.txt"' in _until(terminal, r'"name": "a.txt"')
    finally:
        os.write(terminal, b"\x03exit\r")
        os.close(terminal)
        os.waitpid(child, 0)


def _until(terminal: int, pattern: str) -> str:
    """What the terminal shows up to ``pattern``; the wait is as long as a loaded machine may need."""
    seen, end = "", time.monotonic() + 60
    while not re.search(pattern, seen):
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"waited for {pattern!r}, saw {seen!r}"
        seen += os.read(terminal, 4096).decode()
    return seen
