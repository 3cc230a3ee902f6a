"""Names that only appear while planning: what a folder cannot hold is refused before a byte is moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.errors import FileError
from provenance.metadata import from_json
from provenance.registration.raw_files import add_files

SELECTIONS = {"raw": {"query": 'files where kind = "raw"'}}


def register(world: Any, *, name: str | None = None, label: str = "a") -> Path:
    path: Path = world.folder / "data" / "in.dat"
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    add_files(world.store, [path], name=name, metadata={"kind": from_json("raw"), "label": from_json(label)})
    return path


def refused(world: Any, jobs: list[dict[str, Any]], **keys: Any) -> str:
    with pytest.raises(FileError) as caught:
        world.plan(world.write(jobs, **keys))
    assert caught.value.place.line
    return str(caught.value).split("\n", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("../../../etc", "leads out of the job's folder"),
        ("..", "leads out of the job's folder"),
        ("/etc/passwd", "is an absolute path"),
        ("a//b", "is not in its shortest form"),
        ("", "is empty"),
        ("a\0b", "holds a NUL character"),
    ],
)
@pytest.mark.parametrize("use", ["output", "input", "stdout"])
def test_a_placeholder_cannot_lead_out_of_the_folder(world: Any, label: str, problem: str, use: str) -> None:
    register(world, label=label)
    job: dict[str, Any] = {"id": "x", "foreach": "raw", "uses": [{"select": "raw", "type": "input"}]}
    if use == "stdout":
        job["stdout"] = "${raw.label}"
    else:
        job["uses"].append({"lfn": "${raw.label}", "type": use})
    assert problem in refused(world, [job], selections=SELECTIONS)


def test_a_selected_file_with_a_name_that_leads_out_is_refused(world: Any) -> None:
    register(world, name="../{name}")
    job = {"id": "x", "uses": [{"select": "raw", "type": "input"}, {"lfn": "y", "type": "output"}]}
    message = refused(world, [job], selections=SELECTIONS)
    assert "uses a file called '../in.dat', which leads out of the job's folder" in message


def test_one_file_in_two_roles_is_refused(world: Any) -> None:
    register(world, label="in.dat")
    uses = [{"select": "raw", "type": "input"}, {"lfn": "${raw.label}", "type": "output"}]
    message = refused(world, [{"id": "x", "foreach": "raw", "uses": uses}], selections=SELECTIONS)
    assert "job x-0001 uses 'in.dat' as input and as output" in message
    own = {"id": "x", "uses": [{"lfn": "y", "type": "output"}, {"outputs-of": "x", "type": "input"}]}
    assert "job x uses 'y' as output and as input" in refused(world, [own])


def test_a_file_inside_another_is_refused(world: Any) -> None:
    world.raw("d", "x")
    message = refused(world, [{"id": "x", "in": ["d"], "out": ["d/made"]}])
    assert "job x: 'd/made' lies inside 'd', which is a file itself" in message
    jobs = [{"id": "a", "out": ["results/deep/one"]}, {"id": "b", "out": ["results"]}]
    assert "'results/deep/one' lies inside 'results', which is a file of job b itself" in refused(world, jobs)
    kept = [{"id": "a", "out": ["r/one"]}, {"id": "b", "out": [{"lfn": "r", "stageOut": False}]}]
    assert len(world.plan(world.write(kept)).jobs) == 2


def test_a_checkpoint_is_one_jobs_own(world: Any) -> None:
    checkpoint = {"uses": [{"lfn": "c", "type": "checkpoint"}]}
    assert "jobs a and b both write 'c'" in refused(world, [{"id": "a", **checkpoint}, {"id": "b", **checkpoint}])
    assert "jobs a and b both write 'c'" in refused(world, [{"id": "a", "out": ["c"]}, {"id": "b", **checkpoint}])
