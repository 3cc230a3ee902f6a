"""The command: run exactly as given; its streams captured whatever it writes; what it says of itself is kept."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import Any

import pytest

SHOW = "import sys, os, json; sys.stdout.write(json.dumps([os.fsencode(a).hex() for a in sys.argv[1:]]))"
PYTHON = [sys.executable, "-I", "-S", "-c"]


def test_arguments_arrive_exactly(bench: Any) -> None:
    given = [
        "$HOME",
        "`id`",
        "a\\b",
        "a\\\\b",
        "",
        " ",
        "a  b",
        "*",
        "~",
        "'",
        '"',
        "\n",
        "\t",
        "-",
        "--",
        "caf\u00e9",
        "\udcff\udc80x",
    ]
    status, record = bench.run([*PYTHON, SHOW, *given])
    assert status == 0
    arrived = [bytes.fromhex(text) for text in json.loads(record["stdout"]["text"])]
    assert arrived == [text.encode("utf-8", "surrogateescape") for text in given]
    assert record["argument_vector"] == [*PYTHON, SHOW, *given]


def test_the_environment_is_the_wrappers_with_what_is_set(bench: Any) -> None:
    changes = {"environment": {"set": {"A": "$B \n=", "N": "\udcff"}, "clear": False, "record": ["A", "N", "NOT_SET"]}}
    status, record = bench.run(["/usr/bin/env", "-0"], **changes)
    assert status == 0
    raw = base64.b64decode(record["stdout"]["base64"])
    seen = dict(entry.split(b"=", 1) for entry in raw.rstrip(b"\0").split(b"\0"))
    assert seen[b"A"] == b"$B \n=" and seen[b"N"] == b"\xff"
    assert seen[b"PATH"] == os.environb[b"PATH"]
    assert record["environment"] == {"A": "$B \n=", "N": "\udcff"}


def test_a_cleared_environment_holds_only_what_is_set(bench: Any) -> None:
    changes = {"environment": {"set": {"A": "1"}, "clear": True, "record": ["PATH"]}, "metadata_file": "m"}
    _, record = bench.run(["env"], **changes)
    path = f"{bench.work}/m"
    assert sorted(record["stdout"]["text"].splitlines()) == [
        "A=1",
        f"KICKSTART_METADATA={path}",
        f"PIRENE_METADATA={path}",
    ]
    assert record["environment"] == {}


def test_undeclared_environment_never_enters_the_record(bench: Any) -> None:
    bench.run(["/bin/true"], environment={"set": {"TOKEN": "hunter2-secret"}, "clear": False, "record": []})
    assert b"hunter2" not in bench.record_path.read_bytes()


def test_the_locale_that_python_gives_itself_is_not_the_commands(bench: Any) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LC_") and name != "LANG"}
    process = bench.start_described(bench.describe(["env"]), env={**environment, "LANG": "C"})
    process.communicate()
    assert "LC_CTYPE" not in bench.record["stdout"]["text"]


def test_a_program_is_looked_up_along_the_commands_own_path(bench: Any) -> None:
    tool = bench.file("bin/tool", b"#!/bin/sh\necho found $0\n")
    tool.chmod(0o755)
    bench.file("first/tool", b"not executable")
    path = f"{bench.folder}/none:{bench.folder}/first:{bench.folder}/bin"
    status, record = bench.run(["tool"], environment={"set": {"PATH": path}, "clear": True, "record": []})
    assert status == 0
    assert record["executable"] == str(tool)
    assert record["argument_vector"] == ["tool"]


def test_a_relative_program_is_taken_from_the_work_folder(bench: Any) -> None:
    bench.work.mkdir()
    (bench.work / "tool").write_bytes(b'#!/bin/sh\necho "$0"\n')
    (bench.work / "tool").chmod(0o755)
    status, record = bench.run(["./tool"])
    assert status == 0
    assert record["stdout"]["text"] == "./tool\n"
    assert record["executable"] == f"{bench.work}/./tool"


def test_standard_input(bench: Any) -> None:
    bench.work.mkdir()
    (bench.work / "in").write_bytes(b"from a file")
    assert bench.run(["cat"], stdin="in")[1]["stdout"]["text"] == "from a file"
    bench.record_path.unlink()
    assert bench.run(["cat"])[1]["stdout"] == {"size": 0, "text": ""}
    bench.record_path.unlink()
    status, record = bench.run(["cat"], stdin="absent")
    assert status == 1
    assert "as stdin: No such file or directory" in record["failure"] and record["duration"] is None


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("has_other_end", [False, True])
def test_a_named_pipe_is_no_stream_and_nobody_waits_at_it(bench: Any, stream: str, has_other_end: bool) -> None:
    steps = {"setup": ["/bin/sh", "-c", "mkfifo ff"]}
    if has_other_end:
        bench.work.mkdir()
        os.mkfifo(bench.work / "ff")
        end = os.open(bench.work / "ff", os.O_RDWR)
        steps = {}
    try:
        status, record = bench.sh("touch ran", steps=steps, **{stream: "ff"})
    finally:
        if has_other_end:
            os.close(end)
    assert (status, record["duration"]) == (1, None)
    said = f"as {stream}: it is a named pipe; expected a regular file or a device"
    assert record["failure"] == f"cannot open '{bench.work}/ff' {said}"
    assert not (bench.work / "ran").exists()


def test_files_as_streams_are_blocking(bench: Any) -> None:
    bench.work.mkdir()
    (bench.work / "in").write_bytes(b"")
    program = "import os, sys; sys.exit(not all(map(os.get_blocking, range(3))))"
    streams = {"stdin": "in", "stdout": "out", "stderr": "error"}
    assert bench.run([sys.executable, "-c", program], **streams)[0] == 0


def test_streams_into_files(bench: Any) -> None:
    status, record = bench.sh(
        "echo out; echo err >&2", stdout="logs/o", stderr="logs/e", outputs=[bench.output("logs/o")]
    )
    assert status == 0
    assert (bench.work / "logs/o").read_text() == "out\n"
    assert record["stdout"] == {"size": 4, "text": "out\n"}
    assert record["stderr"] == {"size": 4, "text": "err\n"}
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"out\n")


def test_both_streams_into_one_file(bench: Any) -> None:
    _, record = bench.sh("echo one; echo two >&2; echo three", stdout="o", stderr="o")
    assert (bench.work / "o").read_text() == "one\ntwo\nthree\n"
    assert record["stdout"] == record["stderr"] == {"size": 14, "text": "one\ntwo\nthree\n"}


def test_a_stream_is_never_written_through_a_link(bench: Any) -> None:
    victim = bench.file("victim", b"precious")
    status, record = bench.sh("echo x", stage_in=[{"from": str(victim), "to": "o"}], stdout="o")
    assert status == 1 and "as stdout" in record["failure"]
    assert victim.read_bytes() == b"precious"


def test_megabytes_on_both_streams_at_once(bench: Any) -> None:
    program = (
        "import sys, os, threading\n"
        "def flood(fd, mark):\n"
        "    block = mark * 65536\n"
        "    for _ in range(320): os.write(fd, block)\n"
        "    os.write(fd, b'end')\n"
        "threads = [threading.Thread(target=flood, args=given) for given in ((1, b'o'), (2, b'e'))]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
    )
    status, record = bench.run([sys.executable, "-c", program], tail_bytes=1000)
    assert status == 0
    for name, mark in (("stdout", "o"), ("stderr", "e")):
        assert record[name] == {"size": 320 * 65536 + 3, "text": mark * 997 + "end"}


@pytest.mark.parametrize("limit", [0, 1, 5, 6, 7, 100])
def test_the_tail_is_the_end(bench: Any, limit: int) -> None:
    _, record = bench.sh("printf abcdef; printf 123456 >&2", tail_bytes=limit, stderr="e")
    assert record["stdout"] == {"size": 6, "text": "abcdef"[-limit:] if limit else ""}
    assert record["stderr"] == {"size": 6, "text": "123456"[-limit:] if limit else ""}


def test_a_tail_that_is_not_utf8_is_base64(bench: Any) -> None:
    _, record = bench.sh("printf 'a\\377b'")
    assert record["stdout"] == {"size": 3, "base64": base64.b64encode(b"a\xffb").decode()}


@pytest.mark.parametrize("limit", [5, 6, 7, 8])
def test_a_character_that_the_cut_goes_through_is_dropped(bench: Any, limit: int) -> None:
    _, record = bench.sh("printf '\\360\\237\\247\\254\\360\\237\\247\\254'", tail_bytes=limit)
    assert record["stdout"] == {"size": 8, "text": "\U0001f9ec" * (limit // 4)}


def test_the_commands_signals_are_as_any_program_expects_them(bench: Any) -> None:
    # Python ignores SIGPIPE for itself; a command that inherited that would go on writing into nothing.
    program = "import re; print(re.findall('Sig(?:Ign|Blk):\\t(\\\\w+)', open('/proc/self/status').read()))"
    plain = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True).stdout
    assert plain.startswith("['")
    assert bench.run([*PYTHON, program])[1]["stdout"]["text"] == plain


def test_a_signal_that_nohup_ignores_is_ignored_by_the_command_as_well(bench: Any) -> None:
    process = bench.start_described(
        bench.describe(["/bin/sh", "-c", "kill -HUP $$; echo alive"]),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN) and None,
    )
    process.communicate()
    assert bench.record["stdout"]["text"] == "alive\n"


def test_the_command_has_no_open_file_of_the_wrappers(bench: Any) -> None:
    _, record = bench.sh("ls -l /proc/$$/fd")
    listed = [line for line in record["stdout"]["text"].splitlines() if "->" in line]
    assert len(listed) == 3, listed


def test_a_wrapper_without_standard_streams(bench: Any) -> None:
    path = bench.folder / "job.json"
    path.write_text(json.dumps(bench.describe(["/bin/sh", "-c", "echo out; echo err >&2; cat"])))
    closed = (
        f"exec 0<&- 1>&- 2>&-; exec {sys.executable} -I -S {bench.wrapper} --job {path} --record {bench.record_path}"
    )
    assert subprocess.run(["/bin/sh", "-c", closed]).returncode == 0
    assert bench.record["stdout"]["text"] == "out\n" and bench.record["stderr"]["text"] == "err\n"


def test_passing_streams_through(bench: Any) -> None:
    description = bench.describe(["/bin/sh", "-c", "cat; echo err >&2"], passthrough=True, tail_bytes=4)
    process = bench.start_described(description, stdin=subprocess.PIPE)
    out, errors = process.communicate(b"typed by the user")
    assert (process.returncode, out, errors) == (0, b"typed by the user", b"err\n")
    assert bench.record["stdout"] == {"size": 17, "text": "user"}
    assert bench.record["stderr"] == {"size": 4, "text": "err\n"}


def test_a_reader_that_goes_away_ends_the_command_as_in_any_pipeline(bench: Any) -> None:
    process = bench.start_described(bench.describe(["yes"], passthrough=True))
    assert process.stdout is not None
    assert process.stdout.read(2) == b"y\n"
    process.stdout.close()
    process.wait(timeout=20)
    assert bench.record["signal"] == signal.SIGPIPE
    assert process.stderr is not None and process.stderr.read() == b""


def bytes_in(pipe: Any) -> int:
    """How much of what was written to a pipe nobody has read."""
    return int.from_bytes(fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_reader_that_pauses_gets_all_of_it(bench: Any) -> None:
    """Also what was written when it paused, by a command that has ended since."""
    script = "head -c 1000000 /dev/zero; seq 100000 >&2"
    process = bench.start_described(bench.describe(["/bin/sh", "-c", script], passthrough=True))
    assert process.stdout is not None
    bench.wait_until(lambda: bytes_in(process.stdout) == 65536, "the pipe is full")
    out, errors = process.communicate()
    assert (process.returncode, out) == (0, bytes(1_000_000))
    assert errors == b"".join(b"%d\n" % number for number in range(1, 100_001))
    assert bench.record["stdout"]["size"] == 1_000_000


def test_a_reader_that_has_stopped_does_not_hold_up_the_end_of_a_job_that_is_out_of_time(bench: Any) -> None:
    limits = {"walltime_seconds": 0.5, "grace_seconds": 0.2, "passthrough": True}
    process = bench.start_described(bench.describe(["yes"], **limits))
    process.wait(timeout=20)
    assert bench.record["exceeded"] == "walltime_seconds"
    assert process.stdout is not None and process.stdout.read(4) == b"y\ny\n"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """(The end that a person sees, that of programs): lines end with CR LF there."""
    seen, programs = pty.openpty()
    yield seen, programs
    os.close(seen)
    os.close(programs)


def test_a_terminal_that_shows_nothing_more_does_not_hold_up_the_end_of_a_job(
    bench: Any, terminal: tuple[int, int]
) -> None:
    """It says that it has room for something, and not for how much."""
    limits = {"walltime_seconds": 0.5, "grace_seconds": 0.2, "passthrough": True}
    process = bench.start_described(bench.describe(["yes"], **limits), stdout=terminal[1])
    process.wait(timeout=20)
    assert bench.record["exceeded"] == "walltime_seconds"
    assert os.read(terminal[0], 4) == b"y\r\ny"


def test_a_terminal_gets_all_of_it(bench: Any, terminal: tuple[int, int]) -> None:
    """Also more than it has room for, and it waits for its reader as it did before."""
    seen, programs = terminal
    process = bench.start_described(bench.describe(["seq", "50000"], passthrough=True), stdout=programs)
    expected = b"".join(b"%d\r\n" % number for number in range(1, 50_001))
    shown = b""
    while len(shown) < len(expected):
        shown += os.read(seen, 1 << 16)
    assert shown == expected
    assert process.wait(timeout=20) == 0
    assert os.get_blocking(programs)


@pytest.mark.parametrize("script", ["yes", "head -c 100000 /dev/zero"])
def test_a_reader_that_has_stopped_does_not_keep_the_wrapper_from_stopping(bench: Any, script: str) -> None:
    """While the command writes, and when it has ended and what it wrote is all that is left."""
    process = bench.start_described(bench.describe(["/bin/sh", "-c", script], passthrough=True, grace_seconds=0.2))
    bench.wait_until(lambda: bytes_in(process.stdout) == 65536, "the pipe is full")
    if script != "yes":
        bench.wait_until(lambda: bench.processes() == [], "the command has ended")
    process.terminate()
    process.wait(timeout=20)
    assert bench.record["interrupted"]


# ------------------------------------------------------------------------------------------------------ metadata


def test_what_the_job_says_of_itself(bench: Any) -> None:
    status, record = bench.sh('printf "seeing=0.7\\nnote=a=b" > "$PIRENE_METADATA"; exit 0', metadata_file="m")
    assert status == 0
    assert record["metadata"] == {"text": "seeing=0.7\nnote=a=b", "truncated": False}


def test_the_metadata_file_has_both_names_and_an_absolute_path(bench: Any) -> None:
    _, record = bench.sh('echo "$PIRENE_METADATA $KICKSTART_METADATA"', metadata_file="m")
    assert record["stdout"]["text"] == f"{bench.work}/m {bench.work}/m\n"
    assert record["metadata"] is None


def test_metadata_of_an_earlier_attempt_is_not_taken_for_this_ones(bench: Any) -> None:
    bench.work.mkdir()
    (bench.work / "m").write_text("old=1\n")
    _, record = bench.sh('echo new=2 >> "$PIRENE_METADATA"', metadata_file="m")
    assert record["metadata"]["text"] == "new=2\n"


def test_metadata_of_a_failed_command_is_kept(bench: Any) -> None:
    assert bench.sh('echo a=1 > "$PIRENE_METADATA"; exit 1', metadata_file="m")[1]["metadata"]["text"] == "a=1\n"


def test_metadata_that_is_not_utf8_comes_back_byte_for_byte(bench: Any) -> None:
    _, record = bench.sh("printf 'k=\\377' > m", metadata_file="m")
    assert record["metadata"]["text"].encode("utf-8", "surrogateescape") == b"k=\xff"


def test_metadata_is_cut_at_one_mebibyte_between_characters(bench: Any) -> None:
    program = "open('m', 'wb').write(b'x' + '\u00e9'.encode() * (1 << 20))"
    _, record = bench.run([sys.executable, "-c", program], metadata_file="m")
    assert record["metadata"]["truncated"] is True
    assert record["metadata"]["text"] == "x" + "\u00e9" * ((1 << 19) - 1)


@pytest.mark.parametrize("script", ["ln -s /etc/passwd m", "mkfifo m", "mkdir m"])
def test_metadata_that_is_no_regular_file_is_none(bench: Any, script: str) -> None:
    status, record = bench.sh(script, metadata_file="m")
    assert (status, record["metadata"]) == (0, None)
