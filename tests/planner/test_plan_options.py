"""The options that `plan` and `run` share."""

from __future__ import annotations

from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner

from planner.commands.plan import plan
from planner.commands.run import run


@pytest.mark.parametrize("command", [plan, run])
def test_reuse_and_no_reuse_exclude_each_other(command: Command, tmp_path: Path) -> None:
    workflow = tmp_path / "workflow.yml"
    workflow.touch()
    result = CliRunner().invoke(command, [str(workflow), "--reuse", "jobs", "--no-reuse"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--reuse and --no-reuse exclude each other" in result.stderr
    assert list(tmp_path.iterdir()) == [workflow]
