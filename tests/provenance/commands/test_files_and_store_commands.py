from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from provenance.commands.files import files
from provenance.commands.query import query
from provenance.commands.store import store as store_command
from provenance.registration.raw_files import DeclaredDigestError


def test_files_are_added_with_metadata(store, tmp_path, json_of, run_command):
    path = tmp_path / "näme with space"
    path.write_bytes(b"A")
    (row,) = json_of(files, "add", str(path), "-m", "kind=raw", "-m", "exposure=007", "-m", "note=a=b: 🦊")
    assert row["name"] == "näme with space"
    assert row["sha256"] == hashlib.sha256(b"A").hexdigest()
    assert row["new"] is True
    (found,) = json_of(query, 'files where kind = "raw" and exposure = 7 and exposure = "007" show *')
    assert found["metadata"] == {"kind": "raw", "exposure": 7, "note": "a=b: 🦊"}
    assert found["id"] == row["id"]
    assert json_of(files, "add", str(path))[0]["new"] is False
    result = run_command(files, "add", str(path))
    assert result.stdout == ""
    assert "0 new files, 1 known already" in result.stderr


def test_a_checksum_is_checked(store, tmp_path, run_command):
    path = tmp_path / "a"
    path.write_bytes(b"A")
    good = hashlib.sha256(b"A").hexdigest()
    run_command(files, "add", str(path), "--checksum", f"sha256:{good}")
    with pytest.raises(DeclaredDigestError):
        run_command(files, "add", str(path), "--checksum", "sha256:" + "0" * 64)
    for wrong in ("md5:" + "0" * 32, "sha256:xyz", "z" * 64):
        assert "expected sha256" in run_command(files, "add", str(path), "--checksum", wrong, exit_code=2).output


def test_files_are_retired_by_name_and_by_query(runs, run_command, json_of):
    run_command(files, "retire", str(runs.output("left", "raw.dat")), "--reason", "wrong camera")
    assert len(json_of(query, 'files where status = "retired"')) == 1
    result = run_command(files, "retire", 'files where name = "raw.dat"')
    assert "1 file retired, 1 retired already" in result.stderr
    run_command(files, "add", str(runs.output("left", "raw.dat")))
    assert len(json_of(query, 'files where status = "retired"')) == 1


def test_store_info_commits_and_compact(runs, run_command, json_of):
    info = json_of(store_command, "info")
    assert info["commits"] == 6
    assert info["rows"]["workflows"] == 2
    assert "commits   6" in run_command(store_command, "info").stdout
    commits = json_of(store_command, "commits")
    assert [commit["kind"] for commit in commits] == ["register", "plan", "ingest"] * 2
    assert [commit["records"] for commit in commits] == [0, 0, 2] * 2
    before = json_of(query, "files show *")
    left = [runs.store.root / "segments" / "files" / name for name in ("0.parquet", "1.parquet.tmp")]
    for path in left:
        path.write_bytes(b"half")
    os.utime(left[0], (0, 0))
    said = run_command(store_command, "compact").stderr
    assert "in place of" in said and "1 file of killed writers removed" in said
    assert [path.exists() for path in left] == [False, True]  # the other may be of a writer at work
    assert run_command(store_command, "compact").stderr == "there is nothing to merge\n"
    assert json_of(query, "files show *") == before


@pytest.mark.parametrize("name", ["query", "fields", "files", "meta", "lineage", "verify", "audit", "store"])
def test_help_loads_nothing_heavy(name):
    program = (
        f"import sys, provenance.commands.{name} as module\n"
        f"assert module.{name}.name in ({name!r}, None), module.{name}.name\n"
        "heavy = {'duckdb', 'pyarrow', 'sqlalchemy', 'lark', 'networkx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
