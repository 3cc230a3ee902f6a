"""A store that is damaged itself: an audit says so in the format that was asked for, with the place, and says what it
could not look at. Nothing of that is an error of one line, and nothing passes for clean.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from provenance.commands.audit import audit
from provenance.commands.scrub import scrub
from provenance.errors import NotAStoreError, ReadFailedError
from provenance.storage.local import LocalStorage

Damage = Callable[[Path], str]
"""Damages the store in a folder and gives the place of it, relative to that."""


def first(folder: Path, table: str) -> Path:
    return min((folder / "segments" / table).glob("*.parquet"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def truncated_commit(folder: Path) -> str:
    cut(folder / "commits/000000000002.json")
    return "commits/000000000002.json"


def altered_commit(folder: Path) -> str:
    path = folder / "commits/000000000002.json"
    path.write_bytes(path.read_bytes().replace(b'"plan"', b'"plam"'))
    return "commits/000000000002.json"


def missing_commit(folder: Path) -> str:
    (folder / "commits/000000000002.json").unlink()
    return "commits/000000000002.json"


def no_commits(folder: Path) -> str:
    shutil.rmtree(folder / "commits")
    return "commits/000000000001.json"


def truncated_segment(folder: Path) -> str:
    path = first(folder, "files")
    cut(path)
    return str(path.relative_to(folder))


def missing_segment(folder: Path) -> str:
    path = first(folder, "replicas")
    path.unlink()
    return str(path.relative_to(folder))


def folder_for_a_segment(folder: Path) -> str:
    path = first(folder, "checks")
    path.unlink()
    path.mkdir()
    return str(path.relative_to(folder))


DAMAGES = [
    truncated_commit, altered_commit, missing_commit, no_commits, truncated_segment, missing_segment,
    folder_for_a_segment,
]  # fmt: skip


@pytest.fixture
def folder(runs) -> Path:
    """Of a store with two runs and a log."""
    runs.store.project()
    return runs.store.root


@pytest.mark.parametrize("command", [audit, scrub], ids=["audit", "scrub"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_it_is_tampering_with_its_place_and_says_that_nothing_was_looked_at(
    folder: Path, damage: Damage, command, json_of
) -> None:
    place = damage(folder)
    report = json_of(command, exit_code=4)
    assert (report["verdict"], report["log"]["status"]) == ("tampered", "mismatch")
    assert place in [finding["name"] for finding in report["findings"]]
    assert {finding["class"] for finding in report["findings"]} <= {"catalog-mismatch", "log-mismatch"}
    assert report["coverage"]["verified"] == 0
    assert report["obstacle"]
    assert report["reproduce"][0].startswith("pirene log check --store ")


@pytest.mark.parametrize("damage", [truncated_commit, missing_segment], ids=lambda damage: damage.__name__)
def test_every_format_tells_it(folder: Path, damage: Damage, run_command) -> None:
    place = damage(folder)
    text = run_command(audit, exit_code=4).stdout
    assert "no copy was looked at" in text and place in text
    assert "expected  " not in text, "there were no bytes to compare"
    page = run_command(audit, "--format", "html", exit_code=4).stdout
    assert "no copy was looked at" in page and place in page and "</html>" in page
    document = run_command(audit, "--format", "junit", exit_code=4).stdout
    cases = ElementTree.fromstring(document.encode()).iter("testcase")
    outcomes = {case.get("name"): [child.tag for child in case] for case in cases}
    assert outcomes["nothing was looked at"] == ["error"] and outcomes[place] == ["failure"]


def test_a_scope_is_named_as_it_was_asked_for(folder: Path, json_of) -> None:
    truncated_commit(folder)
    assert json_of(audit, "left", exit_code=4)["scope"]["asked"] == "left"
    sampled = json_of(scrub, "left", "--sample", "2", "--from", "1", exit_code=4)
    assert sampled["reproduce"][1].startswith("pirene scrub left --sample 2 --from 1")


def test_damage_of_files_is_told_though_what_they_affect_is_lost(runs, folder: Path, json_of) -> None:
    shutil.rmtree(folder / "segments" / "uses")
    runs.output("left", "mid.dat").write_bytes(b"mid of lefT")
    report = json_of(audit, exit_code=4)
    assert report["coverage"]["verified"] == 6
    assert [finding["name"] for finding in report["findings"] if finding["class"] == "content-mismatch"] == ["mid.dat"]
    assert any(finding["name"].startswith("segments/uses/") for finding in report["findings"])
    assert "segments/uses/" in report["obstacle"]


def test_a_store_without_its_identity_is_damaged(folder: Path, json_of) -> None:
    path = folder / "store.json"
    path.write_bytes(path.read_bytes().replace(b"created", b"creaded"))
    report = json_of(audit, exit_code=1)
    assert [(finding["class"], finding["name"]) for finding in report["findings"]] == [
        ("content-mismatch", "store.json")
    ]
    assert report["log"]["status"] == "unknown"


def test_what_the_system_does_not_hand_out_is_incomplete(folder: Path, json_of, monkeypatch, caplog) -> None:
    read = LocalStorage.read

    def refuse(storage: LocalStorage, path: str, size: int | None = None) -> bytes:
        if path == "commits/000000000002.json":
            raise ReadFailedError(f"{storage.where(path)}: Input/output error")
        return read(storage, path, size)

    monkeypatch.setattr(LocalStorage, "read", refuse)
    report = json_of(audit, exit_code=3)
    assert (report["verdict"], report["log"]["status"]) == ("incomplete", "unknown")
    assert [finding["class"] for finding in report["findings"]] == ["unreadable"]
    assert "Input/output error" in report["obstacle"]


@pytest.mark.parametrize("command", [audit, scrub], ids=["audit", "scrub"])
def test_a_store_whose_name_is_gone_is_damaged_and_not_none(folder: Path, command, json_of) -> None:
    (folder / "store.json").unlink()
    report = json_of(command, exit_code=1)
    assert (report["verdict"], report["log"]["status"]) == ("damaged", "unknown")
    assert [finding["name"] for finding in report["findings"]] == ["store.json"]
    assert report["obstacle"] == f"{folder}: holds commits but no store.json"


def test_a_store_that_is_being_made_is_none_yet(tmp_path: Path, run_command) -> None:
    (tmp_path / "commits").mkdir()
    with pytest.raises(NotAStoreError, match="there is no store here"):
        run_command(audit, invocation={"store": str(tmp_path)})


def test_no_store_stays_an_error(tmp_path: Path, run_command) -> None:
    with pytest.raises(NotAStoreError):
        run_command(audit, invocation={"store": str(tmp_path / "elsewhere")})


def test_a_report_says_what_it_could_do(runs, folder: Path, json_of) -> None:
    assert json_of(audit)["obstacle"] is None


def test_json_is_one_document(folder: Path, run_command) -> None:
    truncated_segment(folder)
    assert json.loads(run_command(audit, "--format", "json", exit_code=4).stdout)["schema"] == "pirene.audit/1"
