"""Inputs: what the job reads is what was verified, or the job does not start, or it does not succeed."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper.content import read_content
from integrity.wrapper.errors import UnreadableError

DATA = b"instrument,value\n" * 1000


@pytest.fixture
def expected(bench: Any, tmp_path: Path) -> tuple[str, int]:
    """The digest of DATA, by coreutils, and its size."""
    good = tmp_path / "good"
    good.write_bytes(DATA)
    said = subprocess.run(["sha256sum", str(good)], capture_output=True, text=True, check=True).stdout
    return said.split()[0], len(DATA)


def refused(bench: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """Run a command that would leave a trace; it must not have started. Returns the input's entry of the record."""
    status, record = bench.sh("echo ran > ran", inputs=[entry], outputs=[bench.output("ran")])
    assert status == 3
    assert record["status"] == "integrity_failed"
    assert not (bench.work / "ran").exists()
    assert record["duration"] is None and record["exit_code"] is None and record["usage"] is None
    assert record["outputs"] == [] and record["changed_inputs"] == []
    (seen,) = record["inputs"]
    assert seen["finding"] in record["failure"] and repr(seen["name"]) in record["failure"]
    return dict(seen)


def test_a_good_input(bench: Any, expected: tuple[str, int]) -> None:
    path = bench.file("in.csv", DATA)
    status, record = bench.sh("exit 0", inputs=[bench.input(path, *expected)])
    assert status == 0
    (seen,) = record["inputs"]
    assert (seen["verdict"], seen["finding"], seen["error"]) == ("ok", None, None)
    assert (seen["sha256"], seen["actual_sha256"]) == (expected[0], expected[0])
    assert (seen["size"], seen["actual_size"]) == (len(DATA), len(DATA))
    assert (seen["stage"], seen["protection"], seen["kind"]) == ("pre-exec", "guard", "file")
    assert (seen["digest_origin"], seen["source"], seen["file"]) == ("declared", -5, 12)
    found = path.stat()
    assert (seen["inode"], seen["device"]) == (found.st_ino, found.st_dev)
    assert (seen["mtime_ns"], seen["ctime_ns"]) == (found.st_mtime_ns, found.st_ctime_ns)
    assert seen["target"] == str(path)
    assert seen["owner"] == path.owner()


def test_first_sight_is_hashed_and_ok(bench: Any, expected: tuple[str, int]) -> None:
    status, record = bench.sh("exit 0", inputs=[bench.input(bench.file("in.csv", DATA))])
    assert status == 0
    (seen,) = record["inputs"]
    assert (seen["verdict"], seen["sha256"], seen["actual_sha256"]) == ("ok", None, expected[0])


def test_one_flipped_bit(bench: Any, expected: tuple[str, int]) -> None:
    for position in (0, 8191, len(DATA) - 1):
        bad = bytearray(DATA)
        bad[position] ^= 0x10
        seen = refused(bench, bench.input(bench.file("in.csv", bytes(bad)), *expected))
        assert (seen["verdict"], seen["finding"]) == ("mismatch", "content-mismatch")
        assert seen["actual_sha256"] == bench.digest_of(bytes(bad))
        bench.record_path.unlink()


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (DATA[:-1], "truncated"),
        (DATA[:4096], "truncated"),
        (b"", "truncated"),
        (DATA + b"\n", "appended"),
        (DATA + DATA, "appended"),
        (DATA + bytes(1 << 20), "appended"),
        (b"X" + DATA, "content-mismatch"),
        (DATA[:-1] + b"x" + DATA, "content-mismatch"),
        (bytes(len(DATA)), "content-mismatch"),
    ],
)
def test_the_class_of_a_mismatch(bench: Any, expected: tuple[str, int], bad: bytes, finding: str) -> None:
    seen = refused(bench, bench.input(bench.file("in.csv", bad), *expected))
    assert (seen["verdict"], seen["finding"]) == ("mismatch", finding)
    assert (seen["actual_sha256"], seen["actual_size"]) == (bench.digest_of(bad), len(bad))


def test_without_an_expected_size_only_an_empty_file_is_known_to_be_truncated(
    bench: Any, expected: tuple[str, int]
) -> None:
    assert refused(bench, bench.input(bench.file("in.csv", DATA + b"x"), expected[0]))["finding"] == "content-mismatch"
    bench.record_path.unlink()
    assert refused(bench, bench.input(bench.file("in.csv", b""), expected[0]))["finding"] == "truncated"


def test_an_expected_size_alone_is_compared(bench: Any) -> None:
    path = bench.file("in.csv", DATA)
    assert refused(bench, bench.input(path, None, len(DATA) + 1))["finding"] == "truncated"
    bench.record_path.unlink()
    seen = refused(bench, bench.input(path, None, len(DATA) - 1))
    assert seen["finding"] == "content-mismatch"
    bench.record_path.unlink()
    assert bench.sh("exit 0", inputs=[bench.input(path, None, len(DATA))])[0] == 0


def test_the_digest_decides_where_a_declared_size_is_wrong(bench: Any, expected: tuple[str, int]) -> None:
    assert bench.sh("exit 0", inputs=[bench.input(bench.file("in.csv", DATA), expected[0], 5)])[0] == 0


def test_the_content_is_read_and_not_the_stat(bench: Any, expected: tuple[str, int]) -> None:
    path = bench.file("in.csv", DATA)
    before = path.stat()
    bad = bytearray(DATA)
    bad[100] ^= 1
    path.write_bytes(bytes(bad))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert refused(bench, bench.input(path, *expected))["finding"] == "content-mismatch"


@pytest.mark.parametrize("path", ["absent", "data/below-a-file", "dangling"])
def test_missing(bench: Any, expected: tuple[str, int], path: str) -> None:
    bench.file("data", b"x")
    (bench.folder / "dangling").symlink_to("nowhere")
    seen = refused(bench, bench.input(bench.folder / path, *expected))
    assert (seen["verdict"], seen["finding"]) == ("missing", "missing")
    assert (seen["actual_sha256"], seen["actual_size"], seen["inode"]) == (None, None, None)


def test_missing_but_optional(bench: Any, expected: tuple[str, int]) -> None:
    status, record = bench.sh("exit 0", inputs=[bench.input(bench.folder / "absent", *expected, optional=True)])
    assert status == 0
    (seen,) = record["inputs"]
    assert (seen["verdict"], seen["finding"]) == ("missing", None)


def test_optional_is_no_licence_to_be_wrong(bench: Any, expected: tuple[str, int]) -> None:
    assert refused(bench, bench.input(bench.file("in", b"x"), *expected, optional=True))["finding"] == "truncated"


def test_special_files_are_unreadable_and_nothing_blocks(bench: Any) -> None:
    pipe = bench.folder / "pipe"
    os.mkfifo(pipe)
    assert "named pipe" in refused(bench, bench.input(pipe))["error"]
    bench.record_path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(bench.folder / "socket"))
        assert refused(bench, bench.input(bench.folder / "socket"))["finding"] == "unreadable"
    bench.record_path.unlink()
    assert "character device" in refused(bench, bench.input("/dev/zero"))["error"]
    bench.record_path.unlink()
    loop = bench.folder / "loop"
    loop.symlink_to(loop)
    assert refused(bench, bench.input(loop))["finding"] == "unreadable"


def test_no_digest_of_what_the_system_refuses_to_read(bench: Any) -> None:
    # Opens like a regular file, and every read of it fails.
    seen = refused(bench, bench.input("/proc/self/mem"))
    assert (seen["verdict"], seen["finding"], seen["actual_sha256"]) == ("unreadable", "unreadable", None)
    assert seen["error"] == "Input/output error"


def test_every_bad_input_is_recorded(bench: Any, expected: tuple[str, int]) -> None:
    good = bench.file("good", DATA)
    bad = bench.file("bad", DATA + b"x")
    entries = [bench.input(bad, *expected), bench.input(good, *expected), bench.input(bench.folder / "no", *expected)]
    status, record = bench.sh("exit 0", inputs=entries)
    assert status == 3
    assert [seen["verdict"] for seen in record["inputs"]] == ["mismatch", "ok", "missing"]
    assert "appended" in record["failure"]


def test_a_link_is_followed_and_its_target_is_named(bench: Any, expected: tuple[str, int]) -> None:
    target = bench.file("archive/in.csv", DATA)
    (bench.folder / "middle").symlink_to("archive")
    (bench.folder / "link").symlink_to("middle/in.csv")
    status, record = bench.sh("exit 0", inputs=[bench.input(bench.folder / "link", *expected)])
    assert status == 0
    assert record["inputs"][0]["target"] == str(target)
    bench.record_path.unlink()
    target.write_bytes(DATA[:-1] + b"X")
    assert refused(bench, bench.input(bench.folder / "link", *expected))["finding"] == "content-mismatch"


def test_an_executable_is_verified_like_any_input(bench: Any) -> None:
    script = bench.file("tool", b"#!/bin/sh\necho ran > ran\n")
    script.chmod(0o755)
    entry = bench.input(script, bench.digest_of(script.read_bytes()), role="executable")
    status, record = bench.run([str(script)], inputs=[entry], outputs=[bench.output("ran")])
    assert status == 0 and record["inputs"][0]["role"] == "executable"
    bench.record_path.unlink()
    (bench.work / "ran").unlink()
    script.write_bytes(b"#!/bin/sh\necho bad > ran\n")
    status, record = bench.run([str(script)], inputs=[entry])
    assert status == 3
    assert not (bench.work / "ran").exists()


def test_inputs_are_staged_as_links_and_verified_through_them(bench: Any, expected: tuple[str, int]) -> None:
    source = bench.file("archive/in.csv", DATA)
    staged = [{"from": str(source), "to": "deep/er/in.csv"}]
    status, record = bench.sh("cat deep/er/in.csv", stage_in=staged, inputs=[bench.input("deep/er/in.csv", *expected)])
    assert status == 0
    assert record["stdout"]["text"].encode() == DATA
    assert (bench.work / "deep/er/in.csv").readlink() == source
    assert record["inputs"][0]["target"] == str(source)


def test_staging_never_leaves_the_work_folder(bench: Any) -> None:
    outside = bench.folder / "outside"
    outside.mkdir()
    bench.work.mkdir()
    (bench.work / "door").symlink_to(outside)
    staged = [{"from": str(bench.file("in", b"x")), "to": "door/in"}]
    status, record = bench.sh("exit 0", stage_in=staged)
    assert status == 1
    assert "'door/in'" in record["failure"]
    assert list(outside.iterdir()) == []


def test_staging_replaces_links_of_an_earlier_attempt_and_nothing_else(bench: Any) -> None:
    bench.work.mkdir()
    (bench.work / "a").symlink_to("/etc/hostname")
    (bench.work / "b").write_bytes(b"mine")
    one = str(bench.file("in", b"new"))
    assert bench.sh("cat a", stage_in=[{"from": one, "to": "a"}])[1]["stdout"]["text"] == "new"
    bench.record_path.unlink()
    status, record = bench.sh("exit 0", stage_in=[{"from": one, "to": "b"}])
    assert status == 1 and "cannot make the link 'b'" in record["failure"]
    assert (bench.work / "b").read_bytes() == b"mine"


# --------------------------------------------------------------------------------------------- after the command


def changed(bench: Any, script: str, entry: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Run a command that exits 0 and must not count as a success; the entry of changed_inputs."""
    status, record = bench.sh(script, inputs=[entry], **more)
    assert status == 1
    assert (record["status"], record["exit_code"]) == ("failed", 0)
    assert "changed while the command ran" in record["failure"]
    (seen,) = record["changed_inputs"]
    assert seen["stage"] == "post-exec"
    assert record["inputs"][0]["verdict"] == "ok"
    return dict(seen)


def test_an_input_that_changes_while_the_command_runs(bench: Any, expected: tuple[str, int]) -> None:
    path = bench.file("in.csv", DATA)
    seen = changed(bench, f"echo more >> {path}", bench.input(path, *expected))
    assert (seen["verdict"], seen["finding"]) == ("mismatch", "appended")
    assert seen["actual_sha256"] == bench.digest_of(DATA + b"more\n")
    assert seen["sha256"] == expected[0]


def test_first_sight_is_what_a_later_look_is_compared_with(bench: Any, expected: tuple[str, int]) -> None:
    path = bench.file("in.csv", DATA)
    seen = changed(bench, f"echo more >> {path}", bench.input(path))
    assert (seen["sha256"], seen["digest_origin"], seen["finding"]) == (expected[0], "observed", "appended")


@pytest.mark.parametrize(
    "script",
    [
        "printf X | dd of={path} conv=notrunc 2>&1; printf i | dd of={path} conv=notrunc 2>&1",  # and back again
        "cp -p {path} {path}.2; mv {path}.2 {path}",  # another file with the same bytes and mtime
        "mv {path} {path}.2; cp -p {path}.2 {path}; rm {path}; mv {path}.2 {path}",  # swapped and swapped back
        "touch -r {path} {path}",
        "chmod 600 {path}; chmod 644 {path}",
    ],
)
def test_bytes_that_are_the_same_again_are_still_a_change(bench: Any, expected: tuple[str, int], script: str) -> None:
    path = bench.file("in.csv", DATA)
    seen = changed(bench, script.format(path=path), bench.input(path, *expected))
    assert (seen["verdict"], seen["finding"]) == ("mismatch", "content-mismatch")
    assert seen["actual_sha256"] == expected[0]
    assert "again" in seen["error"]


def test_a_link_swapped_and_swapped_back(bench: Any, expected: tuple[str, int]) -> None:
    bench.file("good", DATA)
    bench.file("evil", b"evil")
    link = bench.folder / "link"
    link.symlink_to("good")
    script = f"ln -sf evil {link}; cat {link}; sleep 0.05; ln -sf good {link}"
    seen = changed(bench, script, bench.input(link, *expected))
    assert seen["finding"] == "content-mismatch"


def test_an_input_that_is_gone_afterwards(bench: Any, expected: tuple[str, int]) -> None:
    path = bench.file("in.csv", DATA)
    seen = changed(bench, f"mv {path} {path}.2", bench.input(path, *expected, optional=True))
    assert (seen["verdict"], seen["finding"]) == ("missing", "missing")


@pytest.mark.parametrize("is_staged", [False, True])
@pytest.mark.parametrize(
    ("data", "finding"), [(b"evil", "truncated"), (DATA, "content-mismatch"), (b"E" * len(DATA), "content-mismatch")]
)
def test_an_optional_input_that_appears_while_the_command_runs_was_read_unverified(
    bench: Any, expected: tuple[str, int], data: bytes, finding: str, is_staged: bool
) -> None:
    source, origin = bench.file("ready", data), bench.folder / "origin"
    path = "late" if is_staged else str(origin)
    staged = [{"from": str(origin), "to": path}] if is_staged else []
    status, record = bench.sh(
        f"cp {source} {origin}; cat {path}", inputs=[bench.input(path, *expected, optional=True)], stage_in=staged
    )
    assert (status, record["exit_code"], record["inputs"][0]["verdict"]) == (1, 0, "missing")
    (seen,) = record["changed_inputs"]
    assert (seen["stage"], seen["verdict"], seen["finding"]) == ("post-exec", "mismatch", finding)
    assert (seen["sha256"], seen["actual_sha256"]) == (expected[0], bench.digest_of(data))
    assert "appeared" in seen["error"]


@pytest.mark.parametrize("is_staged", [False, True])
def test_an_optional_input_that_stays_away_is_no_change(bench: Any, is_staged: bool) -> None:
    staged = [{"from": str(bench.folder / "never"), "to": "in"}] if is_staged else []
    for script in ("true", "rm -f in"):
        status, record = bench.sh(script, inputs=[bench.input("in", optional=True)], stage_in=staged)
        assert (status, record["inputs"][0]["verdict"], record["changed_inputs"]) == (0, "missing", [])
        bench.record_path.unlink()


def test_an_optional_checkpoint_may_appear(bench: Any) -> None:
    status, record = bench.sh("echo saved > state", inputs=[bench.input("state", role="checkpoint", optional=True)])
    assert (status, record["changed_inputs"]) == (0, [])


def test_a_job_may_remove_the_link_that_was_staged_for_it(bench: Any, expected: tuple[str, int]) -> None:
    source = bench.file("in.csv", DATA)
    staged = [{"from": str(source), "to": "in.csv"}]
    assert bench.sh("rm in.csv", stage_in=staged, inputs=[bench.input("in.csv", *expected)])[0] == 0
    bench.record_path.unlink()
    changed(bench, f"rm in.csv; echo x >> {source}", bench.input("in.csv", *expected), stage_in=staged)


@pytest.mark.parametrize("role", ["inout", "checkpoint"])
def test_what_the_command_is_meant_to_rewrite_is_not_compared_afterwards(
    bench: Any, expected: tuple[str, int], role: str
) -> None:
    bench.work.mkdir()
    (bench.work / "state").write_bytes(DATA)
    entry = bench.input("state", *expected, role=role)
    status, record = bench.sh("echo x >> state", inputs=[entry], outputs=[bench.output("state", role=role)])
    assert status == 0
    assert record["changed_inputs"] == []
    assert record["outputs"][0]["sha256"] == bench.digest_of(DATA + b"x\n")


def test_a_file_written_a_moment_ago_is_hashed_when_its_ctime_can_prove_something(tmp_path: Path) -> None:
    # A write in the same tick of the clock as the last one would leave ctime as it was: that tick is waited out.
    path = tmp_path / "hot"
    path.write_bytes(b"x")
    found, content = read_content(os.fsencode(path), True, True, None, lambda: None)
    assert time.time_ns() - found.ctime_ns >= 20_000_000
    assert content.sha256 == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("writes", [1, 2, 100])
def test_one_that_is_written_to_while_its_tick_is_waited_out_is_waited_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    path = tmp_path / "hot"
    path.write_bytes(b"0")
    waits: list[float] = []
    sleep = time.sleep

    def disturbed_sleep(seconds: float) -> None:
        sleep(seconds)
        waits.append(seconds)
        if len(waits) <= writes:
            path.write_bytes(b"%d" % len(waits))

    monkeypatch.setattr(time, "sleep", disturbed_sleep)
    if writes > 10:
        with pytest.raises(UnreadableError, match="it is being changed: at each of 5 looks it had just been written"):
            read_content(os.fsencode(path), True, True, None, lambda: None)
        assert len(waits) == 5
        return
    found, content = read_content(os.fsencode(path), True, True, None, lambda: None)
    assert time.time_ns() - found.ctime_ns >= 20_000_000
    assert found.ctime_ns == path.stat().st_ctime_ns
    assert content.sha256 == hashlib.sha256(b"%d" % writes).hexdigest()


def test_an_input_that_grows_while_it_is_hashed_has_no_digest(bench: Any) -> None:
    path = bench.file("log", b"x" * (64 << 20))
    writer = subprocess.Popen(
        [sys.executable, "-c", f"f = open({str(path)!r}, 'ab', buffering=0)\nwhile True: f.write(b'y')"]
    )
    try:
        bench.wait_until(lambda: path.stat().st_size > (64 << 20) + 100, "the writer started")
        seen = refused(bench, bench.input(path))
    finally:
        writer.kill()
        writer.wait()
    assert (seen["verdict"], seen["actual_sha256"]) == ("unreadable", None)
    assert seen["error"].startswith("it is being changed")


# ------------------------------------------------------------------------------------------------------- folders


def test_a_folder_is_an_input_by_its_manifest(bench: Any) -> None:
    folder = bench.folder / "cube.zarr"
    bench.file("cube.zarr/.zattrs", b"{}")
    bench.file("cube.zarr/a/0.0", b"one")
    bench.file("cube.zarr/a-b", b"two")
    manifest = b"pirene-folder/1\0" + b"".join(
        bench.digest_of(data).encode() + b"  " + name + b"\0"
        for name, data in ((b".zattrs", b"{}"), (b"a-b", b"two"), (b"a/0.0", b"one"))
    )
    entry = bench.input(folder, bench.digest_of(manifest), 8)
    status, record = bench.sh("exit 0", inputs=[entry])
    assert status == 0
    (seen,) = record["inputs"]
    assert (seen["kind"], seen["actual_sha256"], seen["actual_size"]) == ("folder", bench.digest_of(manifest), 8)
    bench.record_path.unlink()
    changed(bench, f"sleep 0.03; touch {folder}/a/0.0", entry)
    bench.record_path.unlink()
    bench.file("cube.zarr/a/0.1", b"new")
    assert refused(bench, entry)["verdict"] == "mismatch"


def test_a_folder_with_a_link_in_it_has_no_digest(bench: Any) -> None:
    bench.file("cube/a", b"x")
    (bench.folder / "cube/b").symlink_to("a")
    seen = refused(bench, bench.input(bench.folder / "cube"))
    assert (seen["finding"], seen["error"]) == ("unreadable", "it holds 'b', which is a symbolic link")


def test_what_the_command_changes_in_place_is_staged_in_as_a_copy(bench: Any, expected: tuple[str, int]) -> None:
    source = bench.file("archive/state", DATA)
    source.chmod(0o444)
    for _ in range(2):  # the second attempt finds what the first one left
        status, record = bench.sh(
            "echo x >> d/state",
            stage_in=[{"from": str(source), "to": "d/state", "copy": True}],
            inputs=[bench.input("d/state", *expected, role="inout")],
            outputs=[bench.output("d/state", role="inout")],
        )
        assert status == 0, record["failure"]
        assert record["inputs"][0]["verdict"] == "ok"
        assert record["outputs"][0]["sha256"] == bench.digest_of(DATA + b"x\n")
        assert source.read_bytes() == DATA
        bench.record_path.unlink()


def test_a_copy_of_damaged_or_missing_bytes_is_refused(bench: Any, expected: tuple[str, int]) -> None:
    source = bench.file("state", DATA[:-1] + b"X")
    for finding in ("content-mismatch", "missing"):
        status, record = bench.sh(
            "echo > ran",
            stage_in=[{"from": str(source), "to": "state", "copy": True}],
            inputs=[bench.input("state", *expected, role="inout")],
        )
        assert (status, record["inputs"][0]["finding"]) == (3, finding)
        assert not (bench.work / "ran").exists()
        bench.record_path.unlink()
        source.unlink(missing_ok=True)
        (bench.work / "state").unlink(missing_ok=True)


def test_copies_and_links_do_not_replace_each_other(bench: Any) -> None:
    source = str(bench.file("in", b"x"))
    (bench.work / "folder").mkdir(parents=True)
    status, record = bench.sh("exit 0", stage_in=[{"from": source, "to": "folder", "copy": True}])
    assert status == 1
    assert record["failure"].endswith("a folder is in the way")
