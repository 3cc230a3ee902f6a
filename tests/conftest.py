"""What holds for every test: where it matters (CI is set), a test that was skipped is a test that failed."""

from __future__ import annotations

import os

import pytest


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
