"""What holds for every test: where it matters (CI is set), a test that was skipped is a test that failed."""

from __future__ import annotations

import os
import sys
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
