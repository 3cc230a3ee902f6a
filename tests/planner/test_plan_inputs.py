"""Raw inputs, executables and the graph: what is found, what is expected of it, and what is refused with its place."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import PlannerError
from provenance.copies.replicas import file_url
from provenance.registration.raw_files import add_files

X = [{"id": "x", "in": ["in"], "out": ["y"]}]


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def refused(world: Any, jobs: list[dict[str, Any]], **keys: Any) -> tuple[str, str]:
    with pytest.raises(PlannerError) as caught:
        world.plan(world.write(jobs, **keys))
    return str(caught.value), caught.value.hint or ""


def test_first_sight_is_hashed_registered_and_known_afterwards(world: Any) -> None:
    path = world.raw("in", "x", metadata={"kind": "raw", "n": 3})
    plan = world.plan(world.write(X))
    file = plan.files["in"]
    assert (file.new, file.digest_origin, file.sha256, file.source) == (True, "observed", sha256("x"), plan.run)
    world.freeze(plan)
    again = world.plan(world.write(X)).files["in"]
    assert (again.new, again.digest_origin, again.source, again.file) == (False, "recorded", plan.run, file.file)
    path.touch()
    touched = world.plan(world.write(X))
    assert [file.name for file in touched.verified] == ["in"]
    path.write_text("other")
    changed = world.plan(world.write(X))
    assert changed.files["in"].replaces == (plan.run, file.file)
    assert any("counts as a new file" in warning for warning in changed.warnings)
    world.freeze(changed)
    events = world.store.rows(
        "SELECT event FROM replicas WHERE source = ? ORDER BY commit_number", [plan.run], tables=["replicas"]
    )
    assert events == [("registered",), ("replaced",)]


def test_a_link_to_a_known_copy_is_that_file(world: Any) -> None:
    path = world.raw("in", "x")
    (known,) = add_files(world.store, [path]).files
    link = path.with_name("link")
    link.symlink_to(path)
    world.catalog["in"]["pfns"] = [{"site": "local", "pfn": str(link)}]
    file = world.plan(world.write(X)).files["in"]
    assert ((file.source, file.file), file.url, file.path, file.new) == (known.file, known.url, str(link), False)
    path.write_text("other")
    changed = world.plan(world.write(X)).files["in"]
    assert (changed.new, changed.url, changed.replaces) == (True, file_url(link), None)


def test_declared_digest_is_expected_whatever_is_on_disk(world: Any) -> None:
    world.raw("in", "flipped", checksum={"sha256": sha256("whole").hex()})
    file = world.plan(world.write(X)).files["in"]
    assert (file.sha256, file.digest_origin, file.new) == (sha256("whole"), "declared", True)
    assert file.modified_ns is None


def test_declared_digest_of_a_registered_file_is_that_file(world: Any) -> None:
    path = world.raw("in", "x", checksum={"sha256": sha256("x").hex()})
    add_files(world.store, [path])
    file = world.plan(world.write(X)).files["in"]
    assert (file.new, file.digest_origin, file.sha256) == (False, "declared", sha256("x"))


def test_metadata_of_replicas_and_uses_are_one_and_are_said_once(world: Any) -> None:
    world.raw("in", "x", metadata={"kind": "raw", "n": 3})
    workflow = world.write([{"id": "x", "in": [{"lfn": "in", "metadata": {"kind": "near"}}], "out": ["y"]}])
    for _ in range(2):
        world.freeze(world.plan(workflow))
    rows = world.store.rows("SELECT key, written FROM metadata WHERE entity = 'file' ORDER BY key", tables=["metadata"])
    assert rows == [("kind", "near"), ("n", "3")]


def test_one_file_under_two_names_has_each_key_once(world: Any) -> None:
    path = world.raw("in", "x", metadata={"kind": "raw"})
    add_files(world.store, [path])
    world.catalog["too"] = {**world.catalog["in"], "lfn": "too", "metadata": {"kind": "other", "n": 1}}
    world.freeze(world.plan(world.write([{"id": "x", "in": ["in", "too"], "out": ["y"]}])))
    rows = world.store.rows("SELECT key, written FROM metadata WHERE entity = 'file' ORDER BY key", tables=["metadata"])
    assert rows == [("kind", "raw"), ("n", "1")]


def test_pattern_and_second_copy(world: Any) -> None:
    world.raw("real.txt", "x")
    replicas = [
        {"lfn": r"in_(\d+)", "regex": True, "pfns": [{"site": "local", "pfn": f"{world.folder}/input/[1].dat"}]},
        {
            "lfn": "both",
            "pfns": [{"site": "a", "pfn": "/nowhere/x"}, {"site": "b", "pfn": f"{world.folder}/input/real.txt"}],
        },
    ]
    (world.folder / "input" / "7.dat").write_text("7")
    jobs = [{"id": "x", "in": ["in_7", "both"], "out": ["y"]}]
    files = world.plan(world.write(jobs, replicaCatalog={"replicas": replicas})).files
    assert files["in_7"].sha256 == sha256("7")
    assert (files["both"].site, files["both"].sha256) == ("b", sha256("x"))


def two_copies(world: Any, first: str, second: str, **keys: Any) -> tuple[Path, Path]:
    """A catalog with two copies of `in`, the first of which is registered, and in quarantine."""
    one, other = world.raw("in", first), world.raw("other", second)
    pfns = [{"site": "local", "pfn": str(path)} for path in (one, other)]
    world.catalog = {"in": {"lfn": "in", "pfns": pfns, **keys}}
    add_files(world.store, [one])
    world.seen("quarantined", one)
    return one, other


@pytest.mark.parametrize("declared", [{}, {"checksum": {"sha256": sha256("x").hex()}}])
@pytest.mark.parametrize("known", [True, False])
def test_a_good_copy_is_read_in_place_of_one_in_quarantine(world: Any, known: bool, declared: dict[str, Any]) -> None:
    first, second = two_copies(world, "x", "x", **declared)
    if known:
        add_files(world.store, [second])
    plan = world.plan(world.write(X))
    file = plan.files["in"]
    assert (file.path, file.url, file.sha256, file.new) == (str(second), file_url(second), sha256("x"), not known)
    assert [copy.path for copy in file.others] == [str(first)]
    assert f"input 'in': {first} is in quarantine; {second} is read instead" in plan.warnings
    world.freeze(plan)
    assert world.plan(world.write(X)).files["in"].path == str(second)


@pytest.mark.parametrize("what", ["other bytes", "other bytes now", "in quarantine too", "gone"])
def test_a_copy_in_quarantine_stays_where_no_other_is_good(world: Any, what: str) -> None:
    first, second = two_copies(world, "x", "y" if what == "other bytes" else "x")
    if what in ("other bytes now", "in quarantine too"):
        add_files(world.store, [second])
    match what:
        case "other bytes now":
            second.write_text("y")
        case "in quarantine too":
            world.seen("quarantined", second)
        case "gone":
            second.unlink()
    plan = world.plan(world.write(X))
    assert (plan.files["in"].path, plan.files["in"].sha256) == (str(first), sha256("x"))
    assert plan.warnings == ()


def test_missing_inputs_are_named_all_at_once(world: Any) -> None:
    world.raw("input.fits", "x")
    world.raw("gone", "x").unlink()
    message, hint = refused(world, [{"id": "x", "in": ["inputs.fits", "gone"], "out": ["y"]}])
    assert "job x: missing input 'inputs.fits': no job writes it" in message
    assert "did you mean 'input.fits'?" in message
    assert "missing input 'gone': no copy of it can be read: file://" in message
    assert "w.yml:1:" in message
    assert "replica catalog" in hint


def test_optional_and_checkpoint_inputs_may_be_nowhere(world: Any) -> None:
    uses = [{"lfn": "maybe", "type": "input", "optional": True}, {"lfn": "state", "type": "checkpoint"}]
    plan = world.plan(world.write([{"id": "x", "uses": [*uses, {"lfn": "y", "type": "output"}]}]))
    assert plan.files == {}
    assert plan.jobs[0].reuse_key is not None


def test_two_writers_readers_of_themselves_and_circles_are_refused(world: Any) -> None:
    message, hint = refused(world, [{"id": "a", "out": ["f"]}, {"id": "b", "out": ["f"]}])
    assert "two jobs write 'f': a (" in message
    assert "inout" in hint
    circle = [{"id": name, "in": [f"f{(n + 1) % 3}"], "out": [f"f{n}"]} for n, name in enumerate("abc")]
    message, _ = refused(world, [*circle, {"id": "behind", "in": ["f0"], "out": ["z"]}])
    assert "jobs wait for each other: " in message
    shown = message.split("each other: ")[1].split("\n")[0].split(" -> ")
    assert shown[0] == shown[-1]
    assert sorted(shown[1:]) == ["a", "b", "c"]
    assert all((first, second) in {("a", "c"), ("c", "b"), ("b", "a")} for first, second in itertools.pairwise(shown))


def test_a_long_circle_is_found_and_not_told_whole(world: Any) -> None:
    jobs = [{"id": f"j{n}", "in": [f"f{(n - 1) % 500}"], "out": [f"f{n}"]} for n in range(500)]
    message, _ = refused(world, jobs)
    assert "jobs wait for each other: j0 -> j1 -> j2 ->" in message and " -> ..." in message


def test_versions_of_an_inout_form_a_chain(world: Any) -> None:
    world.raw("f", "x")
    jobs = [{"id": "one", "inout": ["f"]}, {"id": "two", "inout": ["f"]}, {"id": "last", "in": ["f"], "out": ["g"]}]
    plan = world.plan(world.write([*jobs, {"id": "first", "in": ["f"], "out": ["h"]}],
                                  jobDependencies=[{"id": "first", "children": ["one"]}]))  # fmt: skip
    assert [job.uses[0].producer for job in plan.jobs] == [None, 1, 2, None]
    assert plan.edges == ((1, 2), (2, 3), (4, 1))


def test_transformations_are_found_and_misses_suggest(world: Any) -> None:
    site = {"name": "local", "pfn": str(world.folder / "tool"), "type": "installed"}
    catalog = {"transformations": [{"namespace": "n", "name": "tool", "version": "1", "sites": [site]}]}
    plan = world.plan(world.write([{"id": "x", "out": ["y"]}], transformationCatalog=catalog))
    assert plan.jobs[0].transformation.key == ("n", "tool", "1")
    message, hint = refused(world, [{"id": "x", "name": "tol", "out": ["y"]}], transformationCatalog=catalog)
    assert "job x: unknown transformation tol" in message
    assert hint == "Add it to the transformation catalog (transformations.yml next to the workflow)."
    two = {"transformations": [{"name": "tool", "version": v, "sites": [site]} for v in ("1", "2")]}
    message, _ = refused(world, [{"id": "x", "out": ["y"]}], transformationCatalog=two)
    assert "tool could be tool:1, tool:2" in message


def test_site_is_local_else_stageable_else_what_is_there(world: Any) -> None:
    def executable(*sites: tuple[str, str, str]) -> Any:
        listed = [{"name": name, "type": kind, "pfn": pfn} for name, kind, pfn in sites]
        catalog = {"transformations": [{"name": "tool", "sites": listed}]}
        return world.plan(world.write([{"id": "x", "out": ["y"]}], transformationCatalog=catalog))

    tool = str(world.folder / "tool")
    assert executable(("far", "stageable", "/x"), ("local", "installed", tool)).jobs[0].site == "local"
    assert executable(("pool", "stageable", tool)).jobs[0].site == "pool"
    plan = executable(("pool", "installed", tool))
    assert plan.jobs[0].executable == tool
    assert any("installed at site 'pool'" in warning for warning in plan.warnings)
    with pytest.raises(PlannerError, match="no executable of tool can be used here"):
        executable(("pool", "installed", "/nowhere"))


def test_executable_that_may_not_be_executed_is_refused_in_time(world: Any) -> None:
    (world.folder / "tool").chmod(0o644)
    message, hint = refused(world, [{"id": "x", "out": ["y"]}])
    assert "cannot be executed" in message
    assert "chmod +x" in hint


def test_environment_retries_and_metadata_merge(world: Any) -> None:
    site = {
        "name": "local",
        "pfn": str(world.folder / "tool"),
        "type": "stageable",
        "profiles": {"env": {"A": "site"}},
    }
    catalog = {"transformations": [{"name": "tool", "metadata": {"who": "t", "level": 1}, "sites": [site]}]}
    job = {
        "id": "x",
        "out": ["y"],
        "profiles": {
            "env": {"A": "job", "B": "job"},
            "dagman": {"RETRY": "3"},
            "pegasus": {"maxwalltime": "10", "checkpoint.time": 8},
        },
        "metadata": {"who": "job"},
    }
    planned = world.plan(world.write([job], transformationCatalog=catalog)).jobs[0]
    assert planned.environment == {"A": "site", "B": "job"}
    assert planned.retries == 3
    assert (planned.walltime_seconds, planned.checkpoint_seconds) == (600, 480)
    assert {key: value.text for key, value in planned.metadata.items()} == {"who": "job", "level": "1"}


def test_container_is_refused_and_not_left_out(world: Any) -> None:
    site = {"name": "local", "pfn": str(world.folder / "tool"), "type": "stageable", "container": "box"}
    catalog = {
        "transformations": [{"name": "tool", "sites": [site]}],
        "containers": [{"name": "box", "type": "docker", "image": "docker:///x"}],
    }
    message, _ = refused(world, [{"id": "x", "out": ["y"]}], transformationCatalog=catalog)
    assert "runs in the container 'box'" in message


@given(st.text(alphabet="ab./ é\n", min_size=1, max_size=8))
def test_stem_is_the_one_of_the_query_language(name: str) -> None:
    from planner.passes.placeholders import stem

    last = name.split("/")[-1]
    dot = last.rfind(".")
    assert stem(name) == (last[:dot] if 0 < dot < len(last) - 1 else last)


def test_names_with_everything_in_them_come_through(world: Any, tmp_path: Path) -> None:
    name = "ü 'quoted\" \n= 🌈.fits"
    world.raw(name, "x")
    plan = world.freeze(world.plan(world.write([{"id": "x", "in": [name], "out": [f"{name}.out"]}])))
    assert Path(plan.files[name].path).read_text() == "x"
    assert [use.name for use in plan.jobs[0].uses] == [name, f"{name}.out"]
    assert json.loads((plan.run_dir / "plan" / "lock.json").read_text())["schema"] == "pirene.plan/1"
