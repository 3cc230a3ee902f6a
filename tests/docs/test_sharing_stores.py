"""The session of docs/sharing-stores.md is run as it stands, in one shell, and answers as the page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sharing-stores.md"
MARK = "--- next command ---"


def session() -> list[tuple[str, str]]:
    """(command, what the page shows as its answer) in order; no answer: it is not shown."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, pirene: Path) -> list[str]:
    """What each command wrote; the shell stops at the first that fails."""
    script = "set -euo pipefail\nexec 2>&1\n" + "\n".join(f"{command}\necho '{MARK}'" for command, _ in session())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIRENE")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path_factory.mktemp("sharing"),
        env=environment | {"PATH": f"{pirene.parent}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout.split(f"{MARK}\n")


def test_every_command_answers_as_the_page_says(answers: list[str]) -> None:
    shown = [(command, answer) for command, answer in session() if answer]
    assert len(shown) > 3
    given = {(command, answer) for (command, _), answer in zip(session(), answers, strict=False)}
    assert [pair for pair in shown if pair not in given] == []


def test_both_stores_know_all_of_it(answers: list[str]) -> None:
    told = [(command, answer) for (command, _), answer in zip(session(), answers, strict=False)]
    (dry,) = (answer for command, answer in told if "--dry-run" in command)
    assert "1 run, 2 files" in dry
    assert dry.endswith("; nothing was done\n")
    (downstream,) = (answer for command, answer in told if "downstream" in command)
    assert "copy.txt" in downstream
    (nothing,) = (answer for command, answer in told if command == "pirene pull ../laptop")
    assert nothing.startswith("nothing new from ")
    (commits,) = (answer for command, answer in told if command == "pirene store commits")
    assert [line.split()[2] for line in commits.splitlines()[1:]].count("pull") == 2
    assert told[-1][1].count(" ok\n") == 3
