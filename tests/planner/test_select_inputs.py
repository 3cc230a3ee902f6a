"""Selections: what they choose, what foreach makes of it, and every case in which one would have to guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.errors import PlannerError
from planner.plan_folder import read_plan
from provenance.answers.saved_queries import save
from provenance.metadata import Written, from_json
from provenance.registration.raw_files import add_files

ISR = {
    "id": "isr",
    "foreach": "raw",
    "arguments": ["-i", "${raw.name}", "-o", "${raw.stem}.isr", "$HOME", "${HOME}", "${raw.exposure}"],
    "metadata": {"exposure": "${raw.exposure}", "label": "of ${raw.name}", "plain": "${other.name}"},
    "uses": [{"select": "raw", "type": "input"}, {"lfn": "${raw.stem}.isr", "type": "output"}],
}
STACK = {
    "id": "stack",
    "arguments": ["-o", "stack.fits", "${raw.names}"],
    "uses": [
        {"select": "raw", "type": "input"},
        {"outputs-of": "isr", "type": "input"},
        {"lfn": "stack.fits", "type": "output"},
    ],
}


def register(world: Any, name: str, content: str, **metadata: Any) -> Path:
    path: Path = world.folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    add_files(world.store, [path], metadata={key: from_json(value) for key, value in metadata.items()})
    return path


def raw(query: str = 'files where kind = "raw"', **keys: Any) -> dict[str, Any]:
    return {"selections": {"raw": {"query": query, **keys}}}


def refused(world: Any, workflow: Path, **options: Any) -> tuple[str, str]:
    with pytest.raises(PlannerError) as caught:
        world.plan(workflow, **options)
    return str(caught.value), caught.value.hint or ""


def test_foreach_and_all_that_placeholders_stand_for(world: Any) -> None:
    register(world, "b.fits", "B", kind="raw", exposure="007")
    register(world, "a.fits", "A", kind="raw", exposure=12)
    register(world, "dark.fits", "D", kind="dark")
    plan = world.plan(world.write([ISR, STACK], **raw()))
    assert [job.job.id for job in plan.jobs] == ["isr-0001", "isr-0002", "stack"]
    assert plan.jobs[0].arguments == ("-i", "a.fits", "-o", "a.isr", "$HOME", "${HOME}", "12")
    assert plan.jobs[1].metadata == {
        "exposure": Written("007", "text"),
        "label": Written("of b.fits", "text"),
        "plain": Written("${other.name}", "text"),
    }
    assert plan.jobs[0].metadata["exposure"] == Written("12", "number")
    assert plan.jobs[2].arguments == ("-o", "stack.fits", "a.fits", "b.fits")
    assert [use.name for use in plan.jobs[0].uses] == ["a.fits", "a.isr"]
    assert [(use.name, use.producer) for use in plan.jobs[2].uses if use.role == "input"] == [
        ("a.fits", None),
        ("b.fits", None),
        ("a.isr", 1),
        ("b.isr", 2),
    ]
    assert plan.edges == ((1, 3), (2, 3))
    assert plan.files["a.fits"].digest_origin == "recorded"
    assert not plan.files["a.fits"].new


def test_the_plan_freezes_what_was_chosen(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    workflow = world.write([ISR], **raw("files where kind = $kind and created <= now", params={"kind": "raw"}))
    plan = world.plan(workflow)
    world.freeze(plan)
    register(world, "later.fits", "L", kind="raw", exposure=2)
    assert [job.id for job in read_plan(plan.run_dir).jobs] == ["isr-0001"]
    lock = json.loads((plan.run_dir / "plan" / "lock.json").read_text())["selections"]["raw"]
    assert 'status = "ok"' in lock["query"]
    assert lock["parameters"] == {"kind": "raw"}
    assert [file["name"] for file in lock["files"]] == ["a.fits"]
    assert lock["files"][0]["sha256"] == plan.files["a.fits"].sha256.hex()
    rows = world.store.rows("SELECT name, parameters, len(files) FROM selections", tables=["selections"])
    assert rows == [("raw", '{"kind": "raw"}', 1)]
    assert len(world.plan(workflow).jobs) == 2


def test_the_plan_freezes_the_whole_text_of_a_saved_query(world: Any) -> None:
    """Readable files are asked for inside of it, before `latest`; what is saved later changes no plan."""
    register(world, "old.fits", "O", kind="raw", exposure=1)
    register(world, "older.fits", "P", kind="raw", exposure=1)
    save(world.store, "newest", "files where kind = $kind latest 1 per exposure by name")
    workflow = world.write([ISR], **raw("@newest(kind = $k)", params={"k": "raw"}))
    plan = world.plan(workflow)
    assert [file.name for file in plan.selections["raw"].files] == ["older.fits"]
    world.freeze(plan)
    save(world.store, "newest", 'files where kind = "flat"')
    lock = json.loads((plan.run_dir / "plan" / "lock.json").read_text())["selections"]["raw"]
    assert lock["query"] == 'files where `kind` = $k and status = "ok" latest 1 per `exposure` by name'


def test_parameters_of_the_command_line_come_over_those_of_the_file(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    register(world, "d.fits", "D", kind="dark", exposure=1)
    workflow = world.write([ISR], **raw("files where kind = $kind", params={"kind": "raw"}))
    assert world.plan(workflow, parameters={"kind": "dark"}).jobs[0].arguments[1] == "d.fits"
    message, hint = refused(world, workflow, parameters={"knid": "dark"})
    assert "-p knid" in message
    assert "$name" in hint


def test_no_match_names_the_condition_to_drop(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    register(world, "b.fits", "B", kind="raw", exposure=2)
    message, hint = refused(world, world.write([ISR], **raw('files where kind = "raw" and exposure > 5')))
    assert "selection 'raw' found no files" in message
    assert "w.yml:1:" in message
    assert "Without `exposure > 5` there would be 2." in hint
    _, hint = refused(world, world.write([ISR], **raw('files where kind = "raw" and exposre > 5')))
    assert "no file has the key exposre yet" in hint


def test_no_match_is_fine_where_it_is_expected_to_be_possible(world: Any) -> None:
    plan = world.plan(world.write([ISR, {"id": "a", "out": ["x"]}], **raw(expect={"min": 0})))
    assert [job.job.id for job in plan.jobs] == ["a"]
    assert any("kind" in warning for warning in plan.warnings)


def test_too_many_and_too_few_are_listed(world: Any) -> None:
    for number in range(12):
        register(world, f"{number:02}.fits", str(number), kind="raw", exposure=number)
    message, hint = refused(world, world.write([ISR], **raw(expect={"max": 3})))
    assert "expected 1 to 3 files, found 12: 00.fits, 01.fits" in message
    assert "09.fits and 2 more" in message
    assert "latest 1 per name by created" in hint
    message, _ = refused(world, world.write([ISR], **raw(expect={"exactly": 13})))
    assert "expected 13 files, found 12" in message


def test_one_name_with_two_contents_is_never_decided_silently(world: Any) -> None:
    register(world, "one/a.fits", "A", kind="raw", exposure=1)
    register(world, "two/a.fits", "other", kind="raw", exposure=1)
    message, hint = refused(world, world.write([ISR], **raw()))
    assert "chose 'a.fits' with 2 different contents" in message
    assert str(world.folder / "data/one/a.fits") in message
    assert "latest 1 per name by created" in hint
    decided = world.write([ISR], **raw('files where kind = "raw" latest 1 per name by created'))
    assert Path(world.plan(decided).files["a.fits"].path).read_text() == "other"


def test_one_name_with_one_content_twice_is_one_file(world: Any) -> None:
    register(world, "one/a.fits", "A", kind="raw", exposure=1)
    register(world, "two/a.fits", "A", kind="raw", exposure=1)
    assert len(world.plan(world.write([ISR], **raw(expect={"exactly": 1}))).jobs) == 1


def test_files_that_are_gone_are_no_match_and_unregistered_loss_is_an_error(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    register(world, "b.fits", "B", kind="raw", exposure=1).unlink()
    message, _ = refused(world, world.write([ISR], **raw()))
    assert "1 of 2 files cannot be read here" in message
    assert "b.fits" in message


@pytest.mark.parametrize(("event", "said"), [("quarantined", "damaged"), ("missing", "gone")])
@pytest.mark.parametrize("keys", [{}, {"expect": {"exactly": 2}}, {"expect": {"min": 0}}])
def test_a_match_without_a_good_copy_is_never_left_out_silently(
    world: Any, event: str, said: str, keys: dict[str, Any]
) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    bad = register(world, "b.fits", "B", kind="raw", exposure=1)
    workflow = world.write([ISR], **raw(**keys))
    assert len(world.plan(workflow).jobs) == 2
    world.seen(event, bad)
    message, hint = refused(world, workflow)
    assert (
        f"selection 'raw' matches files of which no good copy is left (1, besides 1 good ones): b.fits ({said}: "
        in message
    )
    assert "a.fits" not in message
    assert "pirene audit --repair-plan" in hint and 'and status = "ok"' in hint
    register(world, "b.fits", "B", kind="raw", exposure=1)
    assert len(world.plan(workflow).jobs) == 2, "it was brought back"


def test_a_query_that_asks_for_good_files_gets_those(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    world.seen("quarantined", register(world, "b.fits", "B", kind="raw", exposure=1))
    plan = world.plan(world.write([ISR], **raw('files where kind = "raw" and status = "ok"')))
    assert [file.name for file in plan.selections["raw"].files] == ["a.fits"]


@pytest.mark.parametrize("event", ["retired", "removed", "replaced"])
def test_what_somebody_gave_up_is_no_loss(world: Any, event: str) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    world.seen("quarantined", register(world, "b.fits", "B", kind="raw", exposure=1))
    world.seen(event, world.folder / "data" / "b.fits")
    assert len(world.plan(world.write([ISR], **raw())).jobs) == 1


def test_an_older_version_is_not_taken_for_a_damaged_one(world: Any) -> None:
    """Nor does one that was given up hide the damage; a damaged one that is older than a good one is not asked for."""
    newest = 'files where kind = "raw" latest 1 per exposure by created'
    older = register(world, "a.fits", "A", kind="raw", exposure=1)
    world.seen("quarantined", register(world, "b.fits", "B", kind="raw", exposure=1))
    world.seen("removed", register(world, "c.fits", "C", kind="raw", exposure=1))
    world.seen("missing", register(world, "d.fits", "D", kind="raw", exposure=9))
    message, _ = refused(world, world.write([ISR], **raw(newest)))
    assert "b.fits (damaged: " in message and "d.fits (gone: " in message
    register(world, "e.fits", "E", kind="raw", exposure=1)
    register(world, "f.fits", "F", kind="raw", exposure=9)
    world.seen("missing", older)
    plan = world.plan(world.write([ISR], **raw(newest)))
    assert [file.name for file in plan.selections["raw"].files] == ["e.fits", "f.fits"]


def test_lost_content_that_was_chosen_under_its_name_is_not_missed(world: Any) -> None:
    register(world, "one/a.fits", "A", kind="raw", exposure=1)
    world.seen("quarantined", register(world, "two/a.fits", "A", kind="raw", exposure=1))
    assert len(world.plan(world.write([ISR], **raw(expect={"exactly": 1}))).jobs) == 1


def test_missing_key_names_the_file_and_the_placeholder(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposures=1)
    message, hint = refused(world, world.write([ISR], **raw()))
    assert "${raw.exposure}: file 'a.fits' has no metadata key 'exposure'" in message
    assert hint == "Did you mean ${raw.exposures}?"


def test_list_and_names_inside_a_text_are_refused(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=[1, 2])
    assert "has a list there" in refused(world, world.write([ISR], **raw()))[0]
    job = {"id": "x", "arguments": ["--all=${raw.names}"], "out": ["y"]}
    assert "has to stand alone" in refused(world, world.write([job], **raw()))[0]


def test_placeholder_outside_foreach_needs_a_selection_of_one(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    job = {"id": "x", "arguments": ["${raw.name}"], "out": ["y"], "uses": [{"select": "raw", "type": "input"}]}
    assert world.plan(world.write([job], **raw())).jobs[0].arguments == ("a.fits",)
    register(world, "b.fits", "B", kind="raw", exposure=1)
    message, hint = refused(world, world.write([job], **raw()))
    assert "has 2 files here" in message
    assert "foreach: raw" in hint


def test_two_files_that_would_write_one_output_are_refused(world: Any) -> None:
    register(world, "one/a.fits", "A", kind="raw", exposure=1)
    register(world, "b.fits", "B", kind="raw", exposure=1)
    job = {**ISR, "uses": [{"select": "raw", "type": "input"}, {"lfn": "same", "type": "output"}]}
    message, hint = refused(world, world.write([job], **raw()))
    assert "two jobs write 'same': isr-0001" in message
    assert "SELECTION.stem" in hint


def test_output_named_like_a_selected_file_is_refused(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    message, _ = refused(world, world.write([{"id": "x", "out": ["a.fits"]}], **raw()))
    assert "also the name of a selected file" in message


def test_dependencies_on_a_foreach_job_are_on_all_that_it_makes(world: Any) -> None:
    register(world, "a.fits", "A", kind="raw", exposure=1)
    register(world, "b.fits", "B", kind="raw", exposure=1)
    jobs = [ISR, {"id": "after", "out": ["z"]}]
    plan = world.plan(world.write(jobs, jobDependencies=[{"id": "isr", "children": ["after"]}], **raw()))
    assert plan.edges == ((1, 3), (2, 3))


def test_reuse_policy_selects_what_may_be_reused(world: Any) -> None:
    world.raw("in", "x")
    workflow = world.write([{"id": "x", "in": ["in"], "out": ["y"]}])
    world.run(workflow)

    def decision(policy: str, **options: Any) -> str:
        decided: str = world.plan(workflow, reuse_policy=policy, **options).jobs[0].decision
        return decided

    assert decision('jobs where workflow.name = "w"') == "reuse"
    assert decision("jobs where workflow.name = $name", parameters={"name": "w"}) == "reuse"
    assert decision('jobs where workflow.name = "none"') == "run"
    assert "policy" in world.plan(workflow, reuse_policy='jobs where id = "none"').jobs[0].reason
    assert (
        world.plan(world.write([{"id": "x", "in": ["in"], "out": ["y"]}], reuse='jobs where id = "n"')).jobs[0].decision
        == "run"
    )
    with pytest.raises(PlannerError, match="has to select jobs, it selects files"):
        decision("files")


def test_policy_that_selects_a_reused_job_means_the_one_that_ran(world: Any) -> None:
    world.raw("in", "x")
    jobs = [{"id": "x", "in": ["in"], "out": ["y"]}]
    world.run(world.write(jobs, name="first"))
    world.run(world.write(jobs, name="second"))
    plan = world.plan(world.write(jobs, name="third"), reuse_policy='jobs where workflow.name = "second"')
    assert plan.jobs[0].decision == "reuse"
