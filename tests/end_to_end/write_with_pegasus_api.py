"""Written with the real `Pegasus.api` (another environment): a workflow that can run on this machine, in the folder
argv[1].
"""

import hashlib
import sys
from pathlib import Path

from Pegasus.api import File, Job, Namespace, ReplicaCatalog, Transformation, TransformationCatalog, Workflow

folder = Path(sys.argv[1])
raw = File("données 🌾.txt", size=9).add_metadata(instrument="caméra", timesteps=500000)
(folder / "raw data.txt").write_bytes(b"ab\ncd\nef\n")
digest = hashlib.sha256(b"ab\ncd\nef\n").hexdigest()

replicas = ReplicaCatalog()
replicas.add_replica(
    "local", raw, str(folder / "raw data.txt"), checksum={"sha256": digest}, metadata={"band": "r", "exposure": 5140}
)

tool = Transformation(
    "tool", namespace="demo", version="1.0", site="local", pfn=str(folder / "tool.py"), is_stageable=True
)
tool.add_metadata(release="7").add_env(FROM_CATALOG="yes")
transformations = TransformationCatalog().add_transformations(tool)

half = File("moitié.txt").add_metadata(kind="half")
total = File("total.txt")
first = (
    Job(tool, _id="premier")
    .add_args("split", raw, half, "two words", "$HOME", 1.50)
    .add_inputs(raw)
    .add_outputs(half, stage_out=False)
    .add_metadata(timesteps=500000, good=True)
    .add_profiles(Namespace.DAGMAN, key="retry", value="2")
    .add_env(LANG="C.UTF-8")
)
second = Job(tool).add_args("flaky", half, total).add_inputs(half).add_outputs(total).set_stdout("journal.txt")
second.add_dagman_profile(retry=3)

workflow = (
    Workflow("blé🌾").add_metadata(campaign="DR3").add_jobs(first, second).add_dependency(first, children=[second])
)
workflow.add_replica_catalog(replicas).add_transformation_catalog(transformations)
workflow.write(str(folder / "workflow.yml"))
