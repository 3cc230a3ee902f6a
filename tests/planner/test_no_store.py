"""Commands where there is no store: what only reads, or speaks of what is there, says so and makes none."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from planner.cli import COMMANDS, root
from provenance.errors import NotAStoreError

NEED_ONE = {
    "status": "",
    "analyze": "",
    "explain": "run",
    "remove": "run",
    "chaos": "",
    "query": "files",
    "sql": "'FROM files'",
    "fields": "",
    "files retire": "name",
    "meta list": "files",
    "meta set": "files k=v",
    "meta unset": "files -k k",
    "lineage": "name",
    "verify": ".",
    "audit": "",
    "scrub": "",
    "log check": "",
    "log checkpoint": "",
    "log prove": "name",
    "log verify": f"--since {__file__}",
    "export": "run --as intoto",
    "store info": "",
    "store check": "",
    "store compact": "",
    "store commits": "",
    "store publish": "",
    "store erase": "files --reason why",
    "push": "OTHER",
}
MAKE_ONE = {"exec", "run", "plan", "files add", "pull"}
NEED_NONE = {"log key", "log trust"}
OPTIONS = [("query", "--saved"), ("query", "files --explain"), ("store check", "--repair --rebuild"),
           ("log check", "--rebuild"), ("store erase", "--finish")]  # fmt: skip


def names() -> Iterator[str]:
    """Every command, those of groups with both words."""
    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {child}" for child in command.commands)
        else:
            yield name


def test_of_each_command_it_is_known_what_it_does() -> None:
    assert sorted(names()) == sorted([*NEED_ONE, *MAKE_ONE, *NEED_NONE])


@pytest.mark.parametrize("named", [True, False], ids=["named", "nearest"])
@pytest.mark.parametrize(("command", "arguments"), [*NEED_ONE.items(), *OPTIONS])
def test_what_reads_makes_no_store(
    command: str,
    arguments: str,
    named: bool,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PIRENE_STORE", raising=False)
    place = Path("OTHER") if command == "push" else folder / ("wrong" if named else ".pirene")
    words = [*command.split(), *shlex.split(arguments)]
    with pytest.raises(NotAStoreError, match=f"{place}: there is no store") as caught:
        CliRunner().invoke(root, [*(["--store", "wrong"] if named else []), *words], catch_exceptions=False)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert not any(folder.iterdir())


def test_a_store_is_not_made_to_hold_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAStoreError, match=f"{tmp_path / 'other'}: there is no store"):
        CliRunner().invoke(root, ["--store", "mine", "pull", str(tmp_path / "other")], catch_exceptions=False)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", [["query", "files", "--fmt"], ["query", "files", "--save", "all"], ["sql", "--schema"]]
)
def test_what_needs_none_needs_none(words: list[str], tmp_path: Path) -> None:
    assert CliRunner().invoke(root, ["--store", str(tmp_path / "new"), *words]).exit_code == 0
    assert (tmp_path / "new").exists() == ("--save" in words)
