from __future__ import annotations

import click
import pytest

from provenance.answers.designators import NothingFoundError
from provenance.answers.things import AmbiguousThingError
from provenance.commands.meta import meta
from provenance.commands.query import query


def by_key(rows):
    return {(row["origin"], row["key"]): row["value"] for row in rows}


def test_a_workflow_a_job_and_a_file_show_what_was_given_reported_and_measured(runs, json_of):
    workflow = by_key(json_of(meta, "list", "left"))
    assert workflow["static", "campaign"] == "DR3"
    assert workflow["measured", "status"] == "succeeded"
    assert workflow["measured", "user"] == "ada"
    assert workflow["measured", "planner_version"] == "0.1"
    job = by_key(json_of(meta, "list", "left", "a"))
    assert job["static", "timesteps"] == "500000"
    assert job["runtime", "chi2"] == 1.25
    assert job["measured", "host"] == "node1"
    assert job["measured", "exit_code"] == 0
    assert (job["measured", "read_bytes"], job["measured", "written_bytes"]) == (10, 20)
    file = by_key(json_of(meta, "list", str(runs.output("left", "raw.dat"))))
    assert file["static", "kind"] == "raw"
    assert file["measured", "size"] == 4
    assert ("measured", "checksum_seconds") in file
    assert ("measured", "owner") in file


def test_odd_keys_and_values_come_back(runs, json_of):
    rows = json_of(meta, "list", 'workflows where name = "left"')
    assert by_key(rows)["static", "q\"uo'te=:\n🦊"] == "a\nb=c: \"d\" 'e' 🦊"


def test_a_run_by_its_id_and_a_file_by_name(runs, json_of):
    assert by_key(json_of(meta, "list", str(runs.ids["right"])))["measured", "name"] == "right"
    rows = json_of(meta, "list", "done.flag")
    assert len({row["id"] for row in rows}) == 2


def test_set_and_unset_keep_the_history(runs, run_command, json_of):
    path = str(runs.output("left", "raw.dat"))
    run_command(meta, "set", path, "qc=good", "tags=a", "tags=b", "empty=")
    found = by_key(json_of(meta, "list", path))
    assert found["set", "qc"] == "good"
    assert found["set", "tags"] == ["a", "b"]
    assert found["set", "empty"] == ""
    assert [row["name"] for row in json_of(query, 'files where tags has "b"')] == ["raw.dat"]
    before = runs.store.snapshot().number
    run_command(meta, "unset", path, "-k", "qc")
    assert ("set", "qc") not in by_key(json_of(meta, "list", path))
    assert json_of(query, 'files where qc = "good"') == []
    assert len(json_of(query, f'files where qc = "good" as of commit {before}')) == 1
    history = [row for row in json_of(meta, "list", path, "--history") if row["key"] == "qc"]
    assert [(row["value"], row["withdrawn"]) for row in history] == [("good", False), (None, True)]


def test_the_newest_commit_wins(runs, run_command, json_of):
    run_command(meta, "set", 'jobs where id = "a"', "timesteps=7")
    assert {row["value"] for row in json_of(meta, "list", "left", "a") if row["key"] == "timesteps"} == {7}
    assert json_of(query, 'jobs where timesteps = "500000"') == []
    assert len(json_of(query, "jobs where timesteps = 7")) == 2


def test_what_is_not_there_is_said(runs, run_command):
    with pytest.raises(NothingFoundError, match="nonsense"):
        run_command(meta, "list", "nonsense")
    with pytest.raises(NothingFoundError, match="no job 'z'"):
        run_command(meta, "list", "left", "z")
    assert "nothing to set" in run_command(meta, "set", "left", exit_code=2).output


def test_a_word_for_two_things_is_refused(runs, run_command, tmp_path):
    from provenance.registration.raw_files import add_files

    (tmp_path / "left2").write_bytes(b"x")
    add_files(runs.store, [tmp_path / "left2"], name="left")
    with pytest.raises(AmbiguousThingError, match="a run and the name of a file"):
        run_command(meta, "list", "left")


def test_the_table_names_origin_and_author(runs, run_command):
    lines = run_command(meta, "list", "left", "a").stdout.splitlines()
    assert lines[0].split() == ["entity", "of", "key", "value", "origin", "author"]
    assert any("chi2" in line and "runtime" in line for line in lines)


def test_commands_are_named_as_they_are_called():
    assert isinstance(meta, click.Group)
    assert set(meta.commands) == {"list", "set", "unset"}


def test_what_matches_nothing_is_said(runs, run_command):
    before = runs.store.snapshot().number
    assert "nothing was set" in run_command(meta, "set", 'files where name = "none"', "a=1").stderr
    assert "nosuch: nothing that is meant has this key" in run_command(meta, "unset", "left", "-k", "nosuch").stderr
    assert runs.store.snapshot().number == before
    said = run_command(meta, "unset", "workflows", "-k", "campaign", "-k", "nosuch").stderr
    assert "campaign: withdrawn from 2 workflows" in said and "nosuch: nothing" in said


def test_many_things_are_asked_about_together(runs, run_command, json_of, monkeypatch):
    """Not one query for each: and what is said of one thing never shows on another."""
    from provenance.answers import facts as facts_module

    run_command(meta, "set", 'files where name = "done.flag" and workflow.name = "left"', "qc=good", "qc=better")
    one_by_one = [
        row for file in runs.query("files show id") for row in json_of(meta, "list", str(file["id"]), "--history")
    ]
    counted = []
    reading = facts_module.Reading.rows
    monkeypatch.setattr(
        facts_module.Reading, "rows", lambda self, sql, *rest: counted.append(sql) or reading(self, sql, *rest)
    )
    together = json_of(meta, "list", "files", "--history")
    assert together == one_by_one
    assert sum("FROM metadata" in sql for sql in counted) == 1
    assert len({row["id"] for row in together if row["key"] == "qc"}) == 1
    facts = json_of(meta, "list", "files")
    assert len({row["id"] for row in facts if row["key"] == "sha256"}) == 6
    assert [row["value"] for row in facts if row["key"] == "qc"] == [["good", "better"]]
