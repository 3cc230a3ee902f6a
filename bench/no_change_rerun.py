"""10 000 jobs of which none has to run, beside ninja on the same graph.

The two do not do the same work: ninja compares times of files; Pirene plans a new run, looks every job's key up in the
store, checks that each output is still there unchanged, records the run with a reason for each job and puts the outputs
into its output folder. The ratio says what that costs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from measure import TABLE_HEAD, Timing, once

CHAINS = 2000
STAGES = 5
TIMES = 5


def write_pirene(folder: Path) -> None:
    """CHAINS chains of STAGES copies, all from one raw file, as a workflow with its catalogs."""
    lines = ['pegasus: "5.0"', "name: chains", "jobs:"]
    for chain in range(CHAINS):
        for stage in range(STAGES):
            source = f"c{chain}-{stage - 1}.txt" if stage else "raw.txt"
            target = f"c{chain}-{stage}.txt"
            lines += [
                f"- {{type: job, id: c{chain}-{stage}, name: cp, arguments: [{source}, {target}],",
                f"   uses: [{{lfn: {source}, type: input}}, {{lfn: {target}, type: output}}]}}",
            ]
    (folder / "chains.yml").write_text("\n".join(lines) + "\n")
    (folder / "replicas.yml").write_text(
        'pegasus: "5.0"\nreplicas:\n- {lfn: raw.txt, pfns: [{site: local, pfn: raw.txt}]}\n'
    )
    (folder / "transformations.yml").write_text(
        'pegasus: "5.0"\ntransformations:\n- {name: cp, sites: [{name: local, pfn: /bin/cp, type: installed}]}\n'
    )
    (folder / "raw.txt").write_text("raw\n")


def write_ninja(folder: Path) -> None:
    """The same graph for ninja."""
    lines = ["rule cp", "  command = cp $in $out", ""]
    for chain in range(CHAINS):
        for stage in range(STAGES):
            source = f"c{chain}-{stage - 1}.txt" if stage else "raw.txt"
            lines.append(f"build c{chain}-{stage}.txt: cp {source}")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    (folder / "raw.txt").write_text("raw\n")


def section(scratch: Path) -> str:
    """The section of the report."""
    pirene = Path(sys.executable).with_name("pirene")
    ours, theirs = scratch / "pirene", scratch / "ninja"
    for folder, write in ((ours, write_pirene), (theirs, write_ninja)):
        folder.mkdir()
        write(folder)
    first_ours = once([pirene, "run", "chains.yml", "-d", "run-first", "-q"], ours)
    first_theirs = once(["ninja", "--quiet"], theirs)
    seconds: dict[str, list[float]] = {"pirene": [], "ninja": []}
    for number in range(TIMES):
        seconds["pirene"].append(once([pirene, "run", "chains.yml", "-d", f"run-{number}", "-q"], ours))
        seconds["ninja"].append(once(["ninja", "--quiet"], theirs))
    again = Timing("`pirene run`, nothing changed", tuple(seconds["pirene"]))
    peer = Timing("`ninja`, nothing changed", tuple(seconds["ninja"]))
    return "\n".join(
        [
            "## No change, 10 000 jobs",
            "",
            f"{CHAINS} chains of {STAGES} `cp`, {TIMES} times, taking turns. The first time, when all had to run,",
            f"`pirene` took {first_ours:.0f} s and `ninja` {first_theirs:.1f} s on {os.cpu_count()} cores: `pirene`",
            "verifies, hashes and records each job.",
            "",
            TABLE_HEAD,
            again.row(),
            peer.row(),
            "",
            f"The ratio is **{again.median / peer.median:.0f}**. They do not do the same: `ninja` compares times of",
            "files; `pirene` plans a new run, looks each job's key up in the store, sees that every output is still",
            "there unchanged, records a reason for each job and fills the new run's output folder.",
        ]
    )
