"""What happens beside every job on the submit host: the PRE and the POST step of its node in the DAG.

    node_step.pyz pre JOB             lay out what goes to the worker: inputs, executable, job description
    node_step.pyz post JOB RETURN     take in what came back: check it, bring it to its place, let readers know

Steps exist because a job's description names the digests of its inputs, and these are known only when its parents have
ended. The digest of an intermediate file comes from the checked record of the attempt that made it, never from the
file itself. A node that succeeds releases its children, so the POST step says yes only when every output has arrived
with the digest that the worker recorded and is in its place.

One file of these modules lies in the run folder beside the wrapper (planner/engines/pool/step_archive.py), and is run
by whatever python3 (3.6 or newer) DAGMan finds: they import the standard library, the wrapper's modules and each other.
Steps of different nodes share no file that one of them writes, so any number may run at once; each may be killed and
repeated at any point. Exit codes: 0 yes, 1 no, 2 no and trying again would not help (node_step/refused.py).
"""

MODULES = (
    "refused",
    "documents",
    "trees",
    "pool",
    "inputs",
    "pre",
    "how_it_ended",
    "records",
    "outputs",
    "post",
    "command_line",
)
"""The modules in here, each after those that it needs."""
