"""Files are read a portion at a time: nobody can tell where one ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from integrity import digest_many
from provenance.reading.views import fetch
from provenance.registration import raw_reading
from provenance.registration.raw_files import UnreadableFilesError, add_files
from provenance.store import Store

SIZES = (3, 100_000, 5, 70_000, 0, 9, 1)


@pytest.fixture(autouse=True)
def portion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_reading, "_PORTION_FILES", 3)
    monkeypatch.setattr(digest_many, "_TICK_SECONDS", -1.0)  # every step is told


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    for number, size in enumerate(SIZES):
        (tmp_path / "raw" / str(number)).write_bytes(b"%d" % number * size)
    return tmp_path / "raw"


def test_all_are_read_and_the_progress_never_goes_back(store: Store, raw: Path) -> None:
    told: list[tuple[int, int, int, int]] = []
    done = add_files(store, [raw], progress=lambda *numbers: told.append(numbers))
    assert [file.sha256 for file in done.files] == [
        hashlib.sha256(b"%d" % number * size).digest() for number, size in enumerate(SIZES)
    ]
    assert len(done.commits) == 1
    assert {(files, size) for _, files, _, size in told} == {(len(SIZES), sum(SIZES))}
    assert told == sorted(told)
    assert told[-1] == (len(SIZES), len(SIZES), sum(SIZES), sum(SIZES))


def test_one_that_cannot_be_read_in_a_later_portion(store: Store, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = digest_many.hash_path

    def hash_path(path: str, **more: object) -> object:
        if Path(path).name == "4":
            raise PermissionError(13, "Permission denied", path)
        return read(path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(digest_many, "hash_path", hash_path)
    with pytest.raises(UnreadableFilesError, match=r"raw/4: Permission denied$"):
        add_files(store, [raw])
    assert store.snapshot().number == 0
    done = add_files(store, [raw], keep_going=True)
    assert [each.path for each in done.left_out] == [str(raw / "4")]
    assert [file.name for file in done.files] == ["0", "1", "2", "3", "5", "6"]
    again = add_files(store, [raw], keep_going=True)
    assert (again.files.new, len(again.files)) == (0, 6)
    assert fetch(store, "SELECT count(*) FROM files") == [(6,)]
