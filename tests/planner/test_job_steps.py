"""Commands around that of a job, as Pegasus' wrapper is told of them; and limits of namespace `globus`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.engines.describe import description_of
from planner.engines.local import run_local
from planner.engines.progress import Watch
from planner.errors import FileError
from planner.job_steps import VARIABLES, steps_of, words
from planner.plan_tables import jobs_of, tables_of
from planner.profiles import submit_commands


@given(st.lists(st.text(alphabet="ab=-/*;|&><~#`(){}[]!é \t'\"", max_size=6), min_size=1, max_size=4))
def test_words_are_those_of_a_shell(given_words: list[str]) -> None:
    line = " \t".join(f'"{word}"' if "'" in word else f"'{word}'" for word in given_words if '"' not in word)
    if line:
        assert list(words(line)) == shlex.split(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/bin/true", ["/bin/true"]),
        ("  tool -a  'b c' \"d 'e' f\" x='1 2' '' ", ["tool", "-a", "b c", "d 'e' f", "x=1 2", ""]),
        ("a>b;c|d `e` *", ["a>b;c|d", "`e`", "*"]),
    ],
)
def test_lines(line: str, expected: list[str]) -> None:
    assert list(words(line)) == expected


@pytest.mark.parametrize(
    "line", ["", "  ", "$HOME/bin/tool", 'tool "$X"', "tool a\\ b", "tool 'open", 'tool "open', "a'b"]
)
def test_what_is_no_line_that_is_certain(line: str) -> None:
    with pytest.raises(ValueError, match=r"profile env.KICKSTART_PREJOB: expected a command line without variables"):
        steps_of({"KICKSTART_PREJOB": line})


def refused(world: Any, **profiles: dict[str, str]) -> str:
    workflow = world.write([{"id": "a", "out": ["x"], "profiles": profiles}])
    with pytest.raises(FileError) as error:
        world.plan(workflow)
    return str(error.value)


def test_a_line_that_is_none_is_named_with_its_place(world: Any) -> None:
    message = refused(world, env={"KICKSTART_CLEANUP": "rm $X"})
    assert message.startswith(f"{world.folder}/w.yml:1:")
    assert "profile env.KICKSTART_CLEANUP: expected a command line" in message and "found 'rm $X'" in message


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("env.KICKSTART_SETUP = a \\\\ b", "job a: profile env.KICKSTART_SETUP: expected a command line"),
        (
            "globus.maxcputime = soon",
            "job a: profile globus.maxcputime: expected minutes, from 1 to 9999999, found 'soon'",
        ),
        ("globus.maxtime = 0", "job a: profile globus.maxtime: expected minutes, from 1 to 9999999, found '0'"),
    ],
)
def test_what_properties_say_is_checked_too(world: Any, line: str, what: str) -> None:
    (world.folder / "pegasus.properties").write_text(f"{line}\n")
    assert what in refused(world)


def test_what_changes_the_command_and_is_not_carried_out_is_said(world: Any) -> None:
    plan = world.plan(world.write([{"id": "a", "out": ["x"], "profiles": {"env": {"KICKSTART_WRAPPER": "mpiexec"}}}]))
    assert any("profile env.KICKSTART_WRAPPER has no effect yet" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("profiles", "walltime", "cpu_time"),
    [
        ({"globus": {"maxwalltime": "2", "maxcputime": "3"}}, 120, 180),
        ({"globus": {"maxtime": "1"}}, 60, None),
        ({"globus": {"maxtime": "1", "maxwalltime": 2}}, 120, None),
        ({"globus": {"maxwalltime": "2"}, "pegasus": {"maxwalltime": "5"}}, 300, None),
        ({"globus": {"queue": "q"}}, None, None),
    ],
)
def test_times_of_globus_are_limits(world: Any, profiles: Any, walltime: int | None, cpu_time: int | None) -> None:
    plan = world.plan(world.write([{"id": "a", "out": ["x"], "profiles": profiles}]))
    read = world.freeze(plan)
    described = description_of(read, read.jobs[0], "/x")
    limits = {} if cpu_time is None else {"cpu_seconds": cpu_time}
    assert (described["walltime_seconds"], described["limits"]) == (walltime, limits)
    tables = tables_of(plan)
    older = tables["jobs"].drop_columns(["cpu_seconds"])
    assert [job.cpu_seconds for job in jobs_of(older, tables["uses"], tables["files"])[0]] == [None]


def test_memory_of_globus_is_asked_for_unless_something_nearer_is() -> None:
    assert submit_commands({"globus": {"maxmemory": "100"}}) == {"request_memory": "100M"}
    asked = submit_commands({"globus": {"maxmemory": "100"}, "pegasus": {"memory": "200"}})
    assert asked == {"request_memory": "200M"}
    asked = submit_commands({"globus": {"maxmemory": "100"}, "condor": {"request_memory": "3 GB"}})
    assert asked == {"request_memory": "3 GB"}


def run(world: Any, journal: Path, line: str) -> str:
    world.tool('#!/bin/sh\nexec /bin/sh -ec "$1"\n')
    step = {name: f"/bin/sh -c 'echo {name} >> {journal}'" for name in VARIABLES}
    env = {VARIABLES[name]: command for name, command in step.items()}
    job = {"id": "a", "arguments": [line], "out": ["x"], "profiles": {"env": env}}
    frozen = world.freeze(world.plan(world.write([job])))
    watch = Watch(progress=lambda *_: None, note=lambda _: None)
    return run_local(frozen, world.store, at_once=1, watch=watch)


def test_steps_are_run_around_the_command(world: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert run(world, journal, f"echo main >> {journal}; touch x") == "succeeded"
    assert journal.read_text().split() == ["setup", "pre", "main", "post", "cleanup"]


def test_after_a_command_that_failed_only_cleanup_is_run(world: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert run(world, journal, "exit 1") == "failed"
    assert journal.read_text().split() == ["setup", "pre", "cleanup"]
