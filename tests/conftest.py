"""What holds for every test: where it matters (CI is set), a test that was skipped is a test that failed.

And what tests of several packages need: the command, environments for software that cannot be installed beside Pirene.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run with skipped tests; under xdist only the controller has the whole count."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    skipped = len(reporter.stats.get("skipped", []))
    if skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{skipped} skipped: CI lets no test be skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def pirene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `pirene` of this checkout, alone in a folder that can be put on PATH."""
    command = tmp_path_factory.mktemp("bin") / "pirene"
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'pirene'; from planner.cli import main; main()"
    )
    command.write_text(f"#!{sys.executable}\n{program}\n", encoding="utf-8")
    command.chmod(0o755)
    return command


@pytest.fixture(scope="session")
def python_environment() -> Callable[[str, Sequence[str]], Path]:
    """Makes virtual environments for what cannot be installed beside Pirene: (name, requirements) -> its python.

    They lie in ``.test-envs`` of the checkout, are made once and used again until their requirements change. A file
    lock lets one worker make an environment while the others wait.
    """
    return _environment


def _environment(name: str, requirements: Sequence[str]) -> Path:
    folder = ROOT / ".test-envs" / name
    folder.parent.mkdir(exist_ok=True)
    python = folder / "bin" / "python"
    wanted = "\n".join([sys.version, *requirements])
    made = folder / "made-for"
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or made.read_text() != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *requirements], check=True)
            made.write_text(wanted)
    return python
