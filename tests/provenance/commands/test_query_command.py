from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from provenance.commands.fields import fields
from provenance.commands.meta import meta
from provenance.commands.query import query
from query.errors import QueryError


def test_a_query_in_every_format(runs, run_command):
    text = 'files where name = "raw.dat" order by size show name, size, sha256, kind'
    rows = json.loads(run_command(query, text, "--format", "json").stdout)
    assert [(row["name"], row["size"], row["kind"]) for row in rows] == [("raw.dat", 4, "raw"), ("raw.dat", 5, "raw")]
    assert all(len(row["sha256"]) == 64 for row in rows)
    lines = run_command(query, text, "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line) for line in lines] == rows
    table = list(csv.DictReader(io.StringIO(run_command(query, text, "--format", "csv").stdout)))
    assert [row["sha256"] for row in table] == [row["sha256"] for row in rows]
    data = run_command(query, text, "--format", "parquet").stdout_bytes
    assert pq.read_table(io.BytesIO(data)).to_pylist() == rows
    shown = run_command(query, text).stdout.splitlines()
    assert shown[0].split() == ["name", "size", "sha256", "kind"]
    assert shown[1].split() == ["raw.dat", "4", rows[0]["sha256"][:12], "raw"]


def test_nothing_matches(runs, run_command, json_of):
    result = run_command(query, 'files where name = "no such"')
    assert result.stdout == ""
    assert "nothing matches" in result.stderr
    assert json_of(query, 'files where name = "no such"') == []


def test_parameters(runs, json_of):
    assert len(json_of(query, "files where name = $n", "-p", "n=done.flag")) == 2


def test_an_unknown_key_is_an_error(runs, run_command):
    with pytest.raises(QueryError, match="kindd"):
        run_command(query, 'files where kindd = "raw"')


def test_text_and_number_forms_both_answer(runs, json_of):
    for text in ("jobs where timesteps > 1000", 'jobs where timesteps = "500000"', "jobs where timesteps = 500000"):
        assert [row["id"] for row in json_of(query, text)] == ["a", "a"]


@pytest.mark.parametrize(("key", "value"), [("type", "test"), ("status", "draft"), ("name", "n")])
def test_metadata_keys_that_a_field_hides(runs, json_of, key, value):
    assert len(json_of(query, f'jobs where meta.{key} = "{value}"')) == 2
    assert json_of(query, f'jobs where {key} = "{value}"') == []


def test_odd_keys_and_values_come_back(runs, json_of):
    (row, _) = json_of(query, "workflows order by name show *")
    assert row["metadata"]["q\"uo'te=:\n🦊"] == "a\nb=c: \"d\" 'e' 🦊"
    assert row["metadata"]["depth"] == 3
    assert row["name"] == "left"
    key = "q\"uo'te=:\n🦊"
    assert len(json_of(query, f"workflows where `{key}` = $v", "-p", "v=a\nb=c: \"d\" 'e' 🦊")) == 2


def test_fields_of_all_five_entities(runs, json_of):
    (job,) = json_of(query, 'jobs where workflow.name = "left" and id = "a" show *')
    assert job["status"] == "succeeded"
    assert job["host"] == "node1"
    assert job["attempts"] == 1
    assert job["cpu_seconds"] == 2.0
    assert job["arguments"] == ["-o", "x y"]
    assert job["metadata"]["chi2"] == 1.25
    (workflow,) = json_of(query, 'workflows where name = "left" show *')
    assert (workflow["status"], workflow["duration"]) == ("succeeded", 10.0)
    assert (workflow["job_count"], workflow["failed_count"]) == (2, 0)
    assert workflow["started"] == "2026-11-23T05:00:01Z"
    copies = json_of(query, 'replicas where state = "ok" show *')
    assert len(copies) == 6
    assert all(copy["url"].startswith("file:///") for copy in copies)
    assert len(json_of(query, 'checks where stage = "pre-exec" and verdict = "ok"')) == 4
    assert len(json_of(query, 'files where status = "ok" and sites has "local"')) == 6


def test_relations(runs, json_of):
    up = json_of(query, 'files upstream of (files where name = "done.flag" and workflow.name = "left")')
    assert sorted(row["name"] for row in up) == ["mid.dat", "raw.dat"]
    assert len(json_of(query, 'jobs where consuming (files where kind = "raw")')) == 2


def test_as_of_sees_what_was_there(runs, json_of):
    assert len(json_of(query, "workflows as of commit 1")) == 0
    assert len(json_of(query, "workflows as of commit 3")) == 1
    assert len(json_of(query, "workflows")) == 2


def test_explain_shows_how(runs, run_command, json_of):
    shown = json_of(query, 'files where name = "no such" and origin = "raw"', "--explain")
    assert shown["sql"].lstrip().upper().startswith(("SELECT", "WITH"))
    assert {row["rows"] for row in shown["without"]} == {2, 0}
    assert "sql:" in run_command(query, "files", "--explain").stdout


def test_fields_lists_what_can_be_asked(runs, json_of, run_command):
    rows = json_of(fields, "jobs")
    by_name = {row["name"]: row for row in rows}
    assert by_name["duration"]["types"] == ["duration"]
    assert by_name["timesteps"]["kind"] == "metadata"
    assert by_name["timesteps"]["types"] == ["text", "number"]
    assert by_name["timesteps"] == {
        "entity": "jobs", "name": "timesteps", "kind": "metadata", "types": ["text", "number"],
        "forms": {"text": 2, "number": 2}, "values": 2, "things": 2, "lists": 0,
        "examples": by_name["timesteps"]["examples"], "meaning": "",
    }  # fmt: skip
    assert by_name["status"]["examples"][0] == "planned"
    assert by_name["meta.status"]["values"] == 2
    assert by_name["workflow.*"]["kind"] == "path"
    assert {row["entity"] for row in json_of(fields)} == {"files", "jobs", "workflows", "replicas", "checks"}
    assert "timesteps" in run_command(fields).stdout
    assert json_of(fields, "job") == rows
    assert "expected files, jobs" in run_command(fields, "nope", exit_code=2).output


def test_a_parameter_given_several_times_is_a_list(runs, json_of, run_command):
    text = "files where name in $names summarize count(*) as n"
    assert json_of(query, text, "-p", "names=raw.dat", "-p", "names=done.flag") == [{"n": 4}]
    with pytest.raises(QueryError, match="is a list"):
        run_command(query, "files where name = $n", "-p", "n=a", "-p", "n=b")


def test_a_value_that_a_field_never_has_is_said(runs, run_command):
    result = run_command(query, 'jobs where status = "succeded"')
    assert 'status is never "succeded": did you mean succeeded?' in result.stderr
    assert "warning" not in run_command(query, 'jobs where status in ("succeeded", "failed")').stderr


def test_readers_without_types_get_what_was_written(runs, run_command, json_of):
    run_command(meta, "set", 'workflows where name = "left"', "v=1.10", "w=007", "t=1.0", "t=x", "e=", "n=null")
    text = 'workflows where name = "left" show v, w, t, e, n'
    assert run_command(query, text).stdout.splitlines() == ["   v    w  t       e  n", "1.10  007  1.0, x"]
    assert run_command(query, text, "--format", "csv").stdout.splitlines()[1] == '1.10,007,"[""1.0"", ""x""]",,'
    data = run_command(query, text, "--format", "parquet").stdout_bytes
    assert pq.read_table(io.BytesIO(data)).to_pylist()[0]["v"] == "1.10"
    assert json_of(query, text) == [{"v": 1.1, "w": 7, "t": [1.0, "x"], "e": "", "n": None}]
    lines = run_command(meta, "list", "left").stdout.splitlines()
    assert [line.split()[3] for line in lines if line.split()[2] == "v"] == ["1.10"]


def test_verbose_says_what_was_asked_of_which_state(runs, run_command):
    number = runs.store.snapshot().number
    said = run_command(query, "file  where size>2", invocation={"verbose": 1}).stderr.splitlines()
    assert said[0] == "asked: files where size > 2"
    assert said[1].startswith(f"as of commit {number}; now is 20") and said[2].endswith(" rows")
    assert run_command(query, "files").stderr == ""


def test_workflows_come_in_the_order_of_the_id_that_is_shown(runs, json_of):
    ids = [row["id"] for row in json_of(query, "workflows")]
    assert ids == sorted(ids) and len(ids) == 2
    assert json_of(query, "workflows limit 1 show id") == [{"id": ids[0]}]


def test_saved_queries_are_kept_used_and_listed(runs, run_command, json_of):
    (saved,) = json_of(query, "--save", "made", 'files where job.workflow.name = $w and name like "mid*"')
    assert {**saved, "at": None, "user": None} == {
        "name": "made", "version": 1, "query": 'files where job.workflow.name = $w and name like "mid*"',
        "parameters": ["w"], "at": None, "user": None,
    }  # fmt: skip
    assert [row["name"] for row in json_of(query, '@made(w = "left")')] == ["mid.dat"]
    assert [row["name"] for row in json_of(query, "@made(w = $x) where size > 1", "-p", "x=right")] == ["mid.dat"]
    assert json_of(query, "--saved") == [saved]
    assert "expected a query" in run_command(query, exit_code=2).stderr
    assert "one at a time" in run_command(query, "--saved", "--explain", exit_code=2).stderr


def test_a_query_is_laid_out_without_a_store(run_command):
    result = run_command(query, "--fmt", "files  where a==1 # the first")
    assert (result.stdout, result.stderr) == ("files where a = 1\n", "warning: comments are not kept\n")
    assert run_command(query, "--fmt", "files where a = '#'").stderr == ""
