"""docs/auditing.md is run as it stands: every line of its `console` blocks, in one shell, in order."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.docs.pages import answers_of, session

PAGE = "auditing.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("auditing")


@pytest.fixture(scope="module")
def answers(folder: Path, pirene: Path) -> list[tuple[str, str, str]]:
    """(command, what the page shows of its answer, what it wrote) in order."""
    written = answers_of(PAGE, folder, pirene)
    return [(command, shown, text) for (command, shown), text in zip(session(PAGE), written, strict=False)]


def answer(answers: list[tuple[str, str, str]], start: str, which: int = 0) -> str:
    return [text for command, _, text in answers if command.startswith(start)][which]


def test_every_command_answers_as_the_page_says(answers: list[tuple[str, str, str]]) -> None:
    assert len(answers) == len(session(PAGE)) > 15
    for command, shown, text in answers:
        assert text.startswith(shown), command


def test_damage_is_told_and_put_right(answers: list[tuple[str, str, str]]) -> None:
    damaged = answer(answers, "pirene audit ||")
    assert "appended: all.txt" in damaged
    assert "content-mismatch: monday.txt" in damaged
    assert "affects   all.txt, top.txt" in damaged
    assert damaged.endswith("exit code 1\n")
    plan = answer(answers, "pirene audit --repair-plan")
    assert "restore   monday.txt (sha256 " in plan
    assert "job exec of workflow sort, which makes all.txt" in plan
    sample = answer(answers, "pirene scrub --sample")
    assert "at 95 % confidence at most 77.6 % of these copies are damaged" in sample
    assert sample.endswith("exit code 3\n")
    assert answer(answers, "pirene scrub --max").startswith("clean: 4 of 4")
    assert "198 of 220 faults were noticed" in answer(answers, "pirene chaos")


def test_the_files_that_it_makes(answers: list[tuple[str, str, str]], folder: Path) -> None:
    assert answers
    assert json.loads((folder / "part.json").read_text())["coverage"]["replicas"] == 2
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert ElementTree.parse(folder / "report.xml").getroot().attrib["failures"] == "0"
