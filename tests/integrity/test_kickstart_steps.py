"""Steps around the command: in which order they run, what keeps them from running, and what is recorded of each."""

from __future__ import annotations

import signal
from typing import Any

import pytest

STEP_KEYS = {
    "step", "argument_vector", "executable", "start", "duration", "exit_code", "signal", "usage", "stdout", "stderr", "failure",
}  # fmt: skip
ALL = ("setup", "pre", "post", "cleanup")


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def logging(**scripts: str) -> dict[str, list[str]]:
    """All four steps, each of which says that it ran; those that are named do something else as well."""
    return {name: sh(f"echo {name} >> log; {scripts.get(name, ':')}") for name in ALL}


def test_all_run_in_order_before_outputs_are_hashed(bench: Any) -> None:
    status, record = bench.sh("echo main >> log", steps=logging(), outputs=[bench.output("log")])
    assert status == 0
    said = b"setup\npre\nmain\npost\ncleanup\n"
    assert (bench.work / "log").read_bytes() == said
    assert record["outputs"][0]["sha256"] == bench.digest_of(said)
    assert [entry["step"] for entry in record["steps"]] == list(ALL)
    assert [entry["start"] for entry in record["steps"]] == sorted(entry["start"] for entry in record["steps"])
    for entry in record["steps"]:
        assert set(entry) == STEP_KEYS
        assert (entry["exit_code"], entry["signal"], entry["failure"]) == (0, None, None)
        assert entry["duration"] > 0 and entry["usage"]["maxrss"] > 0 and entry["executable"] == "/bin/sh"
    assert record["argument_vector"] == sh("echo main >> log")  # as ever: the command is no entry


@pytest.mark.parametrize(
    ("failing", "ran"),
    [
        ("setup", "setup cleanup"),
        ("pre", "setup pre cleanup"),
        ("post", "setup pre main post cleanup"),
    ],
)
def test_nothing_but_cleanup_follows_a_step_that_failed(bench: Any, failing: str, ran: str) -> None:
    status, record = bench.sh("echo main >> log", steps=logging(**{failing: "echo no >&2; exit 3"}))
    assert (status, record["status"]) == (1, "failed")
    assert record["failure"] == f"the {failing} step exited with code 3"
    assert (bench.work / "log").read_text().split() == ran.split()
    (entry,) = [each for each in record["steps"] if each["step"] == failing]
    assert (entry["exit_code"], entry["failure"], entry["stderr"]["text"]) == (3, record["failure"], "no\n")
    assert (record["duration"] is None) == (failing != "post")
    assert record["exit_code"] == (0 if failing == "post" else None)


def test_a_failed_command_is_followed_by_cleanup_alone(bench: Any) -> None:
    status, record = bench.sh("echo main >> log; exit 4", steps=logging(), outputs=[bench.output("log")])
    assert (status, record["failure"]) == (1, "the command exited with code 4")
    assert (bench.work / "log").read_text().split() == ["setup", "pre", "main", "cleanup"]
    assert record["outputs"][0]["verdict"] == "ok"


def test_a_failing_cleanup_is_recorded_and_changes_nothing(bench: Any) -> None:
    status, record = bench.sh("true", steps=logging(cleanup="exit 9"))
    assert (status, record["status"], record["failure"]) == (0, "succeeded", None)
    assert (record["steps"][-1]["exit_code"], record["steps"][-1]["failure"]) == (
        9,
        "the cleanup step exited with code 9",
    )


def test_setup_may_bring_inputs_and_what_it_brings_is_verified(bench: Any) -> None:
    steps = {"setup": sh("printf good > in"), "cleanup": sh("rm in")}
    given = bench.input("in", bench.digest_of(b"good"), 4)
    status, record = bench.sh("cat in", steps=steps, inputs=[given | {"role": "inout"}])
    assert (status, record["stdout"]["text"]) == (0, "good")
    bench.record_path.unlink()
    steps["setup"] = sh("printf evil > in")
    status, record = bench.sh("touch ran", steps=steps, inputs=[given])
    assert (status, record["status"], record["inputs"][0]["finding"]) == (3, "integrity_failed", "content-mismatch")
    assert sorted(path.name for path in bench.work.iterdir()) == []  # nothing ran but setup and cleanup
    assert [entry["step"] for entry in record["steps"]] == ["setup", "cleanup"]


def test_an_input_that_a_step_touches_after_its_verification_is_found(bench: Any) -> None:
    source = bench.file("in", b"good")
    given = bench.input(source, bench.digest_of(b"good"), 4)
    status, record = bench.sh("true", steps={"pre": sh(f"printf evil > {source}")}, inputs=[given])
    assert (status, record["changed_inputs"][0]["finding"]) == (1, "content-mismatch")


@pytest.mark.parametrize("name", ALL)
def test_a_step_that_cannot_be_run(bench: Any, name: str) -> None:
    status, record = bench.run(["/bin/true"], steps={name: ["/no/such"]})
    assert status == (0 if name == "cleanup" else 1)
    assert record["steps"][0]["failure"] == "cannot run '/no/such': there is no such file"
    assert (record["steps"][0]["exit_code"], record["steps"][0]["duration"]) == (127, None)


def test_descendants_of_a_step_are_waited_for(bench: Any) -> None:
    status, record = bench.sh("cat late", steps={"pre": sh("(sleep 0.2; echo x > late) & exit 0")})
    assert (status, record["stdout"]["text"]) == (0, "x\n")


def test_told_to_stop_the_cleanup_still_runs_within_the_grace(bench: Any) -> None:
    steps = {"cleanup": sh("echo tidy > tidied; sleep 60")}
    process = bench.start(sh("touch up; sleep 60"), steps=steps, grace_seconds=0.5)
    bench.wait_until((bench.work / "up").exists, "the command starts")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 1
    record = bench.record
    assert record["failure"] == "stopped by SIGTERM while the command ran" and record["interrupted"]
    assert (bench.work / "tidied").exists()
    assert record["steps"][0]["failure"] == "the cleanup step took longer than what time was left"
    assert bench.processes() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": {"before": ["/bin/true"]}}, "steps: expected any of setup, pre, post, cleanup, found 'before'"),
        ({"steps": {"pre": []}}, "steps.pre: expected the executable and its arguments"),
        ({"steps": {"pre": "true"}}, "pre: expected a value of type list"),
        ({"limits": {"memory": 1}}, "limits: expected any of memory_bytes, cpu_seconds"),
        ({"limits": {"open_files": 0}}, "limits.open_files: expected a number from 1"),
        ({"grace_seconds": float("inf")}, "grace_seconds: expected a number below 1000000000, found inf"),
        ({"grace_seconds": float("nan")}, "grace_seconds: expected a number below 1000000000, found nan"),
        ({"grace_seconds": 10**400}, "grace_seconds: expected a number below 1000000000, found 1000"),
        ({"tail_bytes": 2**70}, "tail_bytes: expected a number below 1073741824, found 1180591620717411303424"),
        ({"walltime_seconds": 0}, "walltime_seconds: expected more than 0"),
        ({"walltime_seconds": float("nan")}, "walltime_seconds: expected more than 0"),
        ({"checkpoint": {"after_seconds": 1, "signal": "KILL"}}, "checkpoint.signal: expected any of TERM"),
        ({"checkpoint": {"every": 1}}, "checkpoint: expected any of after_seconds, signal"),
    ],
)
def test_what_it_does_not_know_it_does_not_start(bench: Any, changes: dict[str, Any], said: str) -> None:
    status, errors = bench.refused(bench.describe(["/bin/true"], **changes))
    assert status == 2 and said in errors
    assert not bench.work.exists()
