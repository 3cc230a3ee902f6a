from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from provenance.errors import DamagedStoreError
from provenance.ingest.ingest import ingest
from provenance.ingest.quarantine import quarantine, quarantined
from provenance.storage.durable import TEMPORARY


def test_what_is_kept_comes_back_with_its_reason_and_its_origin(store):
    origin = Path("/runs/a b/\udcff.json")
    place = quarantine(store, b"{}\xff", "record", "line 1\nline 2 \udc80", origin)
    assert Path(place).read_bytes() == b"{}\xff"
    (kept,) = quarantined(store)
    assert (kept.what, kept.sha256, kept.place) == ("record", hashlib.sha256(b"{}\xff").hexdigest(), place)
    assert (kept.reason, kept.origin) == ("line 1\nline 2 \udc80", origin)


def test_the_same_bytes_are_kept_once_with_every_reason_and_every_origin(store):
    for _ in range(2):
        quarantine(store, b"", "record", "no JSON", Path("/run-1/1.json"))
        quarantine(store, b"", "record", "no JSON", Path("/run-2/1.json"))
        quarantine(store, b"", "metadata", "no JSON", Path("/run-2/1.json"))
        quarantine(store, b"", "record", "no JSON")
    assert sorted((str(each.origin), each.what) for each in quarantined(store)) == [
        ("/run-1/1.json", "record"),
        ("/run-2/1.json", "metadata"),
        ("/run-2/1.json", "record"),
        ("None", "record"),
    ]
    assert len({each.place for each in quarantined(store)}) == 2


def test_a_run_asks_for_what_came_from_its_folder(store):
    for name in ("/runs/1/records/0/1-1.json", "/runs/10/records/0/1-1.json", "/runs/1/other.json"):
        quarantine(store, name.encode(), "record", "malformed", Path(name))
    assert [str(each.origin) for each in quarantined(store, Path("/runs/1/records"))] == ["/runs/1/records/0/1-1.json"]
    assert len(quarantined(store, Path("/runs/1"))) == 2


def test_an_empty_quarantine_is_empty(store):
    assert quarantined(store) == []


def test_a_pipe_in_place_of_a_record_is_not_waited_for(store, tmp_path):
    os.mkfifo(tmp_path / "1-1.json")
    (rejected,) = ingest(store, [tmp_path / "1-1.json"]).rejected
    assert rejected.path == tmp_path / "1-1.json"
    assert [each.origin for each in quarantined(store)] == [rejected.path]


def test_what_a_killed_writer_left_is_no_note(store):
    quarantine(store, b"x", "record", "malformed")
    folder = store.root / "quarantine"
    (note,) = folder.glob("*.json")
    (folder / f"{note.name}.123{TEMPORARY}").write_bytes(b"{")
    assert len(quarantined(store)) == 1


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", json.dumps({"from": 1, "reason": "x"}).encode()])
def test_a_damaged_note_is_named(store, damage):
    quarantine(store, b"x", "record", "malformed")
    (note,) = (store.root / "quarantine").glob("*.json")
    note.chmod(0o644)
    note.write_bytes(damage)
    with pytest.raises(DamagedStoreError, match=note.name):
        quarantined(store)
