"""Inputs in private: what the job reads then, what the record says of it, and what happens where it cannot be done."""

from __future__ import annotations

import _thread
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper.beneath import open_folder_beneath, walk_beneath
from integrity.wrapper.cores import each

ROOT = Path(__file__).parents[2]
DATA = b"instrument,value\n" * 1000
LEVELS = ("copy", "seal")
LARGE = 5 << 20  # of more than one such file it is worth a thread each


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def staged(bench: Any, data: bytes = DATA, **changes: Any) -> tuple[Path, dict[str, Any]]:
    """A file that is staged in as `sub/in`, and the keys of a description for it."""
    source = bench.file("archive/in.csv", data)
    entry = bench.input("sub/in", digest(DATA), len(DATA), url=source.as_uri(), **changes)
    return source, {"stage_in": [{"from": str(source), "to": "sub/in"}], "inputs": [entry]}


@pytest.mark.parametrize("level", LEVELS)
def test_the_job_reads_a_private_copy_and_the_record_describes_the_original(bench: Any, level: str) -> None:
    source, given = staged(bench)
    status, record = bench.sh("cat sub/in; readlink sub/in >&2", protection={"level": level}, **given)
    assert status == 0
    assert record["stdout"]["text"].encode() == DATA
    where = Path(record["stderr"]["text"].strip())
    assert where != source
    assert where.is_relative_to("/proc" if level == "seal" else bench.work / ".pirene-protected")
    (seen,) = record["inputs"]
    found = source.stat()
    assert (seen["protection"], seen["verdict"], seen["actual_sha256"]) == (level, "ok", digest(DATA))
    assert (seen["inode"], seen["ctime_ns"], seen["target"]) == (found.st_ino, found.st_ctime_ns, str(source))
    assert source.read_bytes() == DATA and record["changed_inputs"] == []


def test_nobody_writes_to_what_is_sealed_and_every_child_can_read_it(bench: Any) -> None:
    _, given = staged(bench)
    program = (
        "import subprocess, sys\n"
        "for mode in ('r+b', 'wb', 'ab'):\n"
        "    try:\n"
        "        with open('sub/in', mode) as file: file.write(b'x')\n"
        "    except OSError as error: print(error.strerror)\n"
        "sys.exit(subprocess.call(['/bin/sh', '-c', 'cat sub/in > out'], close_fds=True))\n"
    )
    status, record = bench.run(
        [sys.executable, "-I", "-c", program], protection={"level": "seal"}, outputs=[bench.output("out")], **given
    )
    assert record["stdout"]["text"].splitlines() == ["Operation not permitted"] * 3
    assert (bench.work / "out").read_bytes() == DATA
    assert status in (0, 1)  # trying may move the ctime of the sealed file: that is noticed, nothing came of it
    assert record["failure"] is None or "changed while the command ran" in record["failure"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("bad", "finding"), [(DATA[:-1], "truncated"), (DATA + b"x", "appended"), (b"X" + DATA[1:], "content-mismatch")]
)
def test_a_bad_original_is_refused_and_named(bench: Any, level: str, bad: bytes, finding: str) -> None:
    source, given = staged(bench, bad)
    status, record = bench.sh("echo ran > ran", protection={"level": level}, **given)
    assert status == 3 and not (bench.work / "ran").exists()
    (seen,) = record["inputs"]
    assert (seen["finding"], seen["protection"], seen["actual_sha256"]) == (finding, level, digest(bad))
    assert seen["url"] == source.as_uri() and seen["inode"] == source.stat().st_ino


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_missing_is_said_as_ever(bench: Any, level: str) -> None:
    source, given = staged(bench)
    source.unlink()
    status, record = bench.sh("exit 0", protection={"level": level}, **given)
    assert status == 3 and record["inputs"][0]["verdict"] == "missing"


@pytest.mark.parametrize("level", LEVELS)
def test_a_job_may_remove_its_link(bench: Any, level: str) -> None:
    _, given = staged(bench)
    status, record = bench.sh("rm sub/in", protection={"level": level}, **given)
    assert (status, record["failure"]) == (0, None)


def test_a_private_copy_that_the_job_alters_is_no_news_of_the_original(bench: Any) -> None:
    source, given = staged(bench)
    status, record = bench.sh("chmod u+w sub/in; echo more >> sub/in", protection={"level": "copy"}, **given)
    assert status == 1 and source.read_bytes() == DATA
    (changed,) = record["changed_inputs"]
    assert (changed["finding"], changed["url"], changed["protection"]) == ("appended", None, "copy")


def test_a_folder_and_what_is_too_large_for_memory_are_copied(bench: Any) -> None:
    folder = bench.folder / "archive" / "tree"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a" / "b" / "x").write_bytes(DATA)
    large = bench.file("archive/large", b"")
    os.truncate(large, (64 << 20) + 1)
    status, record = bench.sh(
        "cat tree/a/b/x; ls tree; stat -L -c %s large >&2",
        protection={"level": "seal"},
        stage_in=[{"from": str(folder), "to": "tree"}, {"from": str(large), "to": "large"}],
        inputs=[bench.input("tree"), bench.input("large")],
    )
    assert status == 0, record["failure"]
    assert [seen["protection"] for seen in record["inputs"]] == ["copy", "copy"]
    assert record["stdout"]["text"].encode() == DATA + b"a\nempty\n"
    assert record["stderr"]["text"] == f"{(64 << 20) + 1}\n"
    expected = hashlib.sha256(b"pirene-folder/1\0" + digest(DATA).encode() + b"  a/b/x\0" + b"-" * 64 + b"  empty/\0")
    assert record["inputs"][0]["actual_sha256"] == expected.hexdigest()


@pytest.mark.parametrize("level", LEVELS)
def test_all_that_is_told_to_read_an_input_reads_its_copy(bench: Any, level: str) -> None:
    """Arguments of the command and of every step after the verification, and standard input, under whatever path."""
    bench.work.mkdir()
    (bench.work / "in").write_bytes(b"good\n")
    (bench.work / "alias").symlink_to("in")
    status, record = bench.run(
        ["/bin/cat", "-", "in"],
        stdin="./alias",
        steps={
            "setup": ["/bin/cat", "in"],
            "pre": ["/bin/sh", "-c", "printf evil > in; cat $0", "in"],
            "post": ["/bin/cat", "in"],
            "cleanup": ["/bin/cat", "in"],
        },
        inputs=[bench.input("in", digest(b"good\n"), 5)],
        protection={"level": level, "arguments": True},
    )
    assert (status, record["failure"]) == (0, None)
    assert record["stdout"]["text"] == "good\n" * 2
    steps = {step["step"]: step for step in record["steps"]}
    assert [steps[name]["stdout"]["text"] for name in ("setup", "pre", "post", "cleanup")] == ["good\n"] * 4
    assert steps["setup"]["argument_vector"] == ["/bin/cat", "in"]
    assert (bench.work / "in").read_bytes() == b"evil"


def test_an_input_that_is_standard_input_alone_is_private(bench: Any) -> None:
    entry = bench.input(bench.file("in", DATA), digest(DATA), len(DATA))
    status, record = bench.run(
        ["/bin/sh", "-c", "readlink /proc/self/fd/0; cat > out"],
        stdin=entry["path"],
        inputs=[entry],
        outputs=[bench.output("out")],
        protection={"level": "copy", "arguments": True},
    )
    assert (status, record["inputs"][0]["protection"]) == (0, "copy")
    assert ".pirene-protected" in record["stdout"]["text"]
    assert record["outputs"][0]["sha256"] == digest(DATA)


@pytest.mark.parametrize("arguments", [True, False])
def test_what_is_not_staged_is_private_only_as_an_argument_of_its_own(bench: Any, arguments: bool) -> None:
    bench.work.mkdir()
    for name in ("in", "other"):
        (bench.work / name).write_bytes(DATA)
    program = 'echo "$1" "$2"; cat "$1"'
    status, record = bench.run(
        ["/bin/sh", "-c", program, "sh", "in", "--file=other"],
        protection={"level": "copy", "folder": str(bench.folder / "private"), "arguments": arguments},
        inputs=[bench.input("in"), bench.input("other")],
    )
    assert status == 0
    assert [seen["protection"] for seen in record["inputs"]] == ["copy" if arguments else "guard", "guard"]
    first, content = record["stdout"]["text"].split("\n", 1)
    assert content.encode() == DATA and first.endswith(" --file=other")
    assert first.startswith(str(bench.folder / "private")) == arguments


def test_other_roles_are_guarded(bench: Any) -> None:
    script = bench.file("tool", b"#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    entry = bench.input(script, role="executable")
    status, record = bench.run([str(script)], inputs=[entry], protection={"level": "seal", "arguments": True})
    assert status == 0 and record["inputs"][0]["protection"] == "guard"


def test_a_level_that_there_is_not_is_refused(bench: Any) -> None:
    status, said = bench.refused(bench.describe(["/bin/true"], protection={"level": "lock"}))
    assert status == 2 and "protection.level: expected any of guard, copy, seal, found 'lock'" in said


# --- How often files are read, and what is injected ------------------------------------------------------------------


def traced(bench: Any, level: str, *strace: str) -> str:
    """The calls that moved bytes of the original, of the attempt with a staged input."""
    source, given = staged(bench)
    (bench.folder / "job.json").write_text(
        json.dumps(bench.describe(["/bin/true"], protection={"level": level}, **given))
    )
    log = bench.folder / "strace.log"
    program = shutil.which("strace")
    assert program, "the test needs strace"
    command = [program, "-f", "-y", "-qq", "-o", str(log), "-e", "trace=read,readv,pread64,copy_file_range,ioctl"]
    wrapper = [sys.executable, "-I", "-S", str(bench.wrapper), "--job", "job.json", "--record", "record.json"]
    subprocess.run([*command, *strace, *wrapper], cwd=bench.folder, check=False, timeout=60)
    return "\n".join(line for line in log.read_text().splitlines() if f"<{source}>" in line)


@pytest.mark.parametrize("level", ["guard", *LEVELS])
def test_the_original_is_read_once(bench: Any, level: str) -> None:
    calls = traced(bench, level)
    assert bench.record["status"] == "succeeded"
    moved = [int(found) for found in re.findall(r"(?:read|readv|copy_file_range)\(.*\) = (\d+)$", calls, re.MULTILINE)]
    assert sum(moved) == len(DATA)


@pytest.mark.parametrize("level", LEVELS)
def test_without_help_of_the_kernel_bytes_are_copied_one_block_after_the_other(bench: Any, level: str) -> None:
    traced(bench, level, "-e", "inject=copy_file_range:error=ENOSYS")
    assert bench.record["status"] == "succeeded"
    assert bench.record["inputs"][0]["protection"] == level


@pytest.mark.parametrize("level", LEVELS)
def test_without_room_for_a_copy_the_job_does_not_start(bench: Any, level: str) -> None:
    traced(bench, level, "-e", "inject=copy_file_range:error=ENOSPC")
    assert bench.record["status"] == "failed" and bench.record["duration"] is None
    assert "cannot copy input 'in' in private: No space left on device" in bench.record["failure"]


# --- Beneath the work folder, and several cores ----------------------------------------------------------------------


def test_an_output_behind_a_link_is_refused(bench: Any) -> None:
    outside = bench.folder / "outside"
    outside.mkdir()
    status, record = bench.sh(
        f"ln -s {outside} door; echo x > door/out; mkdir -p a/b; echo y > a/b/out",
        outputs=[bench.output("door/out"), bench.output("a/b/out")],
    )
    assert status == 1
    behind, good = record["outputs"]
    assert (behind["verdict"], behind["sha256"]) == ("unreadable", None)
    assert behind["error"] == "a folder on the way to it is a symbolic link"
    assert good["sha256"] == digest(b"y\n")


@pytest.mark.parametrize("by", ["the kernel", "steps"])
def test_beneath_a_folder(tmp_path: Path, by: str) -> None:
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "root" / "a" / "link").symlink_to("b")
    (tmp_path / "root" / "a" / "file").touch()
    root = os.fsencode(tmp_path / "root")

    def opened(*names: bytes) -> str:
        start = os.open(root, os.O_RDONLY)
        folder = walk_beneath(start, list(names)) if by == "steps" else open_folder_beneath(root, list(names))
        try:
            return str(Path(f"/proc/self/fd/{folder}").readlink())
        finally:
            os.close(folder)
            os.close(start)

    assert opened(b"a", b"b") == str(tmp_path / "root" / "a" / "b")
    for names, error in (
        ((b"a", b"link"), OSError),
        ((b"a", b"file"), NotADirectoryError),
        ((b"no",), FileNotFoundError),
    ):
        with pytest.raises(error) as caught:
            opened(*names)
        assert ("symbolic link" in str(caught.value)) == (names[-1] == b"link")


def test_several_large_inputs_come_in_their_order(bench: Any) -> None:
    contents = [bytes([number]) * LARGE for number in range(4)]
    paths = [bench.file(f"archive/{number}", content) for number, content in enumerate(contents)]
    entries = [bench.input(path, digest(content)) for path, content in zip(paths, contents, strict=True)]
    paths[2].write_bytes(b"x" + contents[2][1:])
    status, record = bench.sh("exit 0", inputs=entries)
    assert status == 3
    assert [seen["actual_sha256"] for seen in record["inputs"]] == [digest(path.read_bytes()) for path in paths]
    assert [seen["verdict"] for seen in record["inputs"]] == ["ok", "ok", "mismatch", "ok"]


def test_what_goes_wrong_on_one_core_is_raised_when_all_have_ended() -> None:
    looked: list[int] = []

    def look(number: int) -> int:
        looked.append(number)
        if number in (1, 2):
            raise OSError(f"number {number}")
        return number

    with pytest.raises(OSError, match="number 1"):
        each(look, [LARGE] * 4)
    assert sorted(looked) == [0, 1, 2, 3]
    assert each(lambda number: number * 2, [LARGE, 1, LARGE]) == [0, 2, 4]


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


@pytest.mark.usefixtures("two_cores")
def test_where_there_is_no_room_for_a_thread_all_is_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    assert each(lambda number: number * 2, [LARGE, 1, LARGE]) == [0, 2, 4]


def test_the_first_to_import_threading_is_never_a_thread() -> None:
    """Before Python 3.9 it was taken for the main thread, and the process ended with an error on stderr."""
    script = (
        "import os, sys, _thread; os.sched_getaffinity = lambda pid: {0, 1}\n"
        "from integrity.wrapper.cores import each\n"
        f"looked = each(lambda number: _thread.get_ident(), [{LARGE}] * 2)\n"
        "print(_thread.get_ident() in looked, 'threading' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
