"""docs/query-language.md is run as it stands, and shows what it prints. Write the answers anew with
`PYTHONPATH=. python tests/docs/test_query_language_page.py`, and read them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import root
from query.errors import QueryError

PAGE = Path(__file__).parents[2] / "docs" / "query-language.md"
BLOCKS = re.compile(r"^```(sh|console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def asked(line: str) -> str:
    """What a line of the page prints, warnings and errors first."""
    command, *pipe = line.split(" | ")
    found = CliRunner().invoke(root, shlex.split(command)[1:])
    if found.exception is not None and not isinstance(found.exception, SystemExit | QueryError):
        raise found.exception
    error = f"pirene: {found.exception.report()}\n" if isinstance(found.exception, QueryError) else ""
    text = found.stderr + error + found.stdout
    for program in pipe:
        text = subprocess.run(shlex.split(program), input=text, capture_output=True, text=True, check=True).stdout
    return text


def answered(text: str) -> str:
    """The page with what its commands print now."""

    def block(match: re.Match[str]) -> str:
        if match[1] == "sh":
            subprocess.run(["bash", "-euc", match[2]], check=True, capture_output=True)
        if match[1] == "python":
            exec(match[2], {})
        if match[1] != "console":
            return match[0]
        lines = [line for line in match[2].splitlines() if line.startswith("$ ")]
        return "```console\n" + "".join(f"{line}\n{asked(line[2:])}" for line in lines) + "```"

    return BLOCKS.sub(block, text)


def in_a_folder(pirene: Path, folder: Path, do: Callable[[], None]) -> None:
    """Do something in ``folder``, with the command on the PATH and no other store in sight."""
    before, here = dict(os.environ), Path.cwd()
    os.environ["PATH"] = f"{pirene.parent}:{os.environ['PATH']}"
    os.environ.pop("PIRENE_STORE", None)
    os.chdir(folder)
    try:
        do()
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def test_the_page_shows_what_is_printed(pirene: Path, tmp_path: Path) -> None:
    text = PAGE.read_text("utf-8")

    def compare() -> None:
        assert answered(text) == text

    in_a_folder(pirene, tmp_path, compare)


@pytest.mark.parametrize(
    "word", ["like", "between", "matches", "is missing", "has any", "latest", "as of", "minus", "within"]
)
def test_the_page_says_something_of_everything(word: str) -> None:
    assert word in PAGE.read_text("utf-8")


if __name__ == "__main__":
    import tempfile

    command = Path(tempfile.mkdtemp()) / "pirene"
    program = f"import sys; sys.path.insert(0, {str(PAGE.parents[1])!r}); from planner.cli import main; main()"
    command.write_text(f"#!{sys.executable}\n{program}\n")
    command.chmod(0o755)
    with tempfile.TemporaryDirectory() as folder:
        in_a_folder(command, Path(folder), lambda: print(PAGE.write_text(answered(PAGE.read_text("utf-8")), "utf-8")))
