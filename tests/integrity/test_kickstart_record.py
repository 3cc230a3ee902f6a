"""The record: its keys, what it says of the command's end; it is there in every case and never written over."""

from __future__ import annotations

import errno
import json
import os
import pwd
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper.errors import UnrecordedError
from integrity.wrapper.record_file import Draft

KICKSTART = Path(__file__).resolve().parents[2] / "integrity" / "kickstart.py"
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

KEYS = """
    schema run_id job id attempt transformation site reuse_key status failure interrupted start end duration exit_code
    signal pid user uid gid umask cwd hostname hostaddr machine wrapper argument_vector executable environment usage
    inputs changed_inputs outputs stdout stderr metadata steps exceeded checkpoint_signalled
"""
LOOK_KEYS = " kind mtime_ns ctime_ns inode device owner seconds at stage verdict finding error"
OUTPUT_KEYS = LOOK_KEYS + " name path role optional sha256 size"
INPUT_KEYS = OUTPUT_KEYS + " digest_origin url source file actual_sha256 actual_size protection target"
USAGE_KEYS = "utime stime maxrss minflt majflt nvcsw nivcsw inblock outblock"


def test_the_key_sets_are_pinned(bench: Any) -> None:
    source = bench.file("in.txt", b"x")
    status, record = bench.sh("echo y > out", inputs=[bench.input(source)], outputs=[bench.output("out")])
    assert status == 0
    assert set(record) == set(KEYS.split())
    assert set(record["inputs"][0]) == set(INPUT_KEYS.split())
    assert set(record["outputs"][0]) == set(OUTPUT_KEYS.split())
    assert set(record["usage"]) == set(USAGE_KEYS.split())
    assert set(record["machine"]) == {"uname", "page_size", "ram_total", "cpu_count"}
    assert set(record["machine"]["uname"]) == {"system", "nodename", "release", "version", "machine"}
    assert set(record["wrapper"]) == {"version", "python", "sha256", "archive_sha256"}


def test_a_success_and_what_is_copied_from_the_description(bench: Any) -> None:
    status, record = bench.sh("exit 0")
    assert status == 0
    assert (record["status"], record["failure"], record["interrupted"]) == ("succeeded", None, False)
    assert (record["exit_code"], record["signal"]) == (0, None)
    assert record["schema"] == "pirene.invocation/1"
    assert (record["run_id"], record["job"]) == ("0193563c-0f2e-7000-8000-000000000001", 7)
    assert (record["id"], record["attempt"], record["site"]) == ("isr-0007", 2, "local")
    assert record["transformation"] == {"namespace": "lsst", "name": "isr", "version": "1.10"}
    assert record["reuse_key"] == "ab" * 32
    assert TIME.fullmatch(record["start"]) and TIME.fullmatch(record["end"]) and record["start"] <= record["end"]
    assert 0 < record["duration"] < 5
    assert record["argument_vector"] == ["/bin/sh", "-c", "exit 0"]
    assert record["executable"] == "/bin/sh"
    assert record["cwd"] == str(bench.work)


def test_who_and_where(bench: Any) -> None:
    process = bench.start(["/bin/true"])
    process.communicate()
    record = bench.record
    assert record["pid"] == process.pid
    assert (record["uid"], record["gid"]) == (os.getuid(), os.getgid())
    assert record["user"] == pwd.getpwuid(os.getuid()).pw_name
    assert record["hostname"] == os.uname().nodename
    assert record["hostaddr"] is None or re.fullmatch(r"\d+(\.\d+){3}", record["hostaddr"])
    assert record["machine"]["uname"]["release"] == os.uname().release
    assert record["machine"]["ram_total"] > 1 << 26
    assert re.fullmatch("[0-9a-f]{64}", record["wrapper"]["sha256"])  # of what: test_kickstart_file.py
    assert record["wrapper"]["python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize("code", [1, 2, 3, 100, 255])
def test_an_exit_code(bench: Any, code: int) -> None:
    status, record = bench.sh(f"exit {code}")
    assert status == 1
    assert (record["status"], record["exit_code"], record["signal"]) == ("failed", code, None)
    assert record["failure"] == f"the command exited with code {code}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE, signal.SIGTERM, 40])
def test_a_signal_of_its_own(bench: Any, number: int) -> None:
    status, record = bench.sh(f"kill -{int(number)} $$")
    assert status == 1
    assert (record["status"], record["exit_code"], record["signal"]) == ("failed", None, number)
    assert record["interrupted"] is False
    name = "signal 40" if number == 40 else signal.Signals(number).name
    assert record["failure"] == f"the command was ended by {name}"


def test_usage_counts_the_command_and_all_of_its_descendants(bench: Any) -> None:
    burn = "import time\nend = time.process_time() + 0.15\nwhile time.process_time() < end: pass\n"
    bench.file("burn.py", burn.encode())
    hold = f"{sys.executable} -I -S {bench.folder}/burn.py"
    # One child that is waited for, and one that outlives the command.
    status, record = bench.sh(f"{hold}; setsid {hold} & exit 0")
    assert status == 0
    assert 0.29 < record["usage"]["utime"] + record["usage"]["stime"] < 3
    assert record["usage"]["maxrss"] > 1 << 20
    assert record["usage"]["minflt"] > 100


def test_maxrss_is_bytes(bench: Any) -> None:
    _, record = bench.run([sys.executable, "-I", "-S", "-c", "data = b'x' * (100 << 20)"])
    assert 100 << 20 < record["usage"]["maxrss"] < 200 << 20


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["/no/such/program"], 127, "there is no such file"),
        (["no-such-program-anywhere"], 127, "no such program along PATH"),
        (["{folder}/data"], 126, "not executable"),
        (["{folder}"], 126, "folder"),
        (["{folder}/bare"], 126, "#!"),
        (["{folder}/lost"], 126, "interpreter"),
        (["/bin/true", "x" * 200_000], 126, "Argument list too long"),
    ],
)
def test_what_cannot_be_run_is_a_failed_attempt(bench: Any, argv: list[str], code: int, words: str) -> None:
    bench.file("data", b"no program")
    bench.file("bare", b"echo no first line\n").chmod(0o755)
    bench.file("lost", b"#!/no/such/interpreter\n").chmod(0o755)
    status, record = bench.run([argument.format(folder=bench.folder) for argument in argv])
    assert status == 1
    assert (record["status"], record["exit_code"], record["signal"]) == ("failed", code, None)
    assert words in record["failure"]
    assert record["duration"] is None
    assert record["usage"] is None
    assert record["outputs"] == []


def test_a_record_is_never_written_over_and_nothing_runs_twice(bench: Any) -> None:
    bench.sh("echo once >> log")
    before = bench.record_path.read_bytes()
    status, said = bench.refused(bench.describe(["/bin/sh", "-c", "echo twice >> log"]))
    assert status == 4
    assert "this attempt was made" in said
    assert bench.record_path.read_bytes() == before
    assert (bench.work / "log").read_text() == "once\n"


def test_nothing_but_the_record_is_left(bench: Any) -> None:
    bench.sh("exit 1")
    assert sorted(path.name for path in bench.folder.iterdir()) == ["job.json", "record.json", "work"]


def test_the_record_is_one_line_of_ascii_json(bench: Any) -> None:
    bench.sh("printf 'caf\\303\\251'")
    data = bench.record_path.read_bytes()
    assert data.endswith(b"}\n") and data.count(b"\n") == 1
    assert data.isascii()
    assert json.loads(data)["stdout"] == {"size": 5, "text": "café"}


def test_a_relative_record_and_a_description_on_standard_input(bench: Any) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(KICKSTART), "--record", "r.json", "--job", "-"],
        input=json.dumps(bench.describe(["/bin/pwd"], work_dir=None)).encode(),
        cwd=bench.folder,
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    record = json.loads((bench.folder / "r.json").read_bytes())
    assert record["stdout"]["text"] == f"{bench.folder}\n"
    assert record["cwd"] == str(bench.folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "pirene.job/2"}, "schema"),
        ({"run_id": None}, "run_id"),
        ({"job": True}, "job"),
        ({"attempt": "1"}, "attempt"),
        ({"work_dir": "relative"}, "work_dir"),
        ({"argv": []}, "argv"),
        ({"argv": ["/bin/true", 5]}, "argv"),
        ({"argv": ["/bin/true", "a\0b"]}, "argv"),
        ({"argv": ["/bin/true", "\ud800"]}, "argv"),
        ({"environment": {"set": {"A=B": "c"}}}, "environment"),
        ({"environment": {"set": {"A": 1}}}, "environment"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": [{"name": "a", "path": "a", "role": "output"}]}, "role"),
        ({"inputs": [{"name": "a", "path": "a", "role": "input", "sha256": "AB"}]}, "sha256"),
        ({"inputs": [{"name": "a", "path": "a", "role": "input", "size": "12"}]}, "size"),
        ({"inputs": [{"name": "a", "path": "", "role": "input"}]}, "path"),
        ({"outputs": [{"name": "a", "path": "a", "role": "input"}]}, "role"),
        ({"outputs": [{"name": "a", "path": "a", "role": "output", "optional": "no"}]}, "optional"),
        ({"stage_in": [{"from": "relative", "to": "a"}]}, "stage_in"),
        ({"stage_in": [{"from": "/a", "to": "../a"}]}, "stage_in"),
        ({"stage_in": [{"from": "/a", "to": "b/../../a"}]}, "stage_in"),
        ({"stage_in": [{"from": "/a", "to": "/tmp/a"}]}, "stage_in"),
        ({"stage_in": [{"from": "/a", "to": "."}]}, "stage_in"),
        ({"stdout": ""}, "stdout"),
        ({"tail_bytes": "1"}, "tail_bytes"),
        ({"transformation": {"name": float("nan")}}, "name"),
    ],
)
def test_an_unusable_description_touches_nothing(bench: Any, changes: dict[str, Any], words: str) -> None:
    status, said = bench.refused(bench.describe(["/bin/sh", "-c", "echo ran > ran"]) | changes)
    assert status == 2
    assert "unusable job description" in said and words in said
    assert not bench.record_path.exists()
    assert not bench.work.exists()


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_unusable(bench: Any, text: bytes) -> None:
    import subprocess

    path = bench.file("job.json", text)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(KICKSTART), "--job", str(path), "--record", str(bench.record_path)],
        capture_output=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"kickstart: ") and done.stderr.count(b"\n") == 1
    assert not bench.record_path.exists()


@pytest.mark.parametrize(
    "arguments", [[], ["--job", "a"], ["--job", "a", "--record"], ["--job", "a", "--job", "b"], ["-h"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    import subprocess

    done = subprocess.run([sys.executable, "-I", "-S", str(KICKSTART), *arguments], capture_output=True)
    assert done.returncode == 2
    assert b"usage: kickstart.py --job FILE|- --record FILE" in done.stderr


def test_unknown_keys_are_ignored(bench: Any) -> None:
    status, record = bench.run(["/bin/true"], from_the_future={"a": 1})
    assert status == 0
    assert set(record) == set(KEYS.split())


def test_a_bug_of_ours_is_recorded_and_leaves_no_process(bench: Any) -> None:
    import subprocess

    program = (
        f"import sys; sys.path.insert(0, {str(KICKSTART.parents[1])!r}); import json\n"
        "from integrity.wrapper import attempt, run\n"
        "attempt.hash_output = lambda *given: 1 / 0\n"
        f"description = json.load(open({str(bench.folder / 'job.json')!r}))\n"
        f"sys.exit(run.run_attempt(description, {str(bench.record_path)!r}))\n"
    )
    description = bench.describe(["/bin/sh", "-c", "echo x > out"], outputs=[bench.output("out")])
    bench.file("job.json", json.dumps(description).encode())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == 1, done.stderr
    assert bench.record["status"] == "failed"
    assert bench.record["failure"] == "a bug in the wrapper: ZeroDivisionError: division by zero"
    assert bench.processes() == []


def test_space_for_the_record_is_reserved_before_the_command_starts(bench: Any) -> None:
    status, record = bench.sh("stat -c '%s %b' ../record.json.tmp")
    assert status == 0
    size, blocks = map(int, record["stdout"]["text"].split())
    assert size == 1 << 18 and blocks * 512 >= size
    assert bench.record_path.read_bytes().endswith(b"}\n")
    assert sorted(path.name for path in bench.folder.iterdir()) == ["job.json", "record.json", "work"]


def test_no_command_starts_where_no_record_can_be_written(bench: Any) -> None:
    Path(f"{bench.record_path}.tmp").mkdir(parents=True)
    status, said = bench.refused(bench.describe(["/bin/sh", "-c", "echo > started"]))
    assert status == 4
    assert said == f"kickstart: cannot write '{bench.record_path}': Is a directory\n"
    assert not bench.work.exists() and not Path(f"{bench.record_path}.lock").exists()


def test_on_a_full_disk_no_command_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(UnrecordedError, match="No space left on device"):
        Draft(os.fsencode(tmp_path / "record.json"))
    assert list(tmp_path.iterdir()) == []


ALTERED_AT_ONCE = """
import json, os, sys
from integrity.wrapper import record_file
from integrity.wrapper.run import run_attempt

class Altering:
    # The module os, by which a record has other bytes as soon as it has its name.
    def __getattr__(self, name):
        return getattr(os, name)
    def link(self, path, name):
        os.link(path, name)
        with open(name, "r+b") as file:
            file.write(b"[")

record_file.os = Altering()
sys.exit(run_attempt(json.load(sys.stdin), sys.argv[1]))
"""


def test_the_digest_beside_a_record_is_that_of_what_was_written(bench: Any) -> None:
    """Not of what is read back: a bit that flips on the disk at once would be vouched for."""
    (bench.folder / "out").mkdir()
    subprocess.run(
        [sys.executable, "-c", ALTERED_AT_ONCE, str(bench.record_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        input=json.dumps(bench.describe(["/bin/true"], deliver=str(bench.folder / "out"))),
        text=True,
        check=True,
    )
    found = bench.record_path.read_bytes()
    stated = Path(f"{bench.record_path}.sha256").read_text().strip()
    assert found[:1] == b"["
    assert stated == bench.digest_of(b"{" + found[1:])
