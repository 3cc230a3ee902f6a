"""Names that break what splits, quotes or expands them: of the workflow, of jobs, of files and in arguments."""

from __future__ import annotations

import hashlib
import json

import pytest

pytestmark = pytest.mark.timeout(600)  # as long as a pool may be busy with other tests

WORKFLOW = "odd, \"name\" of 'a' workflow\nin two lines; $(Cluster) %s é\U0001f40e"
COPY = """#!/usr/bin/env python3
# RECORD OUTPUT... -- INPUT... -- REST...: each output gets the input at its place, or else its own name
import json, os, sys
record, rest = sys.argv[1], sys.argv[2:]
outputs, rest = rest[:rest.index("--")], rest[rest.index("--") + 1:]
inputs, rest = rest[:rest.index("--")], rest[rest.index("--") + 1:]
for place, name in enumerate(outputs):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    source = inputs[place] if inputs else None
    with open(name, "wb") as file:
        file.write(open(source, "rb").read() if source else os.fsencode(name))
with open(record, "w") as file:
    json.dump(rest, file)
"""
# Spaces, quotes, line ends, separators, what shells, YAML, DAGs, submit descriptions and URLs expand or cut at.
NAMES = (
    "with space",
    " leading and trailing ",
    "quo'te",
    'double "quotes"',
    "new\nline",
    "carriage\rreturn",
    "tab\there",
    "comma,semi;colon:",
    "back\\slash\\",
    "-dash",
    "--job",
    "#hash",
    "$(Cluster)",
    "$HOME ${HOME} `id`",
    "percent%41%s",
    "question?=&mark",
    "star*[a-z]{x,y}",
    "equals=",
    "at@|<>()!~",
    "http:name",
    "é\U0001f40e日本",
    "cafe\u0301",
    "right\u202eleft",
    "\x07\x1b[31mbell",
    "x" * 200,
    "sub/folder/file",
    "sub/other folder/file",
    "one, two/three 'four'/five",
)
ARGUMENTS = (*NAMES, "", " ", "\n", "'", '"', "''", '""', "\\", "\\n", "\\'", "$$", "$", "%", "*", "\ttab", "$(DOLLAR)")
JOBS = ("odd, job\n\"one\" of 'it'; $(JOB) %s é\U0001f40e", "PARENT", "a.b+c/d e", "1", "-")


@pytest.fixture
def odd(ran, job):
    """The run: raw files of all names are copied to outputs, these to more outputs, by jobs of odd names."""
    return ran("odd", lambda bench: make(bench, job))


def outputs(stage: str) -> list[str]:
    return [f"{stage}/{name}" for name in NAMES]


def make(bench, job):
    raw = outputs("raw")
    replicas = [bench.raw(name, f"content of {name}".encode()) for name in raw]
    copies, again = outputs("copy"), outputs("again")
    jobs = [
        job(JOBS[0], "copy all", "rest 0", *copies, "--", *raw, "--", *ARGUMENTS,
            reads=raw, writes=["rest 0", *copies[:-5]], uses=inside(copies[-5:])),
        job(JOBS[1], "copy all", "rest 1", *again, "--", *copies, "--",
            reads=copies, writes=["rest 1", *again]),
        *(
            job(id_, "copy all", f"rest {number}", "--", "--", id_, writes=[f"rest {number}"])
            for number, id_ in enumerate(JOBS[2:], start=2)
        ),
    ]  # fmt: skip
    dependencies = [{"id": JOBS[0], "children": [JOBS[2]]}, {"id": JOBS[2], "children": list(JOBS[3:])}]
    workflow = bench.write(WORKFLOW, {"copy all": COPY}, jobs, replicas=replicas, jobDependencies=dependencies)
    return bench.call(*bench.plan_and_run(workflow))


def inside(names):
    return [{"lfn": name, "type": "output", "stageOut": False} for name in names]


def test_the_run_succeeded(odd) -> None:
    assert odd.code == 0, odd.err
    assert odd.summary["workflow"] == WORKFLOW
    assert odd.summary["jobs"]["succeeded"] == len(JOBS)
    assert odd.bench.site.query("workflows show name, status") == [{"name": WORKFLOW, "status": "succeeded"}]


def test_job_ids(odd) -> None:
    assert {id_: row["status"] for id_, row in odd.jobs.items()} == dict.fromkeys(JOBS, "succeeded")
    for id_ in JOBS:
        assert len(odd.records(id_)) == 1, id_


def test_arguments_arrive_as_they_are_written(odd) -> None:
    assert json.loads(odd.output("rest 0").read_bytes()) == list(ARGUMENTS)
    assert odd.jobs[JOBS[0]]["arguments"][-len(ARGUMENTS) :] == list(ARGUMENTS)
    (record,) = odd.records(JOBS[0])
    assert record["argument_vector"][-len(ARGUMENTS) :] == list(ARGUMENTS)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_of_files(odd, name) -> None:
    """From a raw file through two jobs to the output folder, and in the store."""
    content = f"content of raw/{name}".encode()
    assert odd.output(f"again/{name}").read_bytes() == content
    for made in (f"copy/{name}", f"again/{name}"):
        row = odd.made(made)
        assert (row["sha256"], row["size"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_lineage_and_audit(odd) -> None:
    assert odd.audit["verdict"] == "clean"
    lineage = odd.bench.call("lineage", str(odd.output("again/new\nline")), "--format", "json").document
    assert {node["job"] for node in lineage["nodes"] if node.get("job")} == set(JOBS[:2])
