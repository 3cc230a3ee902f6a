"""Metadata, static and runtime, on workflows, jobs and files: what was written comes back, and every form answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

ODD = {
    "quote \" and '": "value \" '",
    "line\nbreak": "two\nlines",
    "a=b": "c=d",
    "colon: ": ": x",
    "emoji \U0001f40e": "\U0001f30d",
}

REPORTS = """import json, os
open("made", "w").write("x")
report = [
    {"_type": "job", "_attributes": {"residual": 0.25, "converged": True, "steps": [1, 2, 3]}},
    {"_type": "file", "_id": "made", "_attributes": {"rows": 7, "said by": "the job"}},
]
open(os.environ["PIRENE_METADATA"], "w").write(json.dumps(report))
"""


def write_workflow(site, script) -> Path:
    program = script("bin/reports.py", REPORTS)
    (site.folder / "in put").write_text("raw")
    document = {
        "pegasus": "5.0",
        "name": "told",
        "metadata": {"campaign": "DR3", "timesteps": "500000", **ODD},
        "replicaCatalog": {
            "replicas": [
                {
                    "lfn": "in put",
                    "pfns": [{"site": "local", "pfn": str(site.folder / "in put")}],
                    "metadata": {"instrument": "cat", "kept": "replica"},
                }
            ]
        },
        "transformationCatalog": {
            "transformations": [
                {
                    "name": "reports",
                    "metadata": {"author": "somebody"},
                    "sites": [{"name": "local", "pfn": str(program), "type": "stageable"}],
                }
            ]
        },
        "jobs": [
            {
                "type": "job",
                "id": "with",
                "name": "reports",
                "arguments": [],
                "metadata": {"timesteps": 500000, "type": "T", "status": "S", "name": "N", **ODD},
                "uses": [
                    {"lfn": "in put", "type": "input", "metadata": {"kept": "uses"}},
                    {"lfn": "made", "type": "output", "metadata": {"kind": "result", "rows": 1, **ODD}},
                ],
            },
            {
                "type": "job",
                "id": "without",
                "name": "reports",
                "arguments": ["again"],
                "uses": [
                    {"lfn": "in put", "type": "input"},
                    {"lfn": "made2", "type": "output", "optional": True, "metadata": {"never": "made"}},
                ],
            },
        ],
    }
    path = site.folder / "told.yml"
    path.write_text(json.dumps(document, ensure_ascii=False))
    return path


def test_all_of_it_on_all_three_also_without_the_run_folder(site, script) -> None:
    run = site.run("run", str(write_workflow(site, script)), "--format", "json").json()
    shutil.rmtree(run["run_dir"])

    (workflow,) = site.query('workflows where campaign = "DR3" and timesteps > 1000 and timesteps = "500000" show *')
    assert workflow["metadata"]["timesteps"] == "500000"
    assert {key: workflow["metadata"][key] for key in ODD} == ODD
    assert workflow["user"] and workflow["host"] and workflow["job_count"] == 2

    (job,) = site.query('jobs where timesteps > 1000 and timesteps = "500000" show *')
    assert job["metadata"]["timesteps"] == 500000
    assert job["metadata"]["author"] == "somebody"
    assert job["metadata"]["residual"] == 0.25 and job["metadata"]["converged"] is True
    assert job["metadata"]["steps"] == [1, 2, 3]
    assert {key: job["metadata"][key] for key in ODD} == ODD
    assert job["exit_code"] == 0 and job["max_rss"] > 0 and job["cpu_seconds"] > 0
    for key, value in (("type", "T"), ("status", "S"), ("name", "N")):
        assert [row["id"] for row in site.query(f'jobs where meta.{key} = "{value}" show id')] == ["with"]

    (made,) = site.query('files where name = "made" and kind = "result" show *')
    assert made["metadata"]["rows"] == 7  # what the job measured, over what was expected of it
    assert made["metadata"]["said by"] == "the job"
    assert {key: made["metadata"][key] for key in ODD} == ODD
    (raw,) = site.query('files where instrument = "cat" show *')
    assert raw["name"] == "in put" and raw["metadata"]["kept"] == "uses"
    assert "no such key: never" in site.run("query", "files where never is present", code=2).err
    for key, value in ODD.items():
        quoted = "`" + key.replace("`", "``") + "`"
        assert len(site.query(f"jobs where {quoted} = $v show id", f"v={value}")) == 1


def test_meta_list_shows_given_measured_and_reported(site, script) -> None:
    run = site.run("run", str(write_workflow(site, script)), "--format", "json").json()
    job = site.run("meta", "list", 'jobs where id = "with"', "--format", "json").json()
    origins = {row["key"]: row["origin"] for row in job}
    assert origins["timesteps"] == "static" and origins["residual"] == "runtime"
    assert "measured" in origins.values()
    file = site.run("meta", "list", 'files where name = "made"', "--format", "json").json()
    keys = {row["key"] for row in file}
    assert {"kind", "rows", "said by"} <= keys
    workflow = site.run("meta", "list", 'workflows where id = "' + run["run"] + '"', "--format", "json").json()
    assert {"campaign", "timesteps"} <= {row["key"] for row in workflow}


def test_two_workflows_with_an_empty_done_flag(site, script) -> None:
    program = script("bin/touch.py", "open('done.flag', 'w').close()\n")
    for name in ("one", "two"):
        (site.folder / f"{name}.yml").write_text(
            json.dumps(
                {
                    "pegasus": "5.0",
                    "name": name,
                    "transformationCatalog": {
                        "transformations": [
                            {"name": "touch", "sites": [{"name": "local", "pfn": str(program), "type": "stageable"}]}
                        ]
                    },
                    "jobs": [
                        {
                            "type": "job",
                            "id": f"{name}-job",
                            "name": "touch",
                            "arguments": [name],
                            "metadata": {"only": name},
                            "uses": [{"lfn": "done.flag", "type": "output", "metadata": {"of": name}}],
                        }
                    ],
                }
            )
        )
        site.run("run", f"{name}.yml")
    flags = site.query('files where name = "done.flag" show id, sha256, meta.of')
    assert len(flags) == 2 and flags[0]["sha256"] == flags[1]["sha256"] and flags[0]["id"] != flags[1]["id"]
    for name, other in (("one", "two"), ("two", "one")):
        (path,) = (site.folder / "runs").glob(f"{name}-*/output/done.flag")
        lineage = site.run("lineage", str(path), "--format", "json").json()
        names = {node.get("job") for node in lineage["nodes"]}
        assert f"{name}-job" in names and f"{other}-job" not in names
        assert site.query(f'files where of = "{name}" and job.only = "{other}"') == []


def test_what_a_job_reports_badly_is_said(site, script) -> None:
    program = script("bin/half.py", "import os\nopen(os.environ['PIRENE_METADATA'], 'w').write('good=1\\nbad\\n')\n")
    (site.folder / "w.yml").write_text(
        f"""pegasus: "5.0"
name: w
transformationCatalog:
  transformations: [{{name: half, sites: [{{name: local, pfn: {program}, type: stageable}}]}}]
jobs: [{{type: job, id: a, name: half, arguments: [], uses: []}}]
"""
    )
    said = site.run("run", "w.yml").err
    assert "warning: metadata of job a, attempt 1: line 2: expected key=value, found 'bad' (kept in" in said
    assert site.query("jobs show good") == [{"good": 1}]
    assert "warning  1 record or report of its jobs could not be taken in" in site.run("status").out
    assert site.run("status", "--format", "json").json()["quarantined"] == 1
