"""What `pirene files add` says, and the exit codes it ends with."""

from __future__ import annotations

import hashlib
import json
import zlib

import pytest

from provenance.answers.entities import ENTITIES
from provenance.audits.audits import audit_store
from provenance.commands.files import files
from provenance.commands.meta import meta
from provenance.commands.query import query
from provenance.commands.verify import verify
from provenance.errors import StoreError
from provenance.reading.views import fetch
from provenance.registration.found_files import UnreadableFilesError
from provenance.registration.raw_files import UnreadDigestError
from provenance.urls import file_url
from provenance.wide import wide
from query.vocabulary import Entity


def test_declared_for_one_file_and_verified_later(store, tmp_path, json_of, run_command):
    path = tmp_path / "tape.dat"
    path.write_bytes(b"content")
    adler32, md5 = f"{zlib.adler32(b'content'):08X}", hashlib.md5(b"content").hexdigest()
    (row,) = json_of(files, "add", str(path), "--adler32", adler32, "--md5", md5, "--size", "7")
    assert (row["sha256"], row["size"]) == (None, 7)
    assert json_of(query, "files where sha256 is present") == []
    (checked,) = json_of(verify, str(path))
    assert checked["verdict"] == "ok"
    (found,) = json_of(query, "files where sha256 is present show *")
    assert found["sha256"] == hashlib.sha256(b"content").hexdigest()
    assert fetch(store, "SELECT digest_origin, checksums FROM files") == [
        ("declared", [f"adler32:{adler32.lower()}", f"md5:{md5}"])
    ]
    facts = {fact["key"]: fact["value"] for fact in json_of(meta, "list", str(path))}
    assert facts["checksums"] == [f"adler32:{adler32.lower()}", f"md5:{md5}"]
    path.write_bytes(b"Content")
    assert json_of(verify, str(path), exit_code=1)[0]["verdict"] == "content-mismatch"


def test_a_url_of_another_machine(json_of, run_command):
    url = "s3://bucket/raw/a.fits"
    (row,) = json_of(files, "add", url, "--crc32c", "00000000", "--size", "0", "--site", "archive")
    assert (row["name"], row["path"], row["url"]) == ("a.fits", None, url)
    result = run_command(files, "add", url)
    assert "0 new files, 1 known already" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the files to register"),
        ([""], "a path is empty"),
        (["a", "--md5", "xyz"], "--md5: checksum 'xyz': expected md5: and 32 hex digits"),
        (["a", "--crc32c", "md5:" + "0" * 32], "--crc32c: checksum"),
        (["a", "--size", "-1"], "--size"),
        (["a", "--checksum", "md5:" + "0" * 32], "expected sha256"),
    ],
)
def test_bad_usage(tmp_path, run_command, arguments, message):
    nowhere = tmp_path / "store"
    result = run_command(files, "add", *arguments, exit_code=2, invocation={"store": str(nowhere)})
    assert message in result.stderr
    assert not nowhere.exists()


@pytest.mark.parametrize("others", [["{file}", "--md5", "0" * 32], ["root://archive.org/x"]])
def test_a_digest_is_never_taken_unread(store, tmp_path, run_command, others):
    (tmp_path / "a").write_text("x")
    arguments = [each.format(file=tmp_path / "a") for each in others]
    with pytest.raises(UnreadDigestError, match="this one is not read here"):
        run_command(files, "add", *arguments, "--checksum", "sha256:" + "0" * 64)
    assert store.snapshot().number == 0


def test_a_folder_has_no_checksum_that_could_be_verified(store, tmp_path, run_command):
    (tmp_path / "d").mkdir()
    with pytest.raises(
        StoreError, match=r"d: expected a checksum of a file; of a folder none could be verified"
    ) as refused:
        run_command(files, "add", "--tree", str(tmp_path / "d"), "--md5", "0" * 32)
    assert (refused.value.exit_code, store.snapshot().number) == (2, 0)
    assert "--checksum sha256:HEX" in refused.value.hint
    run_command(files, "add", "--tree", str(tmp_path / "d"), "--size", "0")


def test_a_copy_that_was_found_damaged_stays_that_and_it_is_said(store, tmp_path, run_command, json_of):
    (tmp_path / "a").write_text("x")
    declared = [str(tmp_path / "a"), "--md5", hashlib.md5(b"x").hexdigest()]
    run_command(files, "add", *declared)
    (tmp_path / "a").write_text("y")
    audit_store(store)
    said = run_command(files, "add", *declared).stderr
    url = file_url(tmp_path / "a")
    assert f"damaged or missing before, not read now, and so still that: 1 file ({url}); `pirene audit` reads" in said
    assert json_of(query, "files show status") == [{"status": "damaged"}]


def test_a_store_that_is_filled_by_registering_alone_gets_its_wide_table(store, tmp_path, run_command, monkeypatch):
    monkeypatch.setattr(wide, "MIN_ROWS", 3)
    for name in "abcdefgh":
        (tmp_path / name).write_text(name)
        run_command(files, "add", str(tmp_path / name), "-m", "kind=raw")
    numbers = [int(name.split("-")[1]) for name in wide.names(store.storage, ENTITIES[Entity.FILES])]
    assert numbers[0] >= 3
    assert len(numbers) == 2  # made anew once it had fallen behind by a quarter, and not each time


def test_what_is_left_out_is_named_and_ends_with_3(store, tmp_path, run_command):
    (tmp_path / "good").write_text("x")
    (tmp_path / "bad\nname").symlink_to("nowhere")
    with pytest.raises(UnreadableFilesError):
        run_command(files, "add", str(tmp_path))
    result = run_command(files, "add", str(tmp_path), "--keep-going", exit_code=3)
    assert "1 new file, 0 known already" in result.stderr
    assert f"not registered: {tmp_path}/bad\\nname: a link to nowhere, which is not there" in result.stderr
    quiet = run_command(files, "add", str(tmp_path), "--keep-going", exit_code=3, invocation={"quiet": True})
    assert "not registered" in quiet.stderr


def test_the_one_file_of_a_checksum_may_be_the_one_left_out(tmp_path, run_command):
    path = tmp_path / "nowhere"
    result = run_command(files, "add", str(path), "--checksum", "sha256:" + "0" * 64, "--keep-going", exit_code=3)
    assert f"not registered: {path}: No such file or directory" in result.stderr


def test_a_tree_is_one_file_and_verified_as_one(tmp_path, json_of, run_command):
    zarr = tmp_path / "raw" / "x.zarr"
    (zarr / "0").mkdir(parents=True)
    (zarr / ".zarray").write_text("{}")
    (zarr / "0" / "0").write_bytes(b"chunk")
    (tmp_path / "raw" / "beside").write_text("x")
    (row,) = json_of(files, "add", "--tree", str(zarr), "-m", "kind=cube")
    assert (row["name"], row["size"]) == ("x.zarr", 7)
    run_command(files, "add", str(tmp_path / "raw" / "beside"))
    checked = json_of(verify, str(tmp_path / "raw"))
    assert [(each["name"], each["verdict"]) for each in checked] == [("beside", "ok"), ("x.zarr", "ok")]
    (zarr / "0" / "0").write_bytes(b"chun!")
    assert json_of(verify, str(zarr), exit_code=1)[0]["verdict"] == "content-mismatch"


def test_a_table_in_json_lines(tmp_path, json_of):
    (tmp_path / "a").write_text("x")
    (tmp_path / "files.jsonl").write_text(json.dumps({"path": "a", "n": 1.5, "text": "42"}) + "\n")
    json_of(files, "add", "--table", str(tmp_path / "files.jsonl"))
    (found,) = json_of(query, "files where n = 1.5 show *")
    assert found["metadata"] == {"n": 1.5, "text": "42"}
