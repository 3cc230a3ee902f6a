"""The log is examined while others write, and whatever lies about: no false alarm, and an answer in time."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from integrity.findings import Verdict
from integrity.log.checkpoint import Checkpoint
from integrity.log.note import SigningKey
from provenance.check.history import read_history
from provenance.check.tampering import check_log
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind, commit_name
from provenance.log.discrepancy import Gravity
from provenance.log.examination import examine
from provenance.log.files import CHECKPOINT, origin_of
from provenance.log.keys import trusted_keys
from provenance.storage.interface import Stored
from provenance.storage.local import LocalStorage
from provenance.store import Store
from tests.provenance.erasures import erase_all, grow
from tests.provenance.log.conftest import files


def altered(store: Store) -> list[tuple[str, str]]:
    found = examine(store.storage, store.store_id, trusted_keys()).discrepancies
    return [(one.path, one.expected) for one in found if one.gravity is Gravity.ALTERED]


def write(store: Store, number: int) -> None:
    other = Store.open(store.root)
    other.commit(CommitKind.REGISTER, files(number, number))
    other.project()


def at_the(call: str, count: int, act: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    """Have somebody write before the ``count``-th listing or reading."""
    real, calls = getattr(LocalStorage, call), 0

    def acting(storage: LocalStorage, *arguments: str | int) -> object:
        nonlocal calls
        calls += 1
        if calls == count:
            act()
        return real(storage, *arguments)

    patch.setattr(LocalStorage, call, acting)


@pytest.mark.parametrize("count", range(1, 15))
def test_somebody_writes_while_it_is_read(logged: Store, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Before each file that is read: checkpoint, two tiles, commits."""
    with monkeypatch.context() as patch:
        at_the("read", count, lambda: write(logged, 100), patch)
        assert altered(logged) == []


def test_the_log_begins_while_it_is_read(logged: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkpoint, no tile; then both, and a commit that says so."""
    for number in (6, 7, 8):
        (logged.root / commit_name(number)).unlink()
    shutil.rmtree(logged.root / "log")
    with monkeypatch.context() as patch:
        at_the("names", 1, lambda: [write(logged, number) for number in (100, 101)] and None, patch)
        assert altered(logged) == []


def test_a_tile_grows_full_while_it_is_read(long: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The narrow ones are listed, and gone when they are read; the full one was not there when they were listed."""
    listed, real = list(long.storage.stored("log")), LocalStorage.stored
    while long.snapshot().number < 260:
        long.commit(CommitKind.REGISTER, files(1, long.snapshot().number + 1000))
    long.project()
    shown = iter([listed])

    def stored(storage: LocalStorage, folder: str) -> list[Stored]:
        return next(shown, None) or list(real(storage, folder))

    monkeypatch.setattr(LocalStorage, "stored", stored)
    assert altered(long) == []


@pytest.mark.parametrize("count", [3, 5])
def test_an_erasure_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """After the commits were listed, before the pull is read: what it brought has another file by then."""
    ours, theirs = Store.open(tmp_path / "ours"), Store.open(tmp_path / "theirs")
    grow(theirs, random.Random(6), secret="harmless")
    assert pull(ours, theirs).commit == 1
    grow(ours, random.Random(7), run=8_000_000_000_000_000_001)
    ours.project()

    def erase() -> None:
        erase_all(Store.open(ours.root), run=8_000_000_000_000_000_001)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "together", lambda _, read, items: map(read, items))
        at_the("read", count, erase, patch)
        assert altered(ours) == []
    assert Store.open(ours.root).snapshot().rewritten
    assert altered(ours) == []


@pytest.mark.parametrize("size", [10**6, 2**63 - 1])
def test_a_checkpoint_of_very_many_commits_is_one_finding(logged: Store, size: int) -> None:
    path = logged.root / CHECKPOINT
    path.chmod(0o644)
    key = SigningKey.generate("pirene/forger@elsewhere")
    path.write_bytes(Checkpoint(origin_of(logged.store_id), size, bytes(32)).signed([key]))
    expected = f"the commit that the log has, and those up to commit {size}"
    assert altered(logged) == [(commit_name(9), expected), ("log/tile/0/000.p/8", "8 hashes")]


def test_a_stray_commit_of_a_high_number_is_two_findings(logged: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stray = commit_name(999_999_999_999)
    shutil.copyfile(logged.root / commit_name(1), logged.root / stray)
    assert [path for path, _ in altered(logged)] == [commit_name(9), stray]
    history = read_history(logged.storage, logged.store_id)
    assert [one.path for one in history.findings] == [commit_name(9), stray]


def test_what_nfs_keeps_of_removed_files_is_nothing(logged: Store) -> None:
    (logged.root / "log" / "tile" / "0" / "000.p" / ".nfs000000000012ab").write_bytes(b"x")
    assert altered(logged) == []
    assert check_log(logged.storage).verdict is Verdict.CLEAN
