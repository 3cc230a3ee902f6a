"""The session of docs/log.md is run as it stands, in one shell, and what it shows is damage where there is some."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.docs.pages import answers_of, session

PAGE = "log.md"


def test_every_command_does_what_the_page_says(tmp_path: Path, pirene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    commands = [command for command, _ in session(PAGE)]
    answers = dict(zip(enumerate(commands), answers_of(PAGE, tmp_path, pirene), strict=False))
    checks = [
        answer for (_, command), answer in answers.items() if "log check" in command and "log checkpoint" not in command
    ]
    assert ["tampered: " in answer for answer in checks] == [False, True, False, False]
    assert "tampered: commits/000000000001.json: expected " in checks[1]
    assert checks[1].endswith("exit code 4\n")
    verified = [answer for (_, command), answer in answers.items() if " verify --since" in command]
    assert len(verified) == 2
    (proven,) = [answer for (_, command), answer in answers.items() if "readings.tlog-proof --key" in command]
    sha256 = hashlib.sha256((tmp_path / "data" / "readings.csv").read_bytes()).hexdigest()
    assert proven.startswith(f"proven: file readings.csv with sha256 {sha256}, ")
    (attested,) = [
        answer for (_, command), answer in answers.items() if "sorted.intoto.json" in command and "verify" in command
    ]
    assert attested.splitlines()[0].startswith("attested: 1 file, signed by pirene/")
    assert attested.split()[-1] == "sorted.csv"
    assert all("appended: " in answer and "came since, and nothing else changed" in answer for answer in verified)
