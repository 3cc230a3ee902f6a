"""What is no regular file is refused, in one line that says what it is, and nobody waits for it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from planner.catalogs.properties import read_properties
from planner.catalogs.read import KINDS, read_catalog_file
from planner.errors import FileError, PlannerError
from planner.plan_folder import FOLDER, LOCK, read_plan
from planner.regular_files import read_regular
from planner.workflow import Place
from planner.workflow_file import read_workflow
from provenance.checked_json import MalformedError
from provenance.ingest.record_files import MOST_BYTES, record_bytes
from provenance.ingest.record_reader import read_record

pytestmark = pytest.mark.timeout(30)  # who waits for a pipe waits for ever


@pytest.fixture(params=["a named pipe", "a socket", "a character device", "a folder"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Something at a path that is no regular file, and what it is called."""
    path = tmp_path / "odd.yml"
    with socket.socket(socket.AF_UNIX) as listening:
        match request.param:
            case "a named pipe":
                os.mkfifo(path)
            case "a socket":
                listening.bind(str(path))
            case "a character device":
                path.symlink_to("/dev/zero")
            case _:
                path.mkdir()
        yield path, request.param


def catalog_at(path: Path) -> object:
    return read_catalog_file(KINDS[0], path, {})


def properties_at(path: Path) -> object:
    return read_properties(path, {})


@pytest.mark.parametrize("read", [read_workflow, catalog_at, properties_at])
def test_what_is_no_file_is_named(odd: tuple[Path, str], read: Callable[[Path], object]) -> None:
    path, kind = odd
    with pytest.raises(PlannerError) as error:
        read(path)
    assert re.fullmatch(f"cannot read .*{path}: expected a regular file, found {kind}", str(error.value))


def test_a_plan_that_is_no_file_is_named(odd: tuple[Path, str], tmp_path: Path) -> None:
    path, kind = odd
    (tmp_path / FOLDER).mkdir()
    path.rename(tmp_path / FOLDER / LOCK)
    with pytest.raises(OSError, match=f"expected a regular file, found {kind}") as error:
        read_plan(tmp_path)
    assert error.value.filename == str(tmp_path / FOLDER / LOCK)


def test_the_place_of_an_error_in_what_is_no_file_has_no_excerpt(odd: tuple[Path, str]) -> None:
    path, _ = odd
    assert str(FileError(Place(path, 1, 1), "wrong")) == f"{path}:1:1: wrong"


def test_a_record_that_is_no_file_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1-1.json")
    with pytest.raises(MalformedError):
        read_record(record_bytes(tmp_path / "1-1.json"))


def test_of_a_record_without_end_no_more_is_read_than_records_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provenance.ingest.record_files.MOST_BYTES", 1000)
    assert record_bytes(Path("/dev/zero")) == bytes(1001)
    assert MOST_BYTES > 1000


def test_links_to_files_are_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00\xff" * 100_000)
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"\x00\xff" * 100_000


def test_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")
