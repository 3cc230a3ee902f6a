"""`pirene chaos` on a run of one's own: it says what was noticed, and leaves the run as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.commands.chaos import chaos
from provenance.commands.context import Invocation


@pytest.fixture
def run_of_one_job(site, script):
    script("bin/sorter.py", "import sys\nopen(sys.argv[2], 'w').writelines(sorted(open(sys.argv[1])))\n")
    (site.folder / "raw.txt").write_text("".join(f"{(n * 7919) % 997}\n" for n in range(400)))
    (site.folder / "replicas.yml").write_text(
        'pegasus: "5.0"\nreplicas:\n- lfn: raw.txt\n  pfns: [{site: local, pfn: raw.txt}]\n'
    )
    (site.folder / "transformations.yml").write_text(
        'pegasus: "5.0"\ntransformations:\n- name: sorter\n  sites: [{name: local, pfn: bin/sorter.py, type: stageable}]\n'
    )
    (site.folder / "one.yml").write_text(
        'pegasus: "5.0"\nname: one\njobs:\n- type: job\n  id: sort\n  name: sorter\n  arguments: [raw.txt, sorted.txt]\n'
        "  uses:\n  - {lfn: raw.txt, type: input}\n  - {lfn: sorted.txt, type: output}\n"
    )
    site.run("run", "one.yml", "-d", "first")
    return site


def state_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Of every file below: size, mtime, ctime."""
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(Path(top, name))
            found[str(Path(top, name))] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def test_all_is_noticed_and_nothing_is_touched(run_of_one_job):
    site = run_of_one_job
    before = state_of(site.folder)
    report = site.run("chaos", "one", "--format", "json").json()
    assert state_of(site.folder) == before
    assert (report["schema"], report["workflow"], report["seed"]) == ("pirene.chaos/1", "one", 0)
    assert (report["tried"], report["detected"], report["kept_off"]) == (220, 198, 22)
    assert len(report["outcomes"]) == 220
    assert all(outcome["missed"] == [] for outcome in report["outcomes"])
    assert all(outcome["stages"] or outcome["protection"] == "seal" for outcome in report["outcomes"])


def test_what_is_missed_is_said_and_ends_with_one(run_of_one_job, monkeypatch):
    """Nobody notices anything any more."""
    site = run_of_one_job
    monkeypatch.setattr("planner.chaos.trials.experiment", lambda *_: None)
    done = CliRunner().invoke(chaos, ["one"], obj=Invocation(store=str(site.folder / ".pirene")))
    assert done.exit_code == 1, done.output
    assert "0 of 220 faults were noticed" in done.output
    assert "MISSED in raw.txt" in done.output
