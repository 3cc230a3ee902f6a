"""Writes a workflow and its catalogs with the real `Pegasus.api`; runs in an environment of its own.

Usage: python pegasus_api_script.py FOLDER. Into FOLDER go workflow.yml and workflow.json with inline catalogs, and into
FOLDER/files the same workflow with catalogs and properties as files of their own.
"""

import sys
from pathlib import Path

from Pegasus.api import (
    OS,
    Arch,
    Container,
    Directory,
    EventType,
    File,
    FileServer,
    Grid,
    Job,
    Namespace,
    Operation,
    Properties,
    ReplicaCatalog,
    Scheduler,
    Site,
    SiteCatalog,
    SubWorkflow,
    SupportedJobs,
    Transformation,
    TransformationCatalog,
    Workflow,
)

RAW = File("données brutes 🌾.txt", size=12)
RAW.add_metadata({"timesteps": 500000, "quote": 'it\'s: "q"\n=x', "clé ✓": True, "ratio": 1.10})


def replicas() -> ReplicaCatalog:
    catalog = ReplicaCatalog()
    catalog.add_replica(
        "local",
        RAW,
        "/data/é 🌾.txt",
        checksum={"sha256": "1234567890" * 6 + "1234"},
        metadata={"band": "r", "exposure": 5140, "good": True, "seeing": 0.7},
    )
    catalog.add_replica("far", RAW, "https://example.org/x.txt")
    catalog.add_regex_replica("local", r"run_(\d+)\.raw", "/data/[1]/[0]")
    return catalog


def transformations() -> TransformationCatalog:
    prep = Transformation(
        "prep",
        namespace="ns",
        version="4.0",
        site="local",
        pfn="/usr/bin/prep",
        is_stageable=True,
        arch=Arch.X86_64,
        os_type=OS.LINUX,
        checksum={"sha256": "b" * 64},
    )
    helper = Transformation("helper", site="local", pfn="/usr/bin/helper", is_stageable=False)
    container = Container(
        "c1",
        Container.SINGULARITY,
        "library://example/image",
        image_site="local",
        mounts=["/a:/b"],
        checksum={"sha256": "c" * 64},
        bypass_staging=True,
    )
    plain = Transformation("plain", site="local", pfn="/bin/cat", is_stageable=False, container=container)
    prep.add_requirement(helper)
    prep.add_env(FROM_CATALOG="1")
    prep.add_pegasus_profile(memory="2 GB", cores=2)
    prep.add_metadata(release=4)
    prep.add_shell_hook(EventType.END, "/bin/date")
    return TransformationCatalog().add_transformations(prep, helper, plain).add_containers(container)


def sites() -> SiteCatalog:
    storage = Directory(Directory.LOCAL_STORAGE, "/out").add_file_servers(FileServer("file:///out", Operation.ALL))
    scratch = Directory(Directory.SHARED_SCRATCH, "/scratch", shared_file_system=True)
    scratch.add_file_servers(FileServer("file:///scratch", Operation.ALL))
    site = Site("local", arch=Arch.X86_64, os_type=OS.LINUX, os_release="rhel", os_version="9")
    site.add_directories(storage, scratch)
    site.add_grids(Grid(Grid.BATCH, "example.org", Scheduler.SLURM, job_type=SupportedJobs.COMPUTE))
    site.add_env(SITE_WIDE="yes")
    site.add_condor_profile(universe="vanilla")
    return SiteCatalog().add_sites(site)


def workflow() -> Workflow:
    made = File("naïve résumé.dat")
    log = File("log.txt")
    final = File("done.flag", for_planning=True)
    prep = Job("prep", _id="préparer", namespace="ns", version="4.0", node_label="Préparer")
    prep.add_args("-i", RAW, "-n", 3, 1.5, "--x=1.10", "true", "two words", "$HOME", "")
    prep.add_inputs(RAW, bypass_staging=True)
    prep.add_outputs(made, stage_out=False, register_replica=False)
    prep.add_checkpoint(File("state.ckpt"))
    prep.set_stdout(log).set_stderr("err.txt")
    prep.add_metadata(timesteps=500000, good=True, ratio=1.25, when="2026-05-01")
    prep.add_env(OMP_NUM_THREADS=4)
    prep.add_dagman_profile(retry=3)
    prep.add_condor_profile(requirements="Memory > 1")
    prep.add_profiles(Namespace.PEGASUS, key="maxwalltime", value=3)
    prep.add_shell_hook(EventType.ERROR, "/bin/false")
    plain = Job("plain")
    plain.add_inputs(made).set_stdin(log).add_outputs(final).add_args("-o", final)
    plain.add_selector_profile(execution_site="local")
    inner = SubWorkflow("inner.yml", is_planned=False, _id="inner").add_args("--sites", "local")

    found = Workflow("blé🌾")
    found.add_jobs(prep, plain, inner)
    found.add_dependency(prep, children=[plain, inner])
    found.add_metadata(campaign="DR3", n=3)
    found.add_env(LANG="C")
    found.add_dagman_profile(retry=2)
    found.add_shell_hook(EventType.START, "/bin/date")
    return found


def main(folder: Path) -> None:
    inline = workflow()
    inline.add_replica_catalog(replicas())
    inline.add_transformation_catalog(transformations())
    inline.add_site_catalog(sites())
    inline.write(str(folder / "workflow.yml"))
    inline.write(str(folder / "workflow.json"), _format="json")

    files = folder / "files"
    files.mkdir()
    workflow().write(str(files / "workflow.yml"))
    replicas().write(str(files / "rc.yml"))
    transformations().write(str(files / "transformations.yml"))
    sites().write(str(files / "sites.yml"))
    properties = Properties()
    properties["pegasus.catalog.replica"] = "YAML"
    properties["pegasus.catalog.replica.file"] = "rc.yml"
    properties["dagman.retry"] = 4
    properties["env.OPTIONS"] = "a=b: c"
    properties["pegasus.mode"] = "development"
    properties.write(str(files / "pegasus.properties"))


main(Path(sys.argv[1]))
