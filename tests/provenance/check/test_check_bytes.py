"""Whatever bit of a store flips and whatever file of it goes, a check names that file; what is whole it calls clean."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from provenance.check.findings import Finding, Kind, Verdict
from provenance.check.whole import check_store
from provenance.errors import NotAStoreError, UnsupportedStoreError
from provenance.location import FOLDER
from provenance.storage.local import LocalStorage
from provenance.store import Store

FindingsOf = Callable[[Store], list[Finding]]


def truth(store: Store) -> list[Path]:
    files = [path for folder in ("commits", "segments") for path in (store.root / folder).rglob("*") if path.is_file()]
    return [store.root / "store.json", *sorted(files)]


def some(store: Store) -> list[Path]:
    """The identity of the store, its commits and every sixth segment, superseded ones among them."""
    files = truth(store)
    return files[:9] + files[9::6]


def flip(path: Path, chance: random.Random) -> bytes:
    whole = path.read_bytes()
    data = bytearray(whole)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.chmod(0o644)
    path.write_bytes(data)
    return whole


def test_a_store_with_a_life_behind_it_is_clean(lived_in: Store) -> None:
    report = check_store(lived_in.storage)
    assert report.findings == ()
    assert report.verdict is Verdict.CLEAN
    assert report.verdict.exit_code == 0
    files = truth(lived_in)
    assert report.commits == len(list((lived_in.root / "commits").iterdir())) == 8
    assert report.segments == len(files) - 1 - report.commits
    assert report.size_bytes == sum(path.stat().st_size for path in files if path.suffix == ".parquet")
    assert report.rows == lived_in.snapshot().rows()


def test_a_flipped_bit_anywhere_is_named(lived_in: Store, findings_of: FindingsOf) -> None:
    """One flip in each file, at a random place."""
    chance = random.Random(11)
    for path in some(lived_in):
        whole = flip(path, chance)
        name = path.relative_to(lived_in.root).as_posix()
        found = findings_of(lived_in)
        assert (name, Kind.CHANGED) in {(finding.path, finding.kind) for finding in found}, (name, found)
        assert {finding.path for finding in found if finding.kind is Kind.CHANGED} == {name}
        path.write_bytes(whole)
    assert findings_of(lived_in) == []


def test_a_file_that_is_gone_is_named(lived_in: Store, findings_of: FindingsOf, tmp_path: Path) -> None:
    """The newest commit alone can go unseen: nothing else knows of it. That is what the log of commits is for."""
    aside = tmp_path / "aside"
    for path in some(lived_in):
        name = path.relative_to(lived_in.root).as_posix()
        path.rename(aside)
        found = findings_of(lived_in)
        if name == "commits/000000000008.json":
            assert found == []
        else:
            assert (name, Kind.MISSING) in {(finding.path, finding.kind) for finding in found}, (name, found)
            assert check_store(lived_in.storage).verdict is Verdict.DAMAGED
        aside.rename(path)


@pytest.mark.parametrize("folder", ["commits", "segments/jobs"])
def test_what_cannot_be_read_makes_a_check_incomplete_and_not_damage(lived_in: Store, folder: str) -> None:
    path = min((lived_in.root / folder).iterdir())
    path.unlink()
    path.symlink_to(path)
    report = check_store(lived_in.storage)
    assert {finding.kind for finding in report.findings} == {Kind.UNREADABLE, Kind.UNCHECKED}
    found = {finding.path: finding.found for finding in report.findings if finding.kind is Kind.UNREADABLE}
    assert found[f"{folder}/{path.name}"] == os.strerror(errno.ELOOP)
    assert report.verdict.exit_code == 3
    (lived_in.root / "store.json").chmod(0o644)
    (lived_in.root / "store.json").write_bytes(b"{}")
    assert check_store(lived_in.storage).verdict.exit_code == 1


def test_a_folder_in_the_place_of_a_file_is_damage(lived_in: Store, findings_of: FindingsOf) -> None:
    path = min((lived_in.root / "segments" / "jobs").iterdir())
    path.unlink()
    path.mkdir()
    assert (findings_of(lived_in)[0].kind, findings_of(lived_in)[0].found) == (Kind.MISSING, "Is a directory")


def test_a_check_reads_the_bytes_and_not_what_it_read_before(lived_in: Store, findings_of: FindingsOf) -> None:
    """The size, the times and the inode stay as they were: only reading tells."""
    path = truth(lived_in)[-1]
    before = path.stat()
    assert findings_of(lived_in) == []
    with path.open("rb") as file:
        data = bytearray(file.read())
    data[40] ^= 4
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(data)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert next(finding.kind for finding in findings_of(lived_in)) is Kind.CHANGED


def test_where_there_is_no_store_nothing_is_checked(tmp_path: Path) -> None:
    with pytest.raises(NotAStoreError, match="there is no store here"):
        check_store(LocalStorage(tmp_path / FOLDER))


def test_a_commit_of_a_newer_format_is_not_checked_by_an_older_version(
    lived_in: Store, rewrite_commit: Callable[..., None]
) -> None:
    rewrite_commit(lived_in, 3, lambda document: document.update(format=2))
    with pytest.raises(UnsupportedStoreError, match="a commit of format 2; this version reads up to 1"):
        check_store(lived_in.storage)
