"""What somebody does to a file while a job runs: ``python attack.py act|undo ATTACK PATH``. A program of its own: it runs
as another user, or as part of the job.

Exit code 1: the system did not let it.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

GOOD = b"as it was when it was verified\n" * 200
BAD = b"as somebody would rather have it" * 200
BAD = BAD[: len(GOOD)]
ATTACKS = (
    "rename swap",
    "symlink swap",
    "rename swap and back",
    "symlink swap and back",
    "folder swap and back",
    "in-place write",
    "in-place write, times set back",
    "write and back",
    "write and back, times set back",
    "mmap write and back, times set back",
)


def replace(path: Path, *, link: bool) -> None:
    other = path.with_name("other")
    if link:
        path.with_name("target").write_bytes(BAD)
        other.symlink_to("target")
    else:
        other.write_bytes(BAD)
    other.rename(path)


def swap(path: Path, *, link: bool) -> None:
    path.rename(path.with_name("aside"))
    if link:
        path.with_name("target").write_bytes(BAD)
        path.symlink_to("target")
    else:
        path.write_bytes(BAD)


def write(path: Path, content: bytes, *, mapped: bool = False, keep_times: bool = False) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        if mapped:
            with mmap.mmap(file.fileno(), 0) as memory:
                memory[:] = content
        else:
            file.write(content)
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def act(attack: str, path: Path) -> None:
    match attack:
        case "rename swap" | "symlink swap":
            replace(path, link=attack.startswith("symlink"))
        case "rename swap and back" | "symlink swap and back":
            swap(path, link=attack.startswith("symlink"))
        case "folder swap and back":
            path.parent.rename(path.parent.with_name("aside"))
            path.parent.mkdir()
            path.write_bytes(BAD)
        case _:
            write(path, BAD, mapped="mmap" in attack, keep_times="times" in attack)


def undo(attack: str, path: Path) -> None:
    match attack:
        case "rename swap and back" | "symlink swap and back":
            path.with_name("aside").rename(path)
        case "folder swap and back":
            path.parent.rename(path.parent.with_name("other"))
            path.parent.with_name("aside").rename(path.parent)
        case _ if "write and back" in attack:
            write(path, GOOD, mapped="mmap" in attack, keep_times="times" in attack)


if __name__ == "__main__":
    try:
        {"act": act, "undo": undo}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
    except OSError:
        sys.exit(1)
