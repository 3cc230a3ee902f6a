"""What is to be read past the page cache is read from the disk: files, and the files of folders that are one file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from integrity.audit import Expectation, audit
from integrity.digest import hash_path
from tests.integrity.page_cache import FirstReads

DATA = bytes(range(256)) * 1024


class Nobody:
    def names(self, sha256: bytes) -> tuple[str, ...]:
        return ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file, and a folder with files in it, on the disk and in memory."""
    (tmp_path / "folder" / "below").mkdir(parents=True)
    for name in ("file", "folder/a", "folder/below/b"):
        with (tmp_path / name).open("wb") as file:
            file.write(DATA)
            file.flush()
            os.fsync(file.fileno())
    return tmp_path


@pytest.mark.parametrize(("name", "files"), [("file", ["file"]), ("folder", ["folder/a", "folder/below/b"])])
def test_files_and_folders_are_read_from_the_disk(folder: Path, monkeypatch, name: str, files: list[str]) -> None:
    reads = FirstReads(monkeypatch)
    kept = hash_path(folder / name)
    assert set(reads.pages) == {str(folder / each) for each in files}
    assert all(reads.pages.values()), "the system does not keep in memory what is written: this proves nothing"
    reads.pages.clear()
    assert hash_path(folder / name, past_cache=True).sha256 == kept.sha256
    assert reads.pages == {str(folder / each): 0 for each in files}


def test_an_audit_reads_from_the_disk_where_it_is_to(folder: Path, monkeypatch) -> None:
    reads = FirstReads(monkeypatch)
    expected = [Expectation("file", "u", folder / "file", hashlib.sha256(DATA).digest(), len(DATA))]
    expected += [Expectation("folder", "u", folder / "folder", hash_path(folder / "folder").sha256, 2 * len(DATA))]
    reads.pages.clear()
    checks = list(audit(expected, Nobody(), past_cache=True))
    assert [check.verdict.value for check in checks] == ["ok", "ok"]
    assert list(reads.pages.values()) == [0, 0, 0]
