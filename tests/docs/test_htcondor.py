"""The way to a run on a pool is gone as docs/htcondor.md describes it: every line of its sessions, in order, by root and
then, where the page says so, by the pool's user.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRST = "/srv/pool/first"
"""The folder of the page; a test has another one."""
SHELL = "su bash"
"""The end of the command that starts the shell which runs the rest."""
MARK = "--- next command ---"
STRICT = "set -euo pipefail"


def commands() -> list[str]:
    """The lines after `$ ` of all console blocks."""
    text = (ROOT / "docs" / "htcondor.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def as_typed(folder: Path) -> str:
    """All that a person types, each answer with a mark after it. A shell that is started reads what follows."""
    lines = [STRICT]
    for command in commands():
        lines.append(command.replace(FIRST, str(folder)))
        lines += [STRICT] if command.endswith(SHELL) else []
        lines.append(f"echo '{MARK}'")
    return "\n".join(lines) + "\n"


@pytest.fixture
def answers(pool: Any) -> dict[str, str]:
    """What each command wrote on standard output; the shell stops at the first that fails."""
    # The page's python3 is one that is new enough; a test's is its own.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIRENE")} | {"PATH": path}
    typed = as_typed(pool.folder)
    done = subprocess.run(
        ["bash"], input=typed, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=580
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return dict(zip(commands(), done.stdout.split(f"{MARK}\n"), strict=False))


@pytest.mark.timeout(600)
def test_every_command_succeeds_and_answers_as_the_page_says(answers: dict[str, str]) -> None:
    assert len(answers) == len(commands()) > 18

    def answer(start: str) -> str:
        (found,) = (text for command, text in answers.items() if command.startswith(start))
        return found

    assert "localhost" in answer("tests/htcondor-pool tool condor_status")
    assert "4: 4 succeeded" in answer("pirene run diamond/diamond.yml -d first")
    made_by = re.findall(r"--- (\w+) made f\.\w+", answer("cat first/output/f.d"))
    assert made_by[0] == "analyze"
    assert set(made_by) == {"preprocess", "findrange", "analyze"}
    assert answer("pirene query 'jobs").count("condorpool") == 4
    assert "clean" in answer("pirene audit")
    assert "4 reused" in answer("pirene run diamond/diamond.yml -d here")
    broken = answer("pirene run diamond/broken.yml")
    assert "3 reused, 1 failed" in broken
    assert broken.endswith("exit code 1\n")
    assert "no-such-option" in answer("pirene analyze broken")
    assert answer("timeout ").endswith("exit code 130\n") or answer("timeout ").endswith("exit code 124\n")
    assert re.search(r"pool +DAGMan \d+ (running|idle)", answer("pirene status slow"))
    assert "incomplete" in answer("pirene remove slow")
    assert "slow" in answer("pirene run slow")
    assert "1 succeeded" in answer("pirene run slow")
