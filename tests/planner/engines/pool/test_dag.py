"""What a plan is for DAGMan, as text: read here by a small reader of the DAG language that shares no code with it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from planner.engine_plan import EnginePlan
from planner.engines.pool.dag import dag_lines, write_done, write_pool_folder
from planner.engines.pool.pool_folder import PoolFolder

ODD_IDS = [
    "a b",
    "-x",
    "$(evil)",
    'q"uote',
    "new\nline",
    "JOB 1 job",
    "日本",
    "a=b;c",
    "back\\slash",
    "# no comment",
    "%",
]


@pytest.fixture
def planned(world: Any):
    """Plans jobs (as `world.write` takes them) for the pool."""

    def make(*jobs: dict[str, Any], **keys: Any) -> EnginePlan:
        return world.freeze(world.plan(world.write(jobs, **keys), engine="htcondor"))

    return make


def read(plan: EnginePlan) -> dict[str, Any]:
    """{descriptions: name -> {command: value}, nodes: name -> description, labels, retries, edges, scripts}."""
    found: dict[str, Any] = {"descriptions": {}, "nodes": {}, "labels": {}, "retries": {}, "edges": [], "scripts": []}
    inside: dict[str, str] | None = None
    for line in dag_lines(plan, "0" * 64):
        assert "\n" not in line and line.isascii()
        words = line.split()
        if inside is not None and line != "}":
            key, equals, value = line.partition(" = ")
            assert equals and key.startswith("    ") and key.strip() not in inside
            inside[key.strip()] = value
        elif words[0] == "SUBMIT-DESCRIPTION":
            assert words[2:] == ["{"]
            inside = found["descriptions"][words[1]] = {}
        elif line == "}":
            inside = None
        elif words[0] == "SCRIPT":
            found["scripts"].append(line)
        elif words[0] == "JOB":
            _, name, description = words
            assert name not in found["nodes"]
            found["nodes"][name] = description
        elif words[0] == "VARS":
            label = re.fullmatch(r'VARS (\d+) label="([A-Za-z0-9._:+-]*)"', line)
            assert label, line
            found["labels"][label[1]] = label[2]
        elif words[0] == "RETRY":
            found["retries"][words[1]] = words[2:]
        elif words[0] == "PARENT":
            at = words.index("CHILD")
            found["edges"] += [(int(up), int(down)) for up in words[1:at] for down in words[at + 1 :]]
        else:
            assert words[0] == "#", line
    assert inside is None
    return found


def test_odd_ids_stay_out_of_the_language(planned) -> None:
    plan = planned(*({"id": name, "out": [f"o{n}"]} for n, name in enumerate(ODD_IDS)), name="w")
    dag = read(plan)
    assert dag["nodes"] == {str(number): "job" for number in range(1, len(ODD_IDS) + 1)}
    assert dag["labels"]["1"] == "a_b" and dag["labels"]["3"] == "__evil_" and dag["labels"]["5"] == "new_line"
    assert [job.id for job in plan.jobs] == ODD_IDS  # in full where a record is made of it
    assert dag["retries"] == {} and dag["edges"] == []
    assert len(dag["scripts"]) == 2 and all(" ALL_NODES " in script for script in dag["scripts"])


def test_what_jobs_ask_of_htcondor_makes_their_descriptions(planned) -> None:
    large = {"condor": {"request_memory": "4 GB"}, "dagman": {"retry": "3"}}
    plan = planned(
        {"id": "small", "out": ["a"]},
        {"id": "large", "out": ["b"], "profiles": large},
        {"id": "also large", "out": ["c"], "profiles": large},
        {"id": "also small", "in": ["a"], "out": ["d"]},
    )
    dag = read(plan)
    assert list(dag["nodes"].values()) == ["job", "job1", "job1", "job"]
    plain, asking = dag["descriptions"]["job"], dag["descriptions"]["job1"]
    assert len(dag["descriptions"]) == 2
    assert dict(set(asking.items()) - set(plain.items())) == {"request_memory": "4 GB"}
    assert plain.keys() <= asking.keys()
    assert plain["My.PireneRun"] == f'"{plan.run_id}"'
    assert dag["retries"] == {number: ["3", "UNLESS-EXIT", "2"] for number in ("2", "3")}
    assert dag["edges"] == [(1, 4)]


def test_many_children_are_on_several_lines(planned) -> None:
    """DAGMan reads a line into memory at once, and people look at DAGs."""
    plan = planned({"id": "root", "out": ["r"]}, *({"id": f"j{n}", "in": ["r"], "out": [f"o{n}"]} for n in range(1201)))
    lines = [line for line in dag_lines(plan, "0" * 64) if line.startswith("PARENT")]
    assert [len(line.split()) - 3 for line in lines] == [500, 500, 201]
    assert read(plan)["edges"] == list(plan.edges) == [(1, child) for child in range(2, 1203)]


def test_every_job_finds_its_line(planned) -> None:
    """Also where ids before it have many bytes, and from 1000 jobs on."""
    plan = planned(*({"id": f"{n}-{'ü' * (n % 7)}", "out": [f"o{n}"]} for n in range(1003)))
    folder = PoolFolder.of(plan.run_dir)
    write_pool_folder(plan, folder)
    data = folder.nodes.read_bytes()
    for number in (1, 2, 7, 1000, 1003):
        start = int(data[(number - 1) * 85 :][:19])
        document = json.loads(data[start : data.index(b"\n", start)])
        assert document["description"]["id"] == plan.jobs[number - 1].id
        assert (document["description"]["job"], document["run"]) == (number, plan.run)


def files_below(folder: Path) -> Counter[str]:
    return Counter(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_number_of_files_does_not_depend_on_the_number_of_jobs(planned) -> None:
    written = []
    for name, count in (("few", 2), ("many", 300)):
        plan = planned(*({"id": f"j{n}", "out": [f"{name}{n}"]} for n in range(count)), name=name)
        write_pool_folder(plan, PoolFolder.of(plan.run_dir))
        write_done(PoolFolder.of(plan.run_dir), range(1, count))
        written.append(files_below(plan.run_dir))
    assert written[0] == written[1]
    assert {name for name in written[0] if name.startswith("pool/")} == {
        f"pool/{name}" for name in ("kickstart.pyz", "node_step.pyz", "nodes.jsonl", "run.dag", "run.dag.rescue001")
    }
    assert sum(written[0].values()) <= 12


def test_what_is_done_is_said_by_one_rescue_file_alone(planned) -> None:
    plan = planned({"id": "a", "out": ["a"]}, {"id": "b", "in": ["a"], "out": ["b"]})
    folder = PoolFolder.of(plan.run_dir)
    write_pool_folder(plan, folder)
    before = folder.dag.read_bytes()
    for number in (1, 2, 100):
        (folder.root / f"run.dag.rescue{number:03}").write_text("DONE 1\nDONE 2\n")
    (folder.root / "run.dag.rescue.old").touch()
    write_done(folder, [2])
    assert [path.name for path in folder.rescue_files()] == ["run.dag.rescue001"]
    assert folder.first_rescue_file.read_text() == "DONE 2\n"
    write_done(folder, [])
    assert folder.first_rescue_file.read_text() == ""
    assert folder.dag.read_bytes() == before


def test_a_folder_that_is_there_is_left_as_it_is(planned) -> None:
    """Another version of Pirene, or HTCondor, may be at work with it. One that was not finished is written anew."""
    plan = planned({"id": "a", "out": ["a"]})
    folder = PoolFolder.of(plan.run_dir)
    write_pool_folder(plan, folder)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.root.iterdir()}
    write_pool_folder(plan, folder)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.root.iterdir()} == before
    folder.dag.unlink()
    folder.nodes.write_text("half")
    write_pool_folder(plan, folder)
    assert {path: path.read_bytes() for path in folder.root.iterdir()} == {
        path: content for path, (content, _) in before.items()
    }


def test_an_installed_executable_is_not_sent(world) -> None:
    workflow = world.write([{"id": "a", "out": ["a"]}])
    document = json.loads(workflow.read_text())
    (site,) = document["transformationCatalog"]["transformations"][0]["sites"]
    site.update(name="condorpool", pfn="/usr/bin/true", type="installed")
    workflow.write_text(json.dumps(document))
    plan = world.freeze(world.plan(workflow, engine="htcondor"))
    folder = PoolFolder.of(plan.run_dir)
    write_pool_folder(plan, folder)
    document = json.loads(folder.nodes.read_bytes().splitlines()[1])
    assert document["executable"] is None and document["description"]["argv"] == ["/usr/bin/true"]
