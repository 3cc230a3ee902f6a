"""The README's session is run as it stands: every line of its `console` blocks, in one shell, in order."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MARK = "--- next command ---"


def commands() -> list[str]:
    """The lines after `$ ` of all console blocks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, pirene: Path) -> dict[str, str]:
    """What each command of the README wrote on standard output; the shell stops at the first that fails."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "datasets").symlink_to(ROOT / "datasets")
    script = "set -euo pipefail\n" + "\n".join(f"{command}\necho '{MARK}'" for command in commands())
    environment = {**os.environ, "PATH": f"{pirene.parent}:{os.environ['PATH']}"}
    environment.pop("PIRENE_STORE", None)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return dict(zip(commands(), done.stdout.split(f"{MARK}\n"), strict=False))


def answer(answers: dict[str, str], start: str) -> str:
    (found,) = (text for command, text in answers.items() if command.startswith(start))
    return found


def test_every_command_of_the_session_succeeds(answers: dict[str, str]) -> None:
    assert len(answers) == len(commands()) > 10


def test_the_answers_are_the_ones_that_the_session_promises(answers: dict[str, str]) -> None:
    with_gaps = answer(answers, 'pirene query \'files where quantity = "co2"')
    for year in (1958, 1959, 1962, 1963, 1964, 1966, 1967, 1976, 1984, 1985):
        assert f"mlo-co2-{year}.csv" in with_gaps
    assert "mlo-co2-1998.csv" not in with_gaps
    assert "r = 0.54 at a lag of 4 months" in answer(answers, "cat first")
    assert "0.5401" in answer(answers, "pirene query 'jobs where r")
    used_with_gaps = answer(answers, "pirene query 'files upstream of")
    assert "mlo-co2-1984.csv" in used_with_gaps
    assert "mlo-co2-1964.csv" not in used_with_gaps  # partial: the selection left it out
    assert "reused" in answer(answers, "pirene run co2-el-nino.yml -d second")
    assert answers["pirene log check"].splitlines()[0].startswith("clean: ")
    assert "and nothing else changed" in answer(answers, "pirene log verify --since")
    assert answer(answers, "pirene log verify result.proof").startswith("proven: file result.json with sha256 ")
    assert "nobody" not in answer(answers, "pirene log verify result.proof")


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"
