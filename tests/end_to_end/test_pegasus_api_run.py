"""A workflow that the real `Pegasus.api` wrote runs as it is: metadata, checksum, inline catalogs, retries, Unicode
names.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

TOOL = """import os, sys
mode, source, target, *rest = sys.argv[1:]
if mode == "flaky":
    tally = os.environ["TALLY"]
    with open(tally, "a") as file:
        file.write("x")
    if os.path.getsize(tally) < 3:
        sys.exit("not yet")
print("read", source, rest, os.environ["FROM_CATALOG"])
open(target, "w").write(open(source).read().upper() + "|".join(rest))
"""


def test_it_runs_unmodified(site, script, python_environment: Callable[[str, Sequence[str]], Path]) -> None:
    python = python_environment("pegasus-api", ["pegasus-wms.api>=5.1,<5.2"])
    script("tool.py", TOOL)
    subprocess.run(
        [python, Path(__file__).with_name("write_with_pegasus_api.py"), site.folder], check=True, timeout=120
    )
    tally = site.folder / "tally"
    result = site.run("run", str(site.folder / "workflow.yml"), "--format", "json", environment={"TALLY": str(tally)})
    run = result.json()
    assert run["workflow"] == "blé🌾"
    assert run["jobs"]["succeeded"] == 2
    output = Path(run["output_dir"])
    assert (output / "total.txt").read_text() == "AB\nCD\nEF\ntwo words|$HOME|1.5".upper()
    assert (output / "journal.txt").read_text().startswith("read moitié.txt")
    assert not (output / "moitié.txt").exists()
    assert tally.read_text() == "xxx"
    shutil.rmtree(run["run_dir"])
    assert site.query('jobs where timesteps > 1000 and timesteps = "500000" and good = "True" show id') == [
        {"id": "premier"}
    ]
    raw = site.query('files where name = "données 🌾.txt" and exposure = 5140 and timesteps = 500000 show *')
    assert len(raw) == 1 and raw[0]["digest_origin"] == "declared" and raw[0]["metadata"]["instrument"] == "caméra"
    assert site.query('workflows where campaign = "DR3" show name') == [{"name": "blé🌾"}]


def test_a_key_without_effect_is_named(site, script) -> None:
    program = script("bin/touch.py", "open('o', 'w').close()\n")
    (site.folder / "hooks.yml").write_text(
        f"""pegasus: "5.0"
name: hooked
transformationCatalog:
  transformations: [{{name: touch, sites: [{{name: local, pfn: {program}, type: stageable}}]}}]
jobs:
- type: job
  id: one
  name: touch
  arguments: []
  hooks: {{shell: [{{_on: end, cmd: echo}}]}}
  uses: [{{lfn: o, type: output}}]
"""
    )
    result = site.run("run", "hooks.yml", "--format", "json")
    assert result.json()["status"] == "succeeded"
    assert "warning" in result.err and "'hooks' of a job" in result.err and "hooks.yml:10" in result.err
