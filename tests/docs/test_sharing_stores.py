"""The session of docs/sharing-stores.md is run as it stands, in one shell, and answers as the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import answers_of, session

PAGE = "sharing-stores.md"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, pirene: Path) -> list[str]:
    return answers_of(PAGE, tmp_path_factory.mktemp("sharing"), pirene)


def test_every_command_answers_as_the_page_says(answers: list[str]) -> None:
    shown = [(command, answer) for command, answer in session(PAGE) if answer]
    assert len(shown) > 3
    given = {(command, answer) for (command, _), answer in zip(session(PAGE), answers, strict=False)}
    assert [pair for pair in shown if pair not in given] == []


def test_both_stores_know_all_of_it(answers: list[str]) -> None:
    told = [(command, answer) for (command, _), answer in zip(session(PAGE), answers, strict=False)]
    (dry,) = (answer for command, answer in told if "--dry-run" in command)
    assert "1 run, 2 files" in dry
    assert dry.endswith("; nothing was done\n")
    (downstream,) = (answer for command, answer in told if "downstream" in command)
    assert "copy.txt" in downstream
    (nothing,) = (answer for command, answer in told if command == "pirene pull ../laptop")
    assert nothing.startswith("nothing new from ")
    (commits,) = (answer for command, answer in told if command == "pirene store commits")
    assert [line.split()[2] for line in commits.splitlines()[1:]].count("pull") == 2
    assert told[-1][1].count(" ok\n") == 3
