"""`store info` and `store check` as a shell sees them."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from provenance.commands.store import store as store_command
from provenance.ingest.ingest import ingest
from provenance.ingest.quarantine import quarantined
from provenance.store import Store

JsonOf = Callable[..., Any]
RunCommand = Callable[..., Result]


def test_info_says_what_the_store_holds_takes_and_keeps_waiting(
    runs: Any, json_of: JsonOf, run_command: RunCommand
) -> None:
    store: Store = runs.store
    before = json_of(store_command, "info")
    store.compact()
    store.project()
    ingest(store, [b"no record"])
    (store.root / "segments" / "files" / "9-9.parquet").write_bytes(b"12345")
    (store.root / "spool" / "x").mkdir(parents=True)
    (store.root / "spool" / "x" / "record.json").write_bytes(b"123")
    info = json_of(store_command, "info")
    assert before["rows"] == info["rows"]
    assert before["superseded_bytes"] == before["orphaned_bytes"] == 0
    on_disk = sum(path.stat().st_size for path in store.root.glob("segments/*/*.parquet"))
    assert info["live_bytes"] + info["superseded_bytes"] + 5 == on_disk
    assert info["superseded_bytes"] > 0
    assert sum(info["bytes"].values()) == info["live_bytes"]
    assert info["orphaned_bytes"] == 5
    assert info["spool"] == {"files": 1, "size_bytes": 3}
    assert info["catalog"] == {"path": str(store.root / "lake.sqlite"), "commit": 7, "problem": None}
    assert (info["format"], info["read_only"], info["store"]) == (1, False, store.store_id)
    (kept,) = info["quarantined"]
    assert (kept["what"], kept["sha256"]) == ("record", quarantined(store)[0].sha256)
    text = run_command(store_command, "info").stdout
    assert "1 thing in quarantine:" in text
    assert kept["reason"] in text
    assert "lake.sqlite shows commit 7" in text
    assert "spool     1 file, 3 bytes on their way in" in text


def test_info_of_an_empty_store_and_of_a_torn_catalog(store: Store, run_command: RunCommand) -> None:
    assert "catalog   none at" in run_command(store_command, "info").stdout
    (store.root / "lake.sqlite").write_bytes(b"no database at all, and long enough to be looked at" * 30)
    assert "lake.sqlite cannot be read: file is not a database" in run_command(store_command, "info").stdout


def test_check_says_clean_and_what_it_read(runs: Any, run_command: RunCommand, json_of: JsonOf) -> None:
    text = run_command(store_command, "check").stdout
    assert text.startswith("clean: 6 commits, ")
    assert text.endswith(f"checked in {runs.store.root}\n")
    document = json_of(store_command, "check")
    assert document["schema"] == "pirene.store-check/1"
    assert document["verdict"] == "clean"
    assert document["checked"]["commits"] == 6
    assert document["findings"] == document["repairs"] == []


def test_check_names_damage_repair_mends_it_and_what_it_cannot_mend_it_says(
    runs: Any, run_command: RunCommand, json_of: JsonOf
) -> None:
    store: Store = runs.store
    made = store.compact()
    assert made is not None
    live = store.root / made.segments[0].path
    live.unlink()
    (finding, *_) = json_of(store_command, "check", exit_code=1)["findings"]
    assert finding["kind"] == "missing"
    assert finding["verdict"] == "damaged"
    assert finding["path"] == made.segments[0].path
    text = run_command(store_command, "check", "--repair").stdout
    assert f"mended: {made.segments[0].path}: made again from other segments" in text
    assert "\nclean: " in text

    path = store.root / "commits" / "000000000002.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"kind":"plan"', b'"kind":"pull"'))
    result = run_command(store_command, "check", "--repair", exit_code=1)
    assert "not mended: commits/000000000002.json: changed: nothing else in the store holds it" in result.stdout
    assert "these are not the bytes that were sealed" in result.stdout
    assert "damaged: " in result.stdout.splitlines()[-1]


def test_check_looks_at_a_store_that_lost_its_identity(runs: Any, run_command: RunCommand) -> None:
    (runs.store.root / "store.json").unlink()
    result = run_command(store_command, "check", exit_code=1)
    assert "missing: store.json" in result.stdout


def test_rebuild_makes_the_catalog_anew(runs: Any, run_command: RunCommand) -> None:
    catalog = runs.store.root / "lake.sqlite"
    catalog.write_bytes(b"X" * 5000)
    assert "stale: lake.sqlite" in run_command(store_command, "check").stdout
    result = run_command(store_command, "check", "--rebuild")
    assert "mended: lake.sqlite: made anew from the commits, up to commit 6" in result.stdout
    assert catalog.read_bytes()[:6] == b"SQLite"


def test_there_is_a_bar_on_a_terminal_and_none_in_a_pipe(runs: Any, pirene: Path) -> None:
    command = [str(pirene), "--store", str(runs.store.root), "store", "check"]
    piped = subprocess.run(command, capture_output=True, check=True)
    assert piped.stderr == b""
    leader, follower = pty.openpty()
    try:
        shown = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, check=True)
        time.sleep(0.05)
        assert b"reading segments" in os.read(leader, 65536)
        assert shown.stdout == piped.stdout
    finally:
        os.close(leader)
        os.close(follower)
