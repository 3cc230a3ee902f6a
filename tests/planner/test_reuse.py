"""Which jobs are left out, for which ground, and what every reason names: the history of a diamond, told in plans."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integrity.digest import Stat
from planner.errors import PlannerError
from planner.planned import Plan
from provenance.copies.replicas import add_event, file_url
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch

Diamond = Callable[..., Path]
ALL = {"preprocess", "left", "right", "analyze"}


def runs(plan: Plan) -> set[str]:
    return {job.job.id for job in plan.jobs if job.decision == "run"}


def why(plan: Plan, job_id: str) -> str:
    return next(job.reason for job in plan.jobs if job.job.id == job_id)


def grounds(plan: Plan) -> set[str | None]:
    return {job.ground for job in plan.jobs}


def test_everything_runs_at_first_and_nothing_afterwards(world: Any, diamond: Diamond) -> None:
    first = world.run(diamond())
    assert runs(first) == ALL
    assert all("first run" in job.reason for job in first.jobs)
    again = world.plan(diamond())
    assert runs(again) == set()
    assert grounds(again) == {"proven"}
    assert {job.reused_from_names for job in again.jobs} == {(str(first.run_id), each) for each in ALL}


def test_changed_input_runs_all_below_it_and_every_reason_names_it(world: Any, diamond: Diamond) -> None:
    old = world.run(diamond()).files["f.a"].sha256.hex()
    world.raw("f.a", "rAw data\n")
    plan = world.plan(diamond())
    new = plan.files["f.a"].sha256.hex()
    assert runs(plan) == ALL
    assert why(plan, "preprocess") == f"input f.a sha256 {old[:12]}… → {new[:12]}…"
    assert why(plan, "left").startswith("input f.b1 comes from preprocess, which runs (input f.a sha256")
    assert all(f"{old[:12]}… → {new[:12]}…" in job.reason for job in plan.jobs)


def test_changed_argument_runs_that_job_and_those_below(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    plan = world.plan(diamond(changes={"left": {"arguments": ["-a", "findrange", "3"]}}))
    assert runs(plan) == {"left", "analyze"}
    assert why(plan, "left") == 'argument 3 "1" → "3"'
    assert 'argument 3 "1" → "3"' in why(plan, "analyze")


def test_number_of_arguments_and_environment_are_named(world: Any, diamond: Diamond) -> None:
    world.run(diamond(changes={"left": {"profiles": {"env": {"MODE": "fast", "LANG": "C"}}}}))
    changed = {"left": {"profiles": {"env": {"MODE": "safe"}}}, "right": {"arguments": ["-a"]}}
    plan = world.plan(diamond(changes=changed))
    assert runs(plan) == {"left", "right", "analyze"}
    assert why(plan, "left") == 'environment LANG "C" → unset; environment MODE "fast" → "safe"'
    assert why(plan, "right") == 'arguments "-a findrange 2" → "-a"'


def test_changed_executable_is_named(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    world.tool("#!/bin/sh\n# newer\n")
    plan = world.plan(diamond())
    assert runs(plan) == ALL
    assert why(plan, "right").startswith("executable tool sha256 ")


def test_new_and_dropped_files_are_named(world: Any, diamond: Diamond) -> None:
    world.raw("extra", "x")
    world.run(diamond(changes={"preprocess": {"in": ["f.a", "extra"]}}))
    plan = world.plan(diamond(changes={"preprocess": {"out": ["f.b1", "f.b2", "f.b3"]}}))
    assert why(plan, "preprocess") == "input extra is read no more; output f.b3 is new"


def test_salt_says_that_something_not_recorded_changed(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    plan = world.plan(diamond(changes={"analyze": {"profiles": {"pirene": {"salt": "2"}}}}))
    assert runs(plan) == {"analyze"}
    assert "salt" in why(plan, "analyze")


def test_lost_intermediate_brings_its_producer_back_only_when_it_is_needed(world: Any, diamond: Diamond) -> None:
    changes = {"preprocess": {"out": [{"lfn": "f.b1", "stageOut": False}, {"lfn": "f.b2", "stageOut": False}]}}
    first = world.run(diamond(changes=changes))
    assert runs(world.plan(diamond(changes=changes))) == set()
    plan = world.plan(diamond(changes=changes), force=frozenset({"left"}))
    assert runs(plan) == {"preprocess", "left", "analyze"}
    assert why(plan, "left") == "it was forced to run"
    assert why(plan, "preprocess") == "its output f.b1 is gone: no copy of it is left"
    recorded = world.store.rows(
        "SELECT name, sha256 FROM files WHERE source = ? AND name LIKE 'f.b_'", [first.run], tables=["files"]
    )
    assert plan.jobs[0].expected == dict(recorded)


def test_deleted_final_output_is_made_again(world: Any, diamond: Diamond) -> None:
    first = world.run(diamond())
    world.output(first, "f.c1").unlink()
    plan = world.plan(diamond(), force=frozenset({"analyze"}))
    assert runs(plan) == {"left", "analyze"}
    assert "f.c1 is gone from file://" in why(plan, "left")
    assert [(file.name, finding) for file, _, finding in plan.findings] == [("f.c1", "missing")]


def test_garbage_of_the_same_size_and_mtime_is_not_reused(world: Any, diamond: Diamond) -> None:
    first = world.run(diamond())
    path = world.output(first, "f.d")
    before = path.stat()
    path.write_bytes(b"#" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    plan = world.plan(diamond())
    assert runs(plan) == {"analyze"}
    assert "was damaged (content-mismatch)" in why(plan, "analyze")
    ((file, actual, finding),) = plan.findings
    assert (file.name, finding) == ("f.d", "content-mismatch")
    assert actual != file.sha256
    world.freeze(plan)
    checks = world.store.rows("SELECT name, verdict, finding FROM checks", tables=["checks"])
    events = world.store.rows("SELECT event FROM replicas WHERE event = 'quarantined'", tables=["replicas"])
    assert (checks, events) == ([("f.d", "mismatch", "content-mismatch")], [("quarantined",)])
    assert runs(world.plan(diamond())) == {"analyze"}


def test_touched_output_is_hashed_again_and_reused(world: Any, diamond: Diamond) -> None:
    first = world.run(diamond())
    world.output(first, "f.d").touch()
    plan = world.plan(diamond())
    assert runs(plan) == set()
    assert [file.name for file in plan.verified] == ["f.d"]
    world.freeze(plan)
    assert world.plan(diamond()).verified == ()


def test_history_a_b_a_is_reused_from_another_folder_and_under_another_name(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    world.raw("f.a", "B\n")
    world.run(diamond())
    world.raw("f.a", "raw data\n")
    assert runs(world.plan(diamond())) == set()
    elsewhere = world.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.txt").write_text("raw data\n")
    world.catalog["f.a"]["pfns"] = [{"site": "local", "pfn": str(elsewhere / "a.txt")}]
    assert runs(world.plan(diamond(name="other"))) == set()


def test_reason_compares_with_what_the_last_plan_reused(world: Any, diamond: Diamond) -> None:
    for text in ("A\n", "B\n", "A\n"):
        world.raw("f.a", text)
        last = world.run(diamond())
    world.raw("f.a", "C\n")
    assert last.files["f.a"].sha256.hex()[:12] in why(world.plan(diamond()), "preprocess")


def test_asserted_outputs_are_reused_unless_not_trusted(world: Any, diamond: Diamond) -> None:
    for name in ("f.b1", "f.b2", "f.c1", "f.c2", "f.d"):
        world.raw(name, f"given {name}")
    plan = world.plan(diamond())
    assert runs(plan) == set()
    assert grounds(plan) == {"asserted"}
    assert plan.jobs[3].reused["f.d"].file.new
    assert runs(world.plan(diamond(), trust=("proven", "observed"))) == ALL
    assert runs(world.plan(diamond(reuse={"trust": ["proven", "observed"]}))) == ALL
    world.freeze(plan)
    names = world.store.rows("SELECT name FROM files WHERE origin = 'raw' ORDER BY name", tables=["files"])
    assert [name for (name,) in names] == ["f.a", "f.b1", "f.b2", "f.c1", "f.c2", "f.d"]
    assert grounds(world.plan(diamond())) == {"asserted"}


def test_asserted_final_output_alone_is_enough_when_nothing_else_is_needed(world: Any, diamond: Diamond) -> None:
    quiet = {"stageOut": False}
    changes = {
        "preprocess": {"out": [{"lfn": "f.b1", **quiet}, {"lfn": "f.b2", **quiet}]},
        "left": {"out": [{"lfn": "f.c1", **quiet}]},
        "right": {"out": [{"lfn": "f.c2", **quiet}]},
    }
    world.raw("f.d", "given")
    assert runs(world.plan(diamond(changes=changes))) == set()
    forced = world.plan(diamond(changes=changes), force=frozenset({"left"}))
    assert runs(forced) == {"preprocess", "left"}
    assert why(forced, "preprocess") == "first run: the store knows no success of this job"


def test_assertion_never_overrides_what_the_store_saw_under_another_key(world: Any, diamond: Diamond) -> None:
    first = world.run(diamond())
    for name in ("f.b1", "f.b2", "f.c1", "f.c2", "f.d"):
        world.catalog[name] = {"lfn": name, "pfns": [{"site": "local", "pfn": str(world.output(first, name))}]}
    plan = world.plan(diamond(changes={"preprocess": {"arguments": ["-a", "other"]}}))
    assert runs(plan) == ALL


def test_asserted_output_with_another_declared_digest_is_not_taken(world: Any, diamond: Diamond) -> None:
    for name in ("f.b1", "f.b2", "f.c1", "f.c2"):
        world.raw(name, name)
    world.raw("f.d", "given", checksum={"sha256": "ab" * 32})
    plan = world.plan(diamond())
    assert runs(plan) == {"analyze"}
    assert any("ab" * 32 in warning for warning in plan.warnings)


def test_no_reuse_and_reuse_false_run_everything(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    assert runs(world.plan(diamond(), reuse=False)) == ALL
    assert runs(world.plan(diamond(reuse=False))) == ALL


def test_job_without_outputs_and_nondeterministic_job_always_run(world: Any, diamond: Diamond) -> None:
    changes = {"analyze": {"out": []}, "right": {"profiles": {"pirene": {"deterministic": False}}}}
    world.run(diamond(changes=changes))
    plan = world.plan(diamond(changes=changes))
    assert runs(plan) == {"right", "analyze"}
    assert why(plan, "right") == "it is declared not deterministic"
    assert why(plan, "analyze").startswith("it declares no outputs")


def test_two_successes_that_disagree_are_never_reused(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    world.run(diamond(), reuse=False, change=lambda name, content: content + (b"!" if name == "f.c1" else b""))
    plan = world.plan(diamond())
    assert runs(plan) == {"left", "analyze"}
    assert "not deterministic: two successes of exactly this job made different f.c1" in why(plan, "left")


def say(world: Any, event: str, name: str, path: Path) -> None:
    """An event in the life of the copy at ``path`` of the one file of that name."""
    source, number = world.store.rows("SELECT source, file FROM files WHERE name = ?", [name], tables=["files"])[0]
    batch, now = Batch(), dt.datetime.now(dt.UTC)
    place = {"source": source, "file": number, "url": file_url(path), "site": "local"}
    add_event(batch, event, **place, at=now, stat=None if event == "retired" else Stat.of(path))
    world.store.commit(CommitKind.METADATA, batch)


def test_retired_outputs_are_not_reused(world: Any, diamond: Diamond) -> None:
    first = world.run(diamond())
    path = world.output(first, "f.d")
    say(world, "retired", "f.d", path)
    plan = world.plan(diamond())
    assert runs(plan) == {"analyze"}
    assert why(plan, "analyze") == "its output f.d was retired"
    say(world, "verified", "f.d", path)  # a job has read it: that takes nothing back
    assert runs(world.plan(diamond())) == {"analyze"}


def test_a_retired_file_that_is_registered_again_is_reused(world: Any, diamond: Diamond) -> None:
    first = world.run(diamond())
    path = world.output(first, "f.d")
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    for event, place in (("registered", copy), ("retired", path), ("retired", copy), ("reinstated", copy)):
        say(world, event, "f.d", place)
    assert runs(world.plan(diamond())) == set()


def test_a_retired_optional_output_is_not_taken_for_one_that_was_not_made(world: Any) -> None:
    jobs = [
        {"id": "make", "out": ["f", {"lfn": "log", "optional": True}]},
        {"id": "read", "in": ["f", {"lfn": "log", "optional": True}], "out": ["g"]},
    ]
    workflow = world.write(jobs)
    first = world.run(workflow)
    say(world, "retired", "log", world.output(first, "log"))
    plan = world.plan(workflow)
    assert runs(plan) == {"make", "read"}
    assert why(plan, "make") == "its output log was retired"


def test_a_policy_says_of_keys_that_no_job_has(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    plan = world.plan(diamond(), reuse_policy='jobs where campain = "DR3"')
    assert "reuse policy: no job has the key campain yet: it matches nothing" in plan.warnings
    assert runs(plan) == ALL


def test_force_of_an_unknown_job_suggests(world: Any, diamond: Diamond) -> None:
    with pytest.raises(PlannerError) as caught:
        world.plan(diamond(), force=frozenset({"analyse"}))
    assert caught.value.hint == "Did you mean analyze?"


def test_executable_that_cannot_be_hashed_is_taken_as_last_seen(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    (world.folder / "tool").unlink()
    plan = world.plan(diamond())
    assert runs(plan) == set()
    assert grounds(plan) == {"observed"}
    with pytest.raises(PlannerError, match="there is no executable"):
        world.plan(diamond(), trust=("proven",))


def test_executable_that_differs_from_its_declared_digest_is_no_ground(world: Any, diamond: Diamond) -> None:
    world.run(diamond())
    site = {"name": "local", "pfn": str(world.folder / "tool"), "type": "stageable"}
    declared = {"name": "tool", "checksum": {"sha256": "ab" * 32}, "sites": [site]}
    plan = world.plan(diamond(transformationCatalog={"transformations": [declared]}))
    assert runs(plan) == ALL
    assert plan.jobs[0].executable_sha256 == bytes.fromhex("ab" * 32)
    assert "declared digest" in why(plan, "preprocess")


def test_damaged_declared_input_is_no_ground_even_if_the_past_has_the_key(world: Any, diamond: Diamond) -> None:
    import hashlib

    path = world.raw("f.a", "raw data\n")
    digest = hashlib.sha256(b"raw data\n").hexdigest()
    world.raw("f.a", "raw data\n", checksum={"sha256": digest})
    assert runs(world.run(diamond())) == ALL
    assert runs(world.plan(diamond())) == set()
    path.write_text("raw dAta\n")
    plan = world.plan(diamond())
    assert runs(plan) == ALL
    assert plan.files["f.a"].sha256.hex() == digest
    assert "input f.a is not as expected" in why(plan, "preprocess")


def test_inout_versions_are_reused_and_their_last_one_is_final(world: Any) -> None:
    jobs = [{"id": "make", "out": ["f"]}, {"id": "change", "inout": ["f"]}, {"id": "read", "in": ["f"], "out": ["g"]}]
    workflow = world.write(jobs)
    world.run(workflow)
    assert runs(world.plan(workflow)) == set()


def test_optional_outputs_that_were_not_made_are_not_missed(world: Any) -> None:
    workflow = world.write([{"id": "make", "out": ["f", {"lfn": "log", "optional": True}]}])
    world.run(workflow)
    assert set(world.plan(workflow).jobs[0].reused) == {"f", "log"}
