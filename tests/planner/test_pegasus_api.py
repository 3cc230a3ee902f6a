"""What the real `Pegasus.api` writes is read as it was meant; what has no effect yet is named."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from planner.catalogs.find import find_catalogs
from planner.catalogs.model import Catalogs, Directory
from planner.profiles import effective_profiles
from planner.workflow import Dependency, Job, Place, Role, Use, UseKind, Workflow
from planner.workflow_file import read_workflow
from provenance.metadata import Written

RAW = "données brutes 🌾.txt"
DIGITS = "1234567890" * 6 + "1234"


def text(value: str) -> Written:
    return Written(value, "text")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, python_environment: Callable[[str, Sequence[str]], Path]) -> Path:
    """The folder that pegasus_api_script.py filled."""
    python = python_environment("pegasus-api", ["pegasus-wms.api>=5.1,<5.2"])
    folder = tmp_path_factory.mktemp("pegasus-api")
    subprocess.run([python, Path(__file__).with_name("pegasus_api_script.py"), folder], check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def workflow(written: Path) -> Workflow:
    return read_workflow(written / "workflow.yml")


@pytest.fixture(scope="module")
def catalogs(workflow: Workflow) -> Catalogs:
    return find_catalogs(workflow)


def test_the_workflow_itself(workflow: Workflow) -> None:
    assert workflow.name == "blé🌾"
    assert workflow.format_version.startswith("5.")
    assert workflow.metadata == {"campaign": text("DR3"), "n": text("3")}
    assert workflow.profiles == {"env": {"LANG": "C"}, "dagman": {"retry": "2"}}
    assert [(each.parent, each.child) for each in sorted(workflow.dependencies, key=by_child)] == [
        ("préparer", "ID0000001"),
        ("préparer", "inner"),
    ]


def by_child(dependency: Dependency) -> str:
    return dependency.child


def test_a_job_with_everything(workflow: Workflow) -> None:
    prep = workflow.jobs[0]
    assert (prep.id, prep.namespace, prep.name, prep.version) == ("préparer", "ns", "prep", "4.0")
    assert prep.node_label == "Préparer"
    assert prep.arguments == ("-i", RAW, "-n", "3", "1.5", "--x=1.10", "true", "two words", "$HOME", "")
    assert (prep.stdin, prep.stdout, prep.stderr) == (None, "log.txt", "err.txt")
    assert prep.metadata == {
        "timesteps": text("500000"),
        "good": text("True"),
        "ratio": text("1.25"),
        "when": text("2026-05-01"),
    }
    assert prep.profiles == {
        "env": {"OMP_NUM_THREADS": "4"},
        "dagman": {"retry": "3"},
        "condor": {"requirements": "Memory > 1"},
        "pegasus": {"maxwalltime": "3"},
    }


def uses_by_name(job: Job) -> dict[str, Use]:
    return {use.name: use for use in job.uses}


def test_how_its_files_are_used(workflow: Workflow) -> None:
    uses = uses_by_name(workflow.jobs[0])
    assert {name: use.role for name, use in uses.items()} == {
        RAW: Role.INPUT,
        "naïve résumé.dat": Role.OUTPUT,
        "state.ckpt": Role.CHECKPOINT,
        "log.txt": Role.OUTPUT,
        "err.txt": Role.OUTPUT,
    }
    assert all(use.kind is UseKind.LFN for use in uses.values())
    raw, made = uses[RAW], uses["naïve résumé.dat"]
    assert (raw.size_bytes, raw.bypass) == (12, True)
    assert raw.metadata == {
        "size": Written("12", "number"),
        "timesteps": text("500000"),
        "quote": text('it\'s: "q"\n=x'),
        "clé ✓": text("True"),
        "ratio": text("1.1"),
    }
    assert (made.stage_out, made.register_replica) == (False, False)
    assert uses["log.txt"].stage_out


def test_the_other_jobs(workflow: Workflow) -> None:
    plain, inner = workflow.jobs[1:]
    assert (plain.id, plain.name, plain.stdin, plain.arguments) == (
        "ID0000001",
        "plain",
        "log.txt",
        ("-o", "done.flag"),
    )
    assert uses_by_name(plain)["done.flag"].for_planning
    assert (inner.type, inner.file, inner.arguments) == ("pegasusWorkflow", "inner.yml", ("--sites", "local"))


def test_the_replica_catalog(catalogs: Catalogs) -> None:
    raw = catalogs.replicas[RAW]
    assert sorted(raw.pfns) == [("far", "https://example.org/x.txt"), ("local", "/data/é 🌾.txt")]
    assert raw.sha256 == DIGITS
    assert {key: value for key, value in raw.metadata.items() if key in ("band", "exposure", "good", "seeing")} == {
        "band": text("r"),
        "exposure": Written("5140", "number"),
        "good": Written("true", "boolean"),
        "seeing": Written("0.7", "number"),
    }
    (pattern,) = catalogs.replica_patterns
    assert (pattern.lfn, pattern.pfns) == (r"run_(\d+)\.raw", (("local", "/data/[1]/[0]"),))


def test_the_transformation_catalog(catalogs: Catalogs) -> None:
    prep = catalogs.transformations["ns", "prep", "4.0"]
    (site,) = prep.sites
    assert (site.name, site.pfn, site.type) == ("local", "/usr/bin/prep", "stageable")
    assert (prep.sha256, prep.requires) == ("b" * 64, ("helper",))
    assert prep.metadata == {"release": text("4")}
    assert prep.profiles == {"env": {"FROM_CATALOG": "1"}, "pegasus": {"memory": "2048", "cores": "2"}}
    assert catalogs.transformations[None, "helper", None].sites[0].type == "installed"
    assert catalogs.transformations[None, "plain", None].sites[0].container == "c1"
    container = catalogs.containers["c1"]
    assert (container.type, container.image, container.sha256) == ("singularity", "library://example/image", "c" * 64)


def test_the_site_catalog(catalogs: Catalogs) -> None:
    (site,) = catalogs.sites.values()
    assert site.name == "local"
    assert sorted(site.directories, key=lambda directory: directory.path) == [
        Directory("localStorage", "/out", "file:///out"),
        Directory("sharedScratch", "/scratch", "file:///scratch"),
    ]
    assert site.profiles == {"env": {"SITE_WIDE": "yes"}, "condor": {"universe": "vanilla"}}


def test_retries_and_environment_from_all_places(workflow: Workflow, catalogs: Catalogs) -> None:
    prep = catalogs.transformations["ns", "prep", "4.0"]
    found = effective_profiles(
        workflow.jobs[0], prep, prep.sites[0], catalogs.sites["local"], catalogs.properties, workflow.profiles
    )
    assert found["dagman"] == {"retry": "3"}
    assert found["env"] == {"LANG": "C", "OMP_NUM_THREADS": "4", "SITE_WIDE": "yes", "FROM_CATALOG": "1"}


def test_every_key_without_effect_is_named_once(workflow: Workflow, catalogs: Catalogs) -> None:
    warnings = [*workflow.warnings, *catalogs.warnings]
    kinds = [warning.split(": ", 1)[1].partition(" has no effect yet")[0] for warning in warnings]
    assert sorted(kinds) == sorted(
        [
            "'hooks' of the workflow",
            "'nodeLabel' of a job",
            "'hooks' of a job",
            "'bypass' of a use",
            "'registerReplica: false' of a use",
            "'forPlanning' of a use",
            "namespace selector of profiles",
            # transformation catalog
            "'requires' of a transformation",
            "'hooks' of a transformation",
            "'arch' of a site of a transformation",
            "'os.type' of a site of a transformation",
            "'containers' of a transformation catalog",
            # site catalog
            "'arch' of a site",
            "'os.type' of a site",
            "'os.release' of a site",
            "'os.version' of a site",
            "'grids' of a site",
            "'sharedFileSystem' of a directory",
            "'fileServers' of a directory",
            "a directory of type sharedScratch",
            "profile condor.universe",
        ]
    )


def without_places(workflow: Workflow) -> list[Job]:
    """The jobs as if all had been written in one place, their uses by name: the API keeps them in a set."""
    here = Place(None, 1, 1)
    return [
        replace(job, place=here, uses=tuple(replace(use, place=here) for use in sorted(job.uses, key=by_name)))
        for job in workflow.jobs
    ]


def by_name(use: Use) -> str:
    return use.name


def test_the_same_in_json(written: Path, workflow: Workflow) -> None:
    as_json = read_workflow(written / "workflow.json")
    assert without_places(as_json) == without_places(workflow)
    assert list(find_catalogs(as_json).replicas) == [RAW]


def test_catalogs_and_properties_as_files(written: Path, workflow: Workflow, catalogs: Catalogs) -> None:
    alone = read_workflow(written / "files" / "workflow.yml")
    found = find_catalogs(alone)
    assert alone.catalogs == {}
    assert len(alone.jobs) == len(workflow.jobs)
    assert sorted(found.replicas[RAW].pfns) == sorted(catalogs.replicas[RAW].pfns)
    assert found.replicas[RAW].metadata == catalogs.replicas[RAW].metadata
    assert set(found.transformations) == set(catalogs.transformations)
    assert found.sites["local"].directories == catalogs.sites["local"].directories
    assert found.properties == {
        "pegasus.catalog.replica": "YAML",
        "pegasus.catalog.replica.file": "rc.yml",
        "dagman.retry": "4",
        "env.OPTIONS": "a=b: c",
        "pegasus.mode": "development",
    }
