"""Pages of the documentation that are sessions: what stands after `$ ` is run as it stands, in one shell, in order."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_MARK = "--- next command ---"


def session(page: str) -> list[tuple[str, str]]:
    """(command, what the page shows as its answer) in order; no answer: it is not shown."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def answers_of(page: str, folder: Path, pirene: Path) -> list[str]:
    """What each command of a page wrote, in ``folder``; the shell stops at the first that fails."""
    script = "set -euo pipefail\nexec 2>&1\n" + "\n".join(f"{command}\necho '{_MARK}'" for command, _ in session(page))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIRENE")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment | {"PATH": f"{pirene.parent}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout.split(f"{_MARK}\n")
