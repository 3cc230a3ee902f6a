"""The session of docs/erasing.md is run as it stands, in one shell, and answers as the page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "erasing.md"
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


def test_every_command_answers_as_the_page_says(tmp_path: Path, pirene: Path) -> None:
    script = "set -euo pipefail\nexec 2>&1\n" + "\n".join(f"{command}\necho '{MARK}'" for command, _ in session())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIRENE")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment | {"PATH": f"{pirene.parent}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    answers = done.stdout.split(f"{MARK}\n")
    shown = [(answer, given) for (_, answer), given in zip(session(), answers, strict=False) if answer]
    assert len(shown) == 4
    assert [pair for pair in shown if pair[0] != pair[1]] == []
    dry, real = (given for (command, _), given in zip(session(), answers, strict=False) if "forgotten" in command)
    assert real.splitlines()[:-1] == dry.replace("would be ", "").splitlines()[:-1]
    for named in ("jobs.arguments: 1 row", f"file://{tmp_path}/anna-0815.img", "commit 4 says so"):
        assert named in real
    assert answers[-2].startswith("clean: ")
