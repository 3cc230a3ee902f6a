"""The road from one format to the next: an older commit is read as the newest has it, a newer one by no command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integrity.log.checkpoint import Checkpoint
from planner.cli import COMMANDS, root
from provenance.answers.json_text import plain
from provenance.check.whole import check_store
from provenance.errors import DamagedStoreError, UnsupportedStoreError
from provenance.exchange.pull import pull
from provenance.history import formats
from provenance.history.canonical import sealed
from provenance.history.commits import CommitKind
from provenance.log.keys import key_folder
from provenance.segments.batch import Batch
from provenance.store import Store

FIRST = Path(__file__).parent / "1"
WORKFLOW = """
pegasus: "5.0"
name: w
jobs: []
"""
EVERY: Mapping[str, list[list[str]]] = {
    "exec": [["--", "true"]],
    "run": [["{workflow}"]],
    "plan": [["{workflow}"]],
    "explain": [["x"]],
    "status": [["x"]],
    "analyze": [["x"]],
    "remove": [["x"]],
    "query": [["files"]],
    "sql": [["FROM files"]],
    "fields": [[]],
    "files": [["add", "{workflow}"], ["retire", "x"]],
    "meta": [["list", "x"], ["set", "x", "a=b"], ["unset", "x", "-k", "a"]],
    "lineage": [["x"]],
    "verify": [["{workflow}"]],
    "audit": [[]],
    "scrub": [[]],
    "chaos": [["x"]],
    "log": [["check"], ["checkpoint"], ["verify", "--since", "{checkpoint}"]],
    "export": [["x", "--as", "intoto"]],
    "store": [["info"], ["compact"], ["commits"], ["check"], ["check", "--repair"], ["publish"]],
    "pull": [["{other}"]],
    "push": [["{other}"]],
}


def change(path: Path, *without: str, **changes: object) -> None:
    """Change keys of a sealed document, take others away, and seal it again."""
    document = json.loads(path.read_bytes()) | changes
    path.chmod(0o644)
    path.write_bytes(sealed({key: value for key, value in document.items() if key not in ("seal", *without)}))


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(FIRST / "store", folder, ignore=shutil.ignore_patterns("checkpoints")))


def named_otherwise(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """From an artificial first format, in which the kind of a commit was called its sort, to the second."""
    return {"kind" if key == "sort" else key: value for key, value in document.items()}


def test_a_step_makes_of_an_older_commit_one_of_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = copied(tmp_path / "s")
    for path in (place / "commits").iterdir():
        change(path, "kind", sort=json.loads(path.read_bytes())["kind"])
    with pytest.raises(DamagedStoreError, match=r"no commit: kind: expected .*, found nothing"):
        Store.open(place).snapshot()
    monkeypatch.setattr(formats, "STEPS", (named_otherwise,))
    store = Store.open(place)
    for query, expected in json.loads((FIRST / "answers.json").read_text("utf-8")).items():
        assert plain(list(store.query(query).objects())) == expected, query
    batch = Batch()
    batch.add("queries", name="q", version=1)
    made = store.commit(CommitKind.METADATA, batch)
    assert made is not None
    store.compact()
    store.sum_up()
    assert [commit.format for commit in Store.open(place).commits()] == [1] * (made.number - 1) + [2, 2]
    assert check_store(store.storage).findings == ()
    other = Store.open(tmp_path / "other")
    pull(other, store)
    assert check_store(other.storage).findings == ()
    assert other.snapshot().foreign.known(store.store_id) == made.number

    monkeypatch.setattr(formats, "STEPS", ())  # the version before: no checkpoint hides from it what it cannot read
    with pytest.raises(UnsupportedStoreError, match="of format 2; this version reads up to 1"):
        Store.open(tmp_path / "other").snapshot()


def test_a_format_that_never_was_is_damage(tmp_path: Path) -> None:
    place = copied(tmp_path / "s")
    change(place / "commits" / "000000000001.json", format=0)
    with pytest.raises(DamagedStoreError, match=r"format: expected an integer from 1 .*, found 0"):
        Store.open(place).snapshot()


def test_every_command_is_tried() -> None:
    assert set(EVERY) == set(COMMANDS)


@pytest.mark.parametrize("newer", ["store.json", "commits/000000000008.json"])
@pytest.mark.parametrize("command", EVERY)
def test_every_command_refuses_a_newer_store_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, newer: str
) -> None:
    monkeypatch.chdir(tmp_path)
    place = copied(tmp_path / "s")
    change(place / newer, format=2)
    Store.open(tmp_path / "other")
    (tmp_path / "w.yml").write_text(WORKFLOW)
    origin = f"pirene/{json.loads((place / 'store.json').read_bytes())['store']}"
    own = key_folder().signing_key("anna")
    (tmp_path / "checkpoint").write_bytes(Checkpoint(origin, 1, bytes(32)).signed([own]))
    before = sorted(path for path in place.rglob("*") if path.is_file())
    what = f"{place}: a store" if newer == "store.json" else f"{place / newer}: a commit"
    for words in EVERY[command]:
        arguments = [
            word.format(workflow=tmp_path / "w.yml", other=tmp_path / "other", checkpoint=tmp_path / "checkpoint")
            for word in words
        ]
        with pytest.raises(UnsupportedStoreError) as caught:
            CliRunner().invoke(root, ["--store", str(place), command, *arguments], catch_exceptions=False)
        assert str(caught.value) == f"{what} of format 2; this version reads up to 1"
        assert (caught.value.hint, caught.value.exit_code) == ("install a newer pirene", 2)
        assert sorted(path for path in place.rglob("*") if path.is_file()) == before
