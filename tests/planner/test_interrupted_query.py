"""What DuckDB makes of Ctrl-C ends a command as Ctrl-C does anywhere else, and nothing else does."""

from __future__ import annotations

import signal

import pytest

from planner.cli import BUG, INTERRUPTED, exit_codes


def test_what_duckdb_makes_of_an_interrupt_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exit_codes():
        raise RuntimeError("Query interrupted")
    assert end.value.code == INTERRUPTED == signal.SIGINT + 128
    assert capsys.readouterr().err == "pirene: interrupted\n"


def test_other_errors_of_the_same_type_are_bugs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exit_codes():
        raise RuntimeError("Query interrupted by nobody")
    assert end.value.code == BUG
    assert "internal error: RuntimeError" in capsys.readouterr().err
