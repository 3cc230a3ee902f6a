"""What was taken out of the log stays missing, whoever writes afterwards: nobody makes it once more without a word."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from integrity.findings import Verdict
from integrity.log.checkpoint import opened_checkpoint
from integrity.log.tiles import Tile
from provenance.check.tampering import check_log
from provenance.history.commits import CommitKind
from provenance.log.files import CHECKPOINT, FOLDER, tile_name
from provenance.log.growth import rebuild
from provenance.log.keys import trusted_keys
from provenance.store import Store
from tests.provenance.command_line import pirene_ended
from tests.provenance.log.conftest import files

SEVEN = tile_name(Tile(0, 0, 7))


def everything(log: Path) -> None:
    shutil.rmtree(log)


def the_checkpoint(log: Path) -> None:
    (log / "checkpoint").unlink()


def the_newest_tile(log: Path) -> None:
    (log.parent / SEVEN).unlink()


def all_tiles(log: Path) -> None:
    shutil.rmtree(log / "tile")


@pytest.fixture
def of_five(logged: Store, tmp_path: Path) -> Path:
    """The log as it was after five commits, which its owner signed then."""
    kept = tmp_path / "of-five"
    shutil.copytree(logged.root, kept)
    for number in (6, 7, 8):
        (kept / "commits" / f"{number:012d}.json").unlink()
    shutil.rmtree(kept / FOLDER)
    Store.open(kept).project()
    signed = opened_checkpoint((kept / CHECKPOINT).read_bytes(), trusted_keys())
    assert signed.checkpoint.size == 5
    return kept / FOLDER


def held(store: Store, missing: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing written brings it back: the check names it before and after."""
    there = {stored.name: store.storage.read(stored.name) for stored in store.storage.stored(FOLDER)}
    for number in (100, 101):
        found = {one.path for one in check_log(store.storage).findings if one.verdict is Verdict.TAMPERED}
        assert missing in found
        writer = Store.open(store.root)
        writer.commit(CommitKind.REGISTER, files(number, number))
        writer.project()
        assert "the log was not brought up to date" in caplog.text
        caplog.clear()
        assert {stored.name: store.storage.read(stored.name) for stored in store.storage.stored(FOLDER)} == there
    rebuild(Store.open(store.root))
    assert check_log(store.storage).verdict is Verdict.CLEAN


@pytest.mark.parametrize(
    ("remove", "missing"),
    [(everything, CHECKPOINT), (the_checkpoint, CHECKPOINT), (the_newest_tile, SEVEN), (all_tiles, SEVEN)],
)
def test_what_was_removed_is_not_made_again(
    logged: Store, remove: Callable[[Path], None], missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    remove(logged.root / FOLDER)
    held(logged, missing, caplog)


def test_a_log_of_before_is_not_continued(logged: Store, of_five: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(logged.root / FOLDER)
    shutil.copytree(of_five, logged.root / FOLDER)
    held(logged, SEVEN, caplog)


def test_a_checkpoint_of_before_is_continued(logged: Store, of_five: Path) -> None:
    """The last of several writers may be behind another one: tiles tell that nothing is missing."""
    shutil.copyfile(of_five / "checkpoint", logged.root / CHECKPOINT)
    Store.open(logged.root).project()
    assert check_log(logged.storage).findings == ()


def test_an_audit_does_not_take_its_own_finding_away(tmp_path: Path) -> None:
    """Its commit comes after the removal, and is the newest one."""
    data, store = tmp_path / "data.txt", tmp_path / ".pirene"
    data.write_text("1\n")
    assert pirene_ended("--store", str(store), "files", "add", str(data)).exit_code == 0
    assert pirene_ended("--store", str(store), "audit").exit_code == 0
    shutil.rmtree(store / FOLDER)
    for command in (["audit"], ["audit"], ["log", "check"]):
        done = pirene_ended("--store", str(store), *command)
        assert (done.exit_code, "log/checkpoint" in done.stdout) == (4, True), done
