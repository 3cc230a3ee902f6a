"""docs/registering-files.md is run as it stands: every line of its `console` blocks, in one shell, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import answers_of, session

PAGE = "registering-files.md"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, pirene: Path) -> dict[str, str]:
    """What each command wrote."""
    commands = [command for command, _ in session(PAGE)]
    return dict(zip(commands, answers_of(PAGE, tmp_path_factory.mktemp("registering"), pirene), strict=False))


def answer(answers: dict[str, str], start: str) -> str:
    (found,) = (text for command, text in answers.items() if command.startswith(start))
    return found


def test_every_command_answers_as_the_page_says(answers: dict[str, str]) -> None:
    assert len(answers) == len(session(PAGE)) > 20
    assert "2 new files" in answer(answers, "pirene files add raw -m")
    assert "hyytiala/1997/flux.csv" in answer(answers, "pirene query 'files show name, kind")
    assert "0 new files, 2 known already" in answer(answers, "pirene files add 'raw")
    by_year = answer(answers, "pirene query 'files where year")
    assert "svalbard" in by_year
    assert "hyytiala" not in by_year
    assert "svalbard/1998/flux.csv" in answer(answers, "pirene query 'files where gaps")
    assert "set on 1 file" in answer(answers, "pirene meta set")
    assert "withdrawn from 1 file" in answer(answers, "pirene meta unset")
    assert "ok" in answer(answers, "pirene verify cube.zarr")
    unread = answer(answers, "pirene query 'files where sha256 is missing")
    assert "tape.dat" in unread
    assert "1.dat" in unread
    assert "ok" in answer(answers, "pirene verify tape.dat")
    assert re.search(r"tape\.dat +[0-9a-f]{12}", answer(answers, "pirene query 'files where name = \"tape"))
    refused = answer(answers, "pirene files add raw ||")
    assert "raw/broken: a link to nowhere, which is not there" in refused
    assert refused.endswith("exit code 2\n")
    partly = answer(answers, "pirene files add raw --keep-going")
    assert "not registered: raw/broken" in partly
    assert partly.endswith("exit code 3\n")
    assert "1 file retired" in answer(answers, "pirene files retire")
    assert "hyytiala/1997/flux.csv" in answer(answers, "pirene query 'files where status")
