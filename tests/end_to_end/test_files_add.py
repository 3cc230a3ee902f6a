"""`pirene files add` as a process: interrupted, on a terminal and in a pipe, with names that hold anything."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

LARGE = 1 << 40
"""A sparse file of so many bytes takes no disk, and a quarter of an hour to read."""
PATIENCE_SECONDS = 60


def sparse(path: Path, size: int) -> Path:
    path.touch()
    os.truncate(path, size)
    return path


def is_open(pid: int, path: Path) -> bool:
    folder = Path(f"/proc/{pid}/fd")
    return any(os.path.realpath(entry) == str(path) for entry in folder.iterdir())


def on_a_terminal(argv: list[str], folder: Path, environment: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        data = b""
        while True:
            try:
                data += os.read(ours, 65536)
            except OSError:  # the last one to have the terminal open is gone
                break
        os.close(ours)
        assert process.wait(PATIENCE_SECONDS) == 0, data
    return data.decode()


def test_interrupted_nothing_is_registered_and_it_says_so(site: Any) -> None:
    (site.folder / "small").write_text("x")
    large = sparse(site.folder / "large", LARGE)
    process = site.start("files", "add", "small", "large")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_open(process.pid, large) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, out) == (130, "")
    assert err.split("\n") == ["nothing was registered", "", "pirene: interrupted", ""]
    assert site.run("query", "files", "--format", "json").json() == []


def test_a_terminal_sees_bytes_and_files_and_a_pipe_does_not(site: Any) -> None:
    for number in range(2):
        sparse(site.folder / f"f{number}", 1 << 30)
    said = on_a_terminal(site.argv("files", "add", "f0", "f1"), site.folder, dict(site.environment))
    assert "of 2.15 GB, " in said
    assert "2.15 GB of 2.15 GB, 2 of 2 files" in said
    assert "100%" in said
    again = site.run("files", "add", "f0", "f1")
    assert again.err == "0 new files, 2 known already\n"
    quiet = on_a_terminal([*site.argv("files", "add", "f0", "f1"), "-q"], site.folder, dict(site.environment))
    assert quiet == ""


@pytest.mark.parametrize("name", [b"caf\xe9", b"new\nline", b"\x1b[31m", b"-dash", b"*", b" "])
def test_any_name_that_a_file_can_have(site: Any, name: bytes) -> None:
    (site.folder / os.fsdecode(name)).write_text("x")
    done = site.run("files", "add", "--", f"./{os.fsdecode(name)}")
    assert done.err == "1 new file, 0 known already\n"
    assert site.run("verify", f"./{os.fsdecode(name)}").code == 0


def test_a_pipe_is_refused_and_not_waited_for(site: Any) -> None:
    os.mkfifo(site.folder / "pipe")
    done = site.run("files", "add", "pipe", code=2)
    assert done.err.startswith("pirene: pipe: a named pipe\n")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"path\na\0b\n", "t.csv:2: the path 'a\\x00b' holds a NUL, which no file name can"),
        (b"path\ncaf\xe9\n", "t.csv:2: not UTF-8: "),
        (b'path,n\n"a\nb",1\n', "a\\nb: No such file or directory (t.csv:3)"),
        (b"path\n\n", ""),
    ],
)
def test_names_in_a_table(site: Any, table: bytes, message: str) -> None:
    (site.folder / "t.csv").write_bytes(table)
    done = site.run("files", "add", "--table", "t.csv", code=2 if message else 0)
    first = done.err.splitlines()[0]
    assert message in first if message else first == "0 new files, 0 known already"
