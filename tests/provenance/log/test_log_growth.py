"""The log grows with the store: whoever writes, wherever they are killed, whatever is merged, pulled or erased."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integrity.errors import KeyFileError
from integrity.findings import Verdict
from integrity.log.checkpoint import opened_checkpoint
from integrity.log.note import SigningKey
from integrity.merkle import root_hash
from provenance.check.tampering import check_log
from provenance.errors import NotWrittenError
from provenance.evidence.history import continued, new_checkpoint
from provenance.exchange.pull import pull
from provenance.history.canonical import SEAL, sealed
from provenance.history.commits import CommitKind, commit_name, read
from provenance.history.entry import entry_of
from provenance.log import growth, keys
from provenance.log.discrepancy import Gravity
from provenance.log.examination import Examination, examine
from provenance.log.files import stated
from provenance.log.growth import extend, rebuild
from provenance.log.keys import trusted_keys
from provenance.storage.local import LocalStorage
from provenance.store import Store
from tests.provenance.erasures import erase_all, grow
from tests.provenance.log.conftest import files, rewrite

FORMATS = Path(__file__).parents[1] / "formats"


def examined(store: Store) -> Examination:
    return examine(store.storage, store.store_id, trusted_keys())


def grave(store: Store) -> list[str]:
    return [one.path for one in examined(store).discrepancies if one.gravity is not Gravity.BEHIND]


def root_of(store: Store) -> bytes:
    numbers = range(1, store.snapshot().number + 1)
    return root_hash(entry_of((store.root / commit_name(number)).read_bytes()) for number in numbers)


def add(store: Store, number: int) -> None:
    assert store.commit(CommitKind.REGISTER, files(number, number))


def test_many_commits_by_processes_that_come_and_go(long: Store) -> None:
    assert (stated(long.storage) or pytest.fail()).size == 192
    assert grave(long) == []
    while long.snapshot().number < 260:
        add(long, long.snapshot().number + 1000)
        if long.snapshot().number == 255:
            long.project()
    long.project()
    checkpoint = stated(long.storage)
    assert checkpoint is not None
    assert (checkpoint.size, checkpoint.root) == (long.snapshot().number, root_of(long))
    assert examined(long).discrepancies == ()
    assert examined(long).signed == long.snapshot().number
    # A narrow tile goes when a full one has taken its place.
    assert not list((long.root / "log" / "tile" / "0" / "000.p").iterdir())
    assert (long.root / "log" / "tile" / "0" / "000").stat().st_size == 8192


def test_writers_that_race(tmp_path: Path) -> None:
    Store.open(tmp_path / "s")

    def write(writer: int) -> None:
        store = Store.open(tmp_path / "s")
        for number in range(6):
            add(store, 10 * writer + number + 1)
            store.project()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    store = Store.open(tmp_path / "s")
    assert store.snapshot().number == 24
    assert grave(store) == []
    store.project()
    assert examined(store).discrepancies == ()


def test_one_store_object_in_many_threads(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "s")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: add(store, number), range(1, 25)))
    assert grave(store) == []
    assert examined(store).root == root_of(store)


@contextmanager
def failing_after(stop: int) -> Iterator[list[str]]:
    """All writes fail but the first ``stop``; gives the names of the files of those that were tried."""
    tried, written = list[str](), LocalStorage.write

    def write(storage: LocalStorage, name: str, data: bytes) -> None:
        tried.append(name)
        if len(tried) > stop:
            raise NotWrittenError(name)
        written(storage, name, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalStorage, "write", write)
        yield tried


@pytest.mark.parametrize("stop", range(5))
@pytest.mark.parametrize("first", [True, False])
def test_wherever_the_log_stops_growing_it_is_only_behind(
    tmp_path: Path, long: Store, monkeypatch: pytest.MonkeyPatch, first: bool, stop: int
) -> None:
    """Every write of a growth that fails: the first log of all, and one that goes over a full tile."""
    store = Store.open(tmp_path / "s") if first else long
    with monkeypatch.context() as patch:
        patch.setattr(growth, "extend", lambda store: None)
        while store.snapshot().number < (3 if first else 258):
            add(store, store.snapshot().number + 1000)
    with failing_after(stop) as tried:
        try:
            extend(store)
        except NotWrittenError:
            assert len(tried) == stop + 1
        else:
            assert len(tried) == (2 if first else 4)
    assert grave(store) == []
    add(Store.open(store.root), 2000)
    assert grave(store) == []
    store.project()
    assert examined(store).discrepancies == ()


def in_log(store: Store) -> dict[str, bytes]:
    folder = store.root / "log"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_a_key_a_log_is_not_made_anew_and_stays(logged: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = in_log(logged)
    assert {"checkpoint", "tile/0/000.p/7"} <= set(before)
    monkeypatch.setattr(growth, "own_key", lambda: None)
    with pytest.raises(KeyFileError, match="the log is as it was"):
        rebuild(logged)
    assert in_log(logged) == before


@pytest.mark.parametrize("stop", [0, 1])
def test_making_a_log_anew_takes_nothing_away_before_the_new_one_is_there(logged: Store, stop: int) -> None:
    before = in_log(logged)
    with failing_after(stop), pytest.raises(NotWrittenError):
        rebuild(logged)
    assert before.items() <= in_log(logged).items()
    assert grave(logged) == []


def test_making_a_log_anew_takes_away_what_is_not_of_it(logged: Store) -> None:
    (logged.root / "log" / "stranger").write_text("x")
    tile = logged.root / "log" / "tile"
    shutil.rmtree(tile / "0" / "000.p")
    (tile / "0" / "000.p").write_text("a file in the place of a folder")
    (tile / "1").mkdir()
    (tile / "1" / "000").write_bytes(bytes(8192))
    made = rebuild(Store.open(logged.root))
    assert made is not None
    assert (made.size, made.root) == (8, root_of(logged))
    assert set(in_log(logged)) == {"checkpoint", "tile/0/000.p/8"}
    assert examined(logged).discrepancies == ()


def test_what_is_merged_pulled_and_erased_is_no_tampering(tmp_path: Path) -> None:
    ours, theirs = Store.open(tmp_path / "ours"), Store.open(tmp_path / "theirs")
    chance = random.Random(6)
    grow(theirs, chance, secret="harmless")
    grow(ours, chance, run=8_000_000_000_000_000_001)
    ours.project()
    assert pull(ours, theirs).commit
    ours.project()
    kept = new_checkpoint(ours)
    before = examined(ours)
    assert before.discrepancies == ()
    erase_all(ours, run=8_000_000_000_000_000_001)
    ours.compact()
    ours.project()
    ours = Store.open(ours.root)
    assert ours.snapshot().rewritten
    after = examined(ours)
    assert after.discrepancies == ()
    assert after.leaves[: before.size] == before.leaves
    assert check_log(ours.storage).verdict is Verdict.CLEAN
    result = continued(ours, opened_checkpoint(kept, trusted_keys()))
    assert (result.holds, result.size) == (True, after.size)


def test_pulled_commits_are_held_to_what_was_pulled(tmp_path: Path) -> None:
    ours, theirs = Store.open(tmp_path / "ours"), Store.open(tmp_path / "theirs")
    for number in (1, 2, 3):
        add(theirs, number)
    pull(ours, theirs)
    ours.project()
    (path,) = (ours.root / "foreign").rglob("*.jsonl")
    name = path.relative_to(ours.root).as_posix()
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data.replace(b'"register"', b'"metadata"', 1))
    assert grave(ours) == [name]
    # The same with a file of its own name, seals and digests made right: the commit's own entry has them as they were.
    lines = data.splitlines()
    document = json.loads(lines[1])
    del document[SEAL]
    document["author"] = "somebody else"
    lines[1] = sealed(document)
    content = b"".join(line + b"\n" for line in lines)
    digest = hashlib.sha256(content).hexdigest()
    path.with_name(f"000000000001-{digest}.jsonl").write_bytes(content)
    new = f"foreign/{theirs.store_id}/000000000001-{digest}.jsonl"
    rewrite(ours, 1, lambda one: one["pulled"][0].update(path=new, sha256=digest, size=len(content)))
    assert new in grave(ours)
    assert commit_name(1) in grave(ours)


def test_pulled_commits_that_nobody_vouches_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsigned ones, those of a key that is not trusted, and a pull that says nothing of what it brought."""
    ours, theirs = Store.open(tmp_path / "ours"), Store.open(tmp_path / "theirs")
    other = SigningKey.generate("pirene/colleague@elsewhere")
    for number, key in ((1, other), (2, None), (3, keys.own_key())):
        with monkeypatch.context() as patch:
            patch.setattr(keys, "own_key", lambda key=key: key)
            add(Store.open(theirs.root), number)
    pull(ours, theirs)

    def unverified() -> list[str]:
        assert check_log(ours.storage).verdict is Verdict.INCOMPLETE
        return [one.found for one in examined(ours).discrepancies if one.path.startswith("foreign/")]

    assert unverified() == ["1 of others", "none on 1 of 3 commits"]

    def forget(document: dict[str, Any]) -> None:
        document.update(signature=None)
        del document["pulled"][0]["root"], document["pulled"][0]["pulled_sha256"]

    rewrite(ours, 1, forget)
    assert unverified() == ["none", "1 of others", "none on 1 of 3 commits"]


def test_a_store_of_before_the_log_gets_one(tmp_path: Path) -> None:
    shutil.copytree(FORMATS / "1" / "store", tmp_path / "s")
    store = Store.open(tmp_path / "s")
    report = check_log(store.storage)
    assert (report.verdict, report.examination.logged, report.examination.signed) == (Verdict.INCOMPLETE, None, 0)
    size = store.snapshot().number
    unsigned = {commit_name(number) for number in range(1, size + 1)}
    assert unsigned <= {one.path for one in report.findings if one.verdict is Verdict.INCOMPLETE}
    add(store, 9)
    assert (read(store.storage, size + 1) or pytest.fail()).log_root == root_hash(
        entry_of((store.root / commit_name(number)).read_bytes()) for number in range(1, size + 1)
    ).hex()
    store.project()
    report = check_log(store.storage)
    assert report.verdict is Verdict.INCOMPLETE
    assert commit_name(size + 1) not in {one.path for one in report.findings}
    rewrite(store, 2, lambda document: document.update(author="x"))
    altered = [one.path for one in examined(store).discrepancies if one.gravity is Gravity.ALTERED]
    assert altered == [commit_name(2)]


def test_keys_of_others_are_not_trusted_until_one_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(tmp_path / "s")
    add(store, 1)
    other = SigningKey.generate("pirene/colleague@elsewhere")
    with monkeypatch.context() as patch:
        patch.setattr(keys, "own_key", lambda: other)
        patch.setattr(growth, "own_key", lambda: other)
        add(Store.open(tmp_path / "s"), 2)
        store.project()
    shutil.copytree(os.environ["XDG_CONFIG_HOME"], tmp_path / "config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    report = check_log(store.storage)
    assert report.verdict is Verdict.INCOMPLETE
    keys.key_folder().trust(other.verifier(), "next door")
    unverified = [one.path for one in report.findings if one.verdict is Verdict.INCOMPLETE]
    assert set(unverified) >= {"log/checkpoint", commit_name(2)}
    again = check_log(store.storage)
    assert commit_name(2) not in {one.path for one in again.findings}


def test_who_can_have_no_key_commits_unsigned_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    store = Store.open(tmp_path / "s")
    with caplog.at_level(logging.WARNING):
        add(store, 1)
        add(store, 2)
        store.project()
    assert caplog.text.count("commits are not signed") == 1
    commit = read(store.storage, 2)
    assert commit is not None
    assert (commit.signature, commit.log_root) == (None, root_hash([entry_of(first(store))]).hex())
    assert not (tmp_path / "s" / "log").exists()


def first(store: Store) -> bytes:
    return (store.root / commit_name(1)).read_bytes()


def test_a_reader_imports_nothing_that_signs() -> None:
    program = (
        "import sys; from provenance.store import Store; import provenance.answers.ask, planner.cli;"
        "print([name for name in sys.modules if name.startswith('cryptography')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_chain_is_of_the_thread_that_won(tmp_path: Path) -> None:
    """Who lost a race states the root over the winner's commit too."""
    one, other = Store.open(tmp_path / "s"), Store.open(tmp_path / "s")
    add(one, 1)
    add(other, 2)
    add(one, 3)
    barrier = threading.Barrier(2)

    def write(store: Store, number: int) -> None:
        barrier.wait()
        add(store, number)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (one, other), (4, 5)))
    assert grave(one) == []


@pytest.mark.parametrize("which", ["logged", "long"])
def test_a_commit_reads_as_little_of_a_long_history_as_of_a_short_one(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that has just come: checkpoint and edge of the log once, and the newest commit."""
    store: Store = request.getfixturevalue(which)
    store.sum_up()
    store = Store.open(store.root)
    names: list[str] = []
    read_file = LocalStorage.read

    def counted(storage: LocalStorage, name: str, size: int | None = None) -> bytes:
        names.append(name)
        return read_file(storage, name, size)

    monkeypatch.setattr(LocalStorage, "read", counted)
    add(store, 7_000)
    of_log = [name for name in names if name.startswith("log/")]
    assert sorted(of_log) == sorted(set(of_log))
    assert len(of_log) <= 3
    commits = {name for name in names if name.startswith("commits/")}
    newest = store.snapshot().number
    assert commits <= {commit_name(number) for number in (newest - 1, newest)}
    assert len(names) <= 8


@pytest.mark.parametrize(
    ("mode", "text", "advice"),
    [
        (0o600, "garbage", "expected one line PRIVATE.*; restore it from a backup, or remove it"),
        (0o644, "", "others may read this private key.*; chmod 600"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_named_with_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: int,
    text: str,
    advice: str,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = keys.key_folder().signing_path
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)
    add(Store.open(tmp_path / "store"), 1)
    assert re.search(f"commits are not signed: {path}: .*{advice}", caplog.text)
