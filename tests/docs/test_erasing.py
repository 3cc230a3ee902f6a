"""The session of docs/erasing.md is run as it stands, in one shell, and answers as the page says."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import answers_of, session

PAGE = "erasing.md"


def test_every_command_answers_as_the_page_says(tmp_path: Path, pirene: Path) -> None:
    answers = answers_of(PAGE, tmp_path, pirene)
    shown = [(answer, given) for (_, answer), given in zip(session(PAGE), answers, strict=False) if answer]
    assert len(shown) == 4
    assert [pair for pair in shown if pair[0] != pair[1]] == []
    dry, real = (given for (command, _), given in zip(session(PAGE), answers, strict=False) if "forgotten" in command)
    assert real.splitlines()[:-1] == dry.replace("would be ", "").splitlines()[:-1]
    for named in ("jobs.arguments: 1 row", f"file://{tmp_path}/anna-0815.img", "commit 4 says so"):
        assert named in real
    assert answers[-2].startswith("clean: ")
