"""One command, verified and recorded, with no workflow."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

from provenance.store import Store


def until(condition, seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.02)


def test_it_runs_records_and_finds_again(site) -> None:
    (site.folder / "a").write_text("one\ntwo\n")
    site.run(
        "exec",
        "--in",
        "a",
        "--out",
        "b",
        "-m",
        "purpose=test it",
        "-m",
        "n=42",
        "--",
        "sh",
        "-c",
        "wc -l < a > b; echo out; echo err >&2",
    )
    assert (site.folder / "b").read_text().strip() == "2"
    rows = site.query('jobs where purpose = "test it" and n > 41 show id, status, exit_code, arguments')
    assert rows == [
        {
            "id": "exec",
            "status": "succeeded",
            "exit_code": 0,
            "arguments": ["-c", "wc -l < a > b; echo out; echo err >&2"],
        }
    ]
    (made,) = site.query('files upstream of (files where name = "b") show name, origin, sha256')
    assert made == {"name": "a", "origin": "raw", "sha256": hashlib.sha256(b"one\ntwo\n").hexdigest()}
    assert None not in {commit.author for commit in Store.existing(site.folder).all_commits()}


def test_its_streams_are_those_of_the_command(site) -> None:
    import subprocess

    argv = site.argv("exec", "--", "sh", "-c", "cat; echo err >&2")
    ended = subprocess.run(
        argv,
        cwd=site.folder,
        env=dict(site.environment),
        input=b"from outside \xff",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"from outside \xff", b"err\n")


def test_a_missing_input_is_a_usage_error(site) -> None:
    result = site.run("exec", "--in", "nowhere", "--", "true", code=2)
    assert "nowhere" in result.err
    assert site.query("workflows") == []


@pytest.mark.parametrize("option", ["--in", "--out", "--inout"])
def test_an_empty_path_is_a_usage_error(site, option) -> None:
    assert "expected the path of a file, found an empty one" in site.run("exec", option, "", "--", "true", code=2).err
    assert site.query("workflows") == []


def test_options_of_the_command_without_dashes_before_it(site) -> None:
    result = site.run("exec", "ls", "-la", code=2)
    assert "-l" in result.err and "Write `--` before COMMAND" in result.err
    assert site.run("exec", "--", "echo", "--store", "-q", "-v").out == "--store -q -v\n"


def test_a_declared_output_that_was_not_made(site) -> None:
    result = site.run("exec", "--out", "b", "--", "true", code=1)
    assert "'b'" in result.err
    assert site.query("jobs show status") == [{"status": "failed"}]


def test_an_input_that_is_not_what_the_store_knows(site) -> None:
    (site.folder / "a").write_text("good")
    site.run("files", "add", "a")
    (site.folder / "a").write_text("evil")
    result = site.run("exec", "--in", "a", "--out", "b", "--", "cp", "a", "b", code=1)
    assert "a" in result.err and not (site.folder / "b").exists()
    (check,) = site.query('checks where verdict = "mismatch" show name, stage, expected, actual')
    assert check == {
        "name": "a",
        "stage": "pre-exec",
        "expected": hashlib.sha256(b"good").hexdigest(),
        "actual": hashlib.sha256(b"evil").hexdigest(),
    }
    assert site.query("jobs show status") == [{"status": "integrity_failed"}]


def test_an_input_that_is_an_earlier_version_or_another_file_is_called_so(site) -> None:
    (site.folder / "other").write_text("something else")
    for content in ("first", "second"):
        (site.folder / "a").write_text(content)
        site.run("files", "add", "a", "other")
    for content, said in (("first", "a is stale: it has the bytes of an earlier version of it"),
                          ("something else", "a is swapped: it has the bytes of another file")):  # fmt: skip
        (site.folder / "a").write_text(content)
        result = site.run("exec", "--in", "a", "--", "cat", "a", code=1)
        assert said in result.err and "expected sha256 " in result.err


@pytest.fixture
def unignored():
    """SIGINT ends what the test starts, also where the tests themselves are a background job of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("unignored")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_it_alone_ends_the_command(site, number) -> None:
    process = site.start("exec", "--", "/bin/sh", "-c", "echo begun; exec sleep 60")
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    assert process.wait(timeout=30) == 130
    assert site.query("jobs show status") == [{"status": "failed"}]
    process.communicate()


@pytest.mark.usefixtures("unignored")
def test_a_key_of_the_terminal_ends_the_command_once(site) -> None:
    """It reaches the wrapper by itself: passed on as well it would be a second one, which ends the grace."""
    keyboard, terminal = os.openpty()
    script = "trap 'sleep 0.5; echo well ended; exit 3' TERM; echo begun; while :; do sleep 0.1; done"
    process = subprocess.Popen(
        site.argv("exec", "--", "/bin/sh", "-c", script),
        cwd=site.folder, env=dict(site.environment), stdin=terminal, stdout=terminal, stderr=subprocess.PIPE,
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)),
    )  # fmt: skip
    os.close(terminal)
    with os.fdopen(keyboard, "r+b", buffering=0) as screen:
        assert b"begun" in screen.read(100)
        screen.write(b"\x03")
        shown = b""
        while b"well ended" not in shown:
            shown += screen.read(100)
        assert process.wait(timeout=30) == 130
    process.communicate()


def test_reuse(site) -> None:
    (site.folder / "a").write_text("x")
    command = ("exec", "--reuse", "--in", "a", "--out", "b", "--", "sh", "-c", "echo ran >> log; cp a b")
    log = site.folder / "log"
    site.run(*command)
    site.run(*command)
    assert log.read_text() == "ran\n"
    (site.folder / "b").write_text("garbage")
    site.run(*command)
    assert log.read_text() == "ran\nran\n" and (site.folder / "b").read_text() == "x"
    (site.folder / "a").write_text("y")
    site.run("files", "add", "a")
    site.run(*command)
    assert log.read_text() == "ran\n" * 3 and (site.folder / "b").read_text() == "y"
    decisions = [
        row["decision"] for row in site.query("jobs show decision, workflow.started order by workflow.started")
    ]
    assert sorted(decisions) == ["reuse", "run", "run", "run"]


def test_a_reused_output_keeps_its_history_where_it_was_copied(site) -> None:
    (site.folder / "a").write_text("x")
    command = ("exec", "--reuse", "--in", "a", "--out", "b", "--", "cp", "a", "b")
    site.run(*command)
    elsewhere = site.folder / "elsewhere"
    shutil.copytree(site.folder, elsewhere, ignore=shutil.ignore_patterns(".pirene", "b"))
    assert "reused" in site.run(*command, cwd=elsewhere).err
    assert site.query('files where name = "b" show origin') == [{"origin": "produced"}]
    site.run("exec", "--in", "b", "--out", "c", "--", "cp", "b", "c", cwd=elsewhere)
    assert {"name": "b", "origin": "produced"} in site.query(
        'files upstream of (files where name = "c") show name, origin'
    )


def test_reuse_never_stands_for_an_input_that_has_changed(site) -> None:
    (site.folder / "a").write_text("x")
    command = ("exec", "--reuse", "--in", "a", "--out", "b", "--", "cp", "a", "b")
    site.run(*command)
    (site.folder / "a").write_text("y")
    assert "files add" in site.run(*command, code=1).err
    assert [row["name"] for row in site.query('checks where verdict = "mismatch"')] == ["a"]
    (site.folder / "a").write_text("x")  # the same bytes at another time: read again, and found good
    assert "reused" in site.run(*command).err


def test_outputs_chain(site) -> None:
    (site.folder / "a").write_text("x")
    site.run("exec", "--in", "a", "--out", "b", "--", "cp", "a", "b")
    site.run("exec", "--in", "b", "--out", "c", "--", "cp", "b", "c")
    names = {row["name"] for row in site.query('files upstream of (files where name = "c") show name')}
    assert names == {"a", "b"}
    assert not Path(site.folder / ".pirene" / "spool").exists() or not any(
        (site.folder / ".pirene" / "spool").iterdir()
    )


def test_folders_and_files_seen_again(site) -> None:
    """First sights follow the rules of registration: same place and content is the same file, whatever became of it."""
    (site.folder / "d").mkdir()
    (site.folder / "d" / "x").write_text("x")
    site.run("exec", "--in", "d", "--out", "e", "-m", "k=1", "-m", "k=2", "--", "cp", "-r", "d", "e")
    (raw,) = site.query('files where name = "d" show id, name, sha256')
    assert site.query("jobs where k has 1 and k has 2 show id") == [{"id": "exec"}]
    shutil.move(site.folder / "d", site.folder / "away")
    site.run("audit", code=1)
    shutil.move(site.folder / "away", site.folder / "d")
    site.run("exec", "--in", "d", "--", "true")
    assert site.query('files where name = "d" show id, name, sha256') == [raw]
    assert [row["state"] for row in site.query('replicas where name = "d" show state')] == ["ok"]
    store = Store.open(site.environment["PIRENE_STORE"])
    kinds = store.rows("SELECT name, kind FROM files ORDER BY name", tables=["files"])
    assert kinds == [("d", "folder"), ("e", "folder")]


def test_metadata_without_a_value_is_a_usage_error(site) -> None:
    assert "expected key=value, found 'k'" in site.run("exec", "-m", "k", "--", "true", code=2).err


def test_the_folder_it_ran_in_names_no_run(site) -> None:
    """A person who works in a folder called as the workflow asks for the workflow."""
    folder = site.folder / "diamond"
    folder.mkdir()
    site.run("exec", "--", "true", cwd=folder)
    result = site.run("status", "diamond", code=2)
    assert "no run 'diamond'" in result.err
    assert site.run("status", "true").out.startswith("true: succeeded")


def test_a_record_that_a_killed_command_left_is_taken_in_by_the_next(site) -> None:
    """The command is killed while its job runs; the wrapper goes on and writes its record."""
    gate = site.folder / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done; echo made > out"
    process = site.start("exec", "--out", "out", "-m", "kept=yes", "--", "sh", "-c", wait)
    spool = site.folder / ".pirene" / "spool"
    until(lambda: any(spool.glob("*/*.json.lock")))
    process.kill()
    process.wait(timeout=30)
    site.run("exec", "--", "true")  # nothing to take in yet: it is under way
    assert site.query('jobs where kept = "yes" show attempts') == [{"attempts": 0}]
    gate.touch()
    process.communicate(timeout=30)  # the wrapper holds its end of the pipes
    until(lambda: any(spool.glob("*/1-1.json")))
    site.run("exec", "--", "true")
    assert site.query('jobs where kept = "yes" show status, attempts') == [{"status": "succeeded", "attempts": 1}]
    assert site.query('workflows where status = "running"') == []
    assert site.run("lineage", "out", "--format", "json").json()["edges"]
    assert not any(spool.iterdir())


def test_what_it_reports_badly_is_said(site) -> None:
    said = site.run("exec", "--", "sh", "-c", 'printf "good=1\\nbad\\n" > "$PIRENE_METADATA"').err
    assert "warning: metadata of job exec, attempt 1: line 2: expected key=value, found 'bad' (kept in" in said
    assert site.query("jobs show good") == [{"good": 1}]


def test_words_of_bytes_that_are_no_unicode_find_what_they_mean_or_nothing(site) -> None:
    odd = os.fsdecode(b"od\xffd")
    (site.folder / odd).write_text("x")
    folder = site.copy("diamond")
    site.run("files", "add", odd)
    site.run("exec", "--in", odd, "--out", odd + "2", "--", "cp", odd, odd + "2")
    site.run("run", str(folder / "diamond.yml"), "-d", odd + ".run")
    assert r"od\xffd2" in site.run("lineage", odd + "2").out
    assert site.run("status", odd + ".run").out.startswith("diamond: succeeded")
    other = os.fsdecode(b"\xfe")
    for words in (
        ["lineage", other],
        ["status", other],
        ["analyze", other],
        ["explain", other],
        ["audit", other],
        ["verify", other],
        ["files", "retire", other],
        ["meta", "list", other],
        ["meta", "list", "diamond", other],
        ["meta", "set", "diamond", f"{other}=1"],
        ["meta", "unset", "diamond", "-k", other],
        ["query", f'files where name = "{other}"'],
    ):
        code = 0 if words[1] == "unset" else 2
        assert r"\xfe" in site.run(*words, code=code).err.replace(r"\udcfe", r"\xfe").replace("\ufffd", r"\xfe"), words


@pytest.mark.parametrize("level", ["copy", "seal"])
def test_an_input_in_private(site, level) -> None:
    """The command reads what was verified by another name; its own folder is as it was, and nothing stays behind."""
    (site.folder / "in").write_text("content\n")
    (site.folder / "other").write_text("more\n")
    site.run(
        "exec", "--protect", level, "--in", "in", "--in", "other", "--out", "out", "--",
        "/bin/sh", "-c", 'cat "$1" > out; echo "$1" >> out', "sh", "in",
    )  # fmt: skip
    content, where = (site.folder / "out").read_text().splitlines()
    assert content == "content" and where != "in" and not Path(where).exists()
    rows = site.query('checks where stage = "pre-exec" show name, protection')
    assert {row["name"]: row["protection"] for row in rows if not row["name"].startswith("/")} == {
        "in": level,
        "other": "guard",
    }
