"""How an error in a user's file is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import FileError
from planner.workflow import Place


def shown(path: Path, line: int, column: int) -> list[str]:
    first, *rest = str(FileError(Place(path, line, column), "wrong", hint="do better")).split("\n")
    assert first == f"{path}:{line}:{column}: wrong"
    return rest


@pytest.mark.parametrize(
    ("data", "line", "column", "excerpt"),
    [
        (b"a: 1\nb: 2\n", 2, 4, ["  b: 2", "     ^"]),
        (b"a: 1\r\nb: 2\r\n", 2, 1, ["  b: 2", "  ^"]),
        ("\ufeffné: 1".encode(), 1, 5, ["  né: 1", "      ^"]),
        (b"a:\tb\x1b[31m", 1, 4, ["  a: b\ufffd[31m", "     ^"]),
        (b"caf\xe9", 1, 4, ["  caf\ufffd", "     ^"]),
        (b"a: 1", 1, 5, ["  a: 1", "      ^"]),
        (b"a: 1\n\n", 2, 1, []),
        (b"a: 1", 7, 1, []),
        (b"", 1, 1, []),
    ],
)
def test_the_line_and_a_caret(tmp_path: Path, data: bytes, line: int, column: int, excerpt: list[str]) -> None:
    path = tmp_path / "w.yml"
    path.write_bytes(data)
    assert shown(path, line, column) == excerpt


def test_a_long_line_is_cut_around_the_caret(tmp_path: Path) -> None:
    path = tmp_path / "w.yml"
    path.write_text("x" * 500 + "HERE" + "y" * 500)
    line, caret = shown(path, 1, 501)
    assert len(line) < 110
    assert line[caret.index("^") :].startswith("HERE")


def test_a_file_that_is_gone_shows_its_place_only(tmp_path: Path) -> None:
    assert shown(tmp_path / "gone.yml", 1, 1) == []
    assert str(FileError(Place(None, 3, 4), "wrong")) == "<workflow>:3:4: wrong"
