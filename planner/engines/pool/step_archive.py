"""The steps beside the jobs of a pool (planner/engines/pool/node_step), as one file in the run folder.

So a run that was planned goes on with the steps that it was planned with, whatever version is installed by then.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import planner
from integrity.archive import write_modules
from planner.engines.pool.node_step import MODULES
from planner.engines.pool.pool_folder import PoolFolder

_ROOT = Path(planner.__file__).parents[1]
_PACKAGE = "planner/engines/pool/node_step"
_ABOVE = ("planner", "planner/engines", "planner/engines/pool")


def write_steps(folder: PoolFolder) -> None:
    """Write the program that DAGMan runs before and after each job."""
    names = [f"{package}/__init__.py" for package in (*_ABOVE, _PACKAGE)]
    names += [f"{_PACKAGE}/{name}.py" for name in MODULES]
    sources = {"__main__.py": f"{_PACKAGE}/__main__.py", **{name: name for name in names}}
    write_modules(folder.steps, {name: (_ROOT / source).read_bytes() for name, source in sources.items()})


def run_post(folder: PoolFolder, job: int) -> None:
    """Run the POST step of a job that has ended well by itself, as DAGMan would: all that it says is in files."""
    # A run that was planned before there was an archive has its steps in one module.
    program = folder.steps if folder.steps.exists() else folder.steps.with_suffix(".py")
    command = [sys.executable, "-I", "-S", str(program), "post", str(job), "0"]
    with (folder.root / "node_step.log").open("ab") as said:
        subprocess.run(command, cwd=folder.root, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False)
