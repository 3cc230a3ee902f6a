"""Outputs: hashed once all processes have ended, also when the command failed; missing ones and links fail the job."""

from __future__ import annotations

import os
from typing import Any

import pytest


def test_outputs_are_hashed(bench: Any) -> None:
    names = ["a.txt", "deep/b.bin", "empty"]
    script = "printf abc > a.txt; mkdir deep; printf '\\377\\376' > deep/b.bin; : > empty"
    status, record = bench.sh(script, outputs=[bench.output(name) for name in names])
    assert status == 0
    seen = {entry["name"]: entry for entry in record["outputs"]}
    assert list(seen) == names
    # The digest of "abc" is the first example of FIPS 180-2, that of nothing is known to everybody.
    assert seen["a.txt"]["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert seen["empty"]["sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert seen["deep/b.bin"]["sha256"] == bench.digest_of(b"\xff\xfe")
    assert [entry["size"] for entry in record["outputs"]] == [3, 2, 0]
    found = (bench.work / "a.txt").stat()
    entry = seen["a.txt"]
    assert (entry["inode"], entry["device"]) == (found.st_ino, found.st_dev)
    assert (entry["mtime_ns"], entry["ctime_ns"]) == (found.st_mtime_ns, found.st_ctime_ns)
    assert (entry["verdict"], entry["finding"], entry["error"]) == ("ok", None, None)
    assert (entry["stage"], entry["kind"], entry["owner"]) == ("output", "file", (bench.work / "a.txt").owner())


def test_a_missing_output_fails_the_job(bench: Any) -> None:
    status, record = bench.sh("echo x > a", outputs=[bench.output("a"), bench.output("b")])
    assert status == 1
    assert (record["status"], record["exit_code"]) == ("failed", 0)
    assert record["failure"] == "output 'b': No such file or directory"
    assert [(entry["verdict"], entry["finding"]) for entry in record["outputs"]] == [
        ("ok", None),
        ("missing", "missing"),
    ]
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"x\n")


def test_a_missing_optional_output_does_not(bench: Any) -> None:
    status, record = bench.sh("exit 0", outputs=[bench.output("a", optional=True)])
    assert status == 0
    assert (record["outputs"][0]["verdict"], record["outputs"][0]["finding"]) == ("missing", None)


def test_outputs_of_a_failed_command_are_recorded_and_missing_ones_are_no_findings(bench: Any) -> None:
    status, record = bench.sh("echo x > a; exit 3", outputs=[bench.output("a"), bench.output("b")])
    assert status == 1
    assert record["failure"] == "the command exited with code 3"
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"x\n")
    assert (record["outputs"][1]["verdict"], record["outputs"][1]["finding"]) == ("missing", None)


@pytest.mark.parametrize("target", ["real", "/etc/hostname", "nowhere", "folder"])
def test_an_output_that_is_a_link_fails_the_job(bench: Any, target: str) -> None:
    status, record = bench.sh(f"echo x > real; mkdir folder; ln -s {target} out", outputs=[bench.output("out")])
    assert status == 1
    (entry,) = record["outputs"]
    assert (entry["verdict"], entry["finding"], entry["sha256"]) == ("unreadable", "unreadable", None)
    assert "symbolic link" in record["failure"]


def test_an_output_that_is_a_named_pipe_fails_the_job(bench: Any) -> None:
    status, record = bench.sh("mkfifo out", outputs=[bench.output("out")])
    assert status == 1
    assert "named pipe" in record["failure"]


def test_an_output_that_moves_while_it_is_hashed_fails_the_job(bench: Any) -> None:
    # Something that is no descendant of the job writes on: the wrapper cannot wait for it.
    import subprocess
    import sys

    bench.work.mkdir()
    out = bench.work / "out"
    writer = subprocess.Popen(
        [sys.executable, "-c", f"f = open({str(out)!r}, 'ab', buffering=0)\nwhile True: f.write(b'y')"]
    )
    try:
        bench.wait_until(lambda: out.exists() and out.stat().st_size > 0, "the writer started")
        status, record = bench.sh("head -c 67108864 /dev/zero >> out", outputs=[bench.output("out")])
    finally:
        writer.kill()
        writer.wait()
    assert status == 1
    (entry,) = record["outputs"]
    assert (entry["verdict"], entry["sha256"]) == ("unreadable", None)
    assert "it changed while it was read" in record["failure"]


def test_a_folder_as_output(bench: Any) -> None:
    script = "mkdir -p out/b/c out/e; printf 1 > out/b/x; printf 2 > out/b-; printf 3 > out/b/c/y"
    status, record = bench.sh(script, outputs=[bench.output("out")])
    assert status == 0
    lines = [
        (b"2", b"b-"),
        (b"3", b"b/c/y"),
        (b"1", b"b/x"),
    ]
    manifest = b"pirene-folder/1\0"
    manifest += b"".join(bench.digest_of(data).encode() + b"  " + name + b"\0" for data, name in lines)
    manifest += b"-" * 64 + b"  e/\0"
    (entry,) = record["outputs"]
    assert (entry["kind"], entry["size"], entry["sha256"]) == ("folder", 3, bench.digest_of(manifest))
    newest = max(os.lstat(path).st_ctime_ns for path in [bench.work / "out", *(bench.work / "out").rglob("*")])
    assert entry["ctime_ns"] == newest


def test_a_folder_with_a_link_in_it_is_no_output(bench: Any) -> None:
    status, record = bench.sh("mkdir out; ln -s /etc/passwd out/p", outputs=[bench.output("out")])
    assert status == 1
    assert record["failure"] == "output 'out': it holds 'p', which is a symbolic link"


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", "a'\"b", "-n", "caf\u00e9", "\U0001f9ec", "a\udcffb", "%s\\x", "$HOME", "#"]
)
def test_names_of_every_kind(bench: Any, name: str) -> None:
    program = "import sys, os; os.write(os.open(os.fsencode(sys.argv[1]), os.O_CREAT | os.O_WRONLY), b'x')"
    source = bench.folder / os.fsdecode(name.encode("utf-8", "surrogateescape"))
    source.write_bytes(b"in")
    import sys

    status, record = bench.run(
        [sys.executable, "-c", program, name],
        stage_in=[{"from": str(source), "to": "d/" + name}],
        inputs=[bench.input("d/" + name, bench.digest_of(b"in"), name=name)],
        outputs=[bench.output(name)],
    )
    assert status == 0, record["failure"]
    assert record["outputs"][0]["name"] == record["outputs"][0]["path"] == name
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"x")
    assert record["inputs"][0]["name"] == name
    assert record["argument_vector"][3] == name


@pytest.mark.parametrize("path", ["../out", "a/../../out", "{folder}/out", "/", ".", ".."])
@pytest.mark.parametrize("owned_by", ["work_dir", "deliver"])
def test_where_the_folder_is_the_jobs_own_its_outputs_lie_below_it(bench: Any, path: str, owned_by: str) -> None:
    path = path.format(folder=bench.folder)
    changes = {"work_dir": None, "deliver": "delivered"} if owned_by == "deliver" else {}
    outputs = [bench.output("in its place"), bench.output("out", path=path)]
    status, errors = bench.refused(bench.describe(["/bin/true"], outputs=outputs, **changes))
    assert status == 2
    assert f"outputs.path: expected a path below the work folder, which is the job's own, found {path!r}" in errors
    assert not bench.record_path.exists() and not bench.work.exists()


def test_where_it_is_not_they_may_be_anywhere(bench: Any) -> None:
    path = str(bench.folder / "out")
    status, record = bench.sh(f"echo x > {path}", outputs=[bench.output("out", path=path)], work_dir=None)
    assert (status, record["outputs"][0]["sha256"]) == (0, bench.digest_of(b"x\n"))


def test_outputs_are_delivered_under_their_positions(bench: Any) -> None:
    out = bench.folder / "out"
    out.mkdir()
    names = ["odd\nname, \udcff", "never made", "deep/folder", "changed"]
    uses = [
        bench.output(names[0]),
        bench.output(names[1], optional=True),
        bench.output(names[2]),
        bench.output(names[3], role="inout"),
    ]
    script = "printf a > \"$(printf 'odd\\nname, \\377')\"; mkdir -p deep/folder/empty; echo b > deep/folder/b; echo c > changed"
    status, record = bench.sh(script, outputs=uses, deliver="../out")
    assert status == 0, record["failure"]
    assert sorted(path.name for path in out.iterdir()) == ["0", "2", "3"]
    assert (out / "0").read_bytes() == b"a"
    assert sorted(path.name for path in (out / "2").iterdir()) == ["b", "empty"]
    digests = [entry["sha256"] for entry in record["outputs"]]
    assert digests[0] == bench.digest_of(b"a") and digests[1] is None and digests[3] == bench.digest_of(b"c\n")
    beside = bench.record_path.with_name(bench.record_path.name + ".sha256")
    assert beside.read_text() == bench.digest_of(bench.record_path.read_bytes()) + "\n"


def test_outputs_of_a_failed_command_are_delivered_too(bench: Any) -> None:
    (bench.folder / "out").mkdir()
    status, record = bench.sh("echo why > log; exit 3", outputs=[bench.output("log")], deliver="../out")
    assert (status, record["failure"]) == (1, "the command exited with code 3")
    assert (bench.folder / "out" / "0").read_text() == "why\n"


def test_an_output_that_cannot_be_delivered_fails_the_job(bench: Any) -> None:
    status, record = bench.sh("echo x > a", outputs=[bench.output("a")], deliver="../nowhere")
    assert status == 1
    assert record["failure"] == "output 'a' cannot be delivered: No such file or directory"
    assert (bench.work / "a").read_text() == "x\n"
