from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import pytest

from integrity.digest import Stat
from provenance.copies.replicas import by_file, by_url
from provenance.history.commits import CommitKind
from provenance.identity import produced_file, source_of
from provenance.ingest.ingest import Published, ingest
from provenance.metadata import from_text
from provenance.reading.views import fetch
from provenance.registration.raw_files import (
    DeclaredDigestError,
    NameTemplateError,
    UnreadableFilesError,
    add_files,
    find_files,
)
from provenance.registration.registration import Registration, register
from provenance.registration.retirement import retire_files
from provenance.segments.batch import Batch
from provenance.urls import copy_url, file_url, local_path


def statuses(store):
    rows = fetch(store, "SELECT f.name, s.status FROM files f JOIN file_states s USING (source, file) ORDER BY ALL")
    return [tuple(row) for row in rows]


def test_one_registration_is_one_commit(store, tmp_path):
    folder = tmp_path / "raw"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "2.fits").write_bytes(b"two")
    (folder / "a.fits").write_bytes(b"one")
    done = add_files(store, [folder], author="ada")
    assert store.snapshot().number == 1
    assert [file.name for file in done.files] == ["a.fits", "b/2.fits"]
    source = source_of(done.registration)
    assert [file.file for file in done.files] == [(source, 0), (source, 1)]
    rows = fetch(
        store, "SELECT name, origin, sha256, size_bytes, digest_origin, owner IS NULL FROM files ORDER BY file"
    )
    assert rows[0] == ("a.fits", "raw", hashlib.sha256(b"one").digest(), 3, "observed", False)
    replica = by_url(store, [file_url(folder / "a.fits")])[file_url(folder / "a.fits")]
    assert replica.state == "ok"
    assert replica.verified is not None
    stat = (folder / "a.fits").stat()
    assert (replica.seen_bytes, replica.modified_ns, replica.changed_ns) == (3, stat.st_mtime_ns, stat.st_ctime_ns)


def test_the_same_content_at_the_same_place_is_the_same_file(store, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"A")
    first = add_files(store, [path]).files[0]
    again = add_files(store, [path]).files[0]
    assert again.file == first.file
    assert (first.new, again.new) == (True, False)
    assert fetch(store, "SELECT count(*) FROM files") == [(1,)]


def test_a_file_that_is_named_twice_is_registered_once(store, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "x").write_bytes(b"X")
    (tmp_path / "t.csv").write_text("path,band\nd/x,r\n")
    given = {"kind": from_text("raw"), "band": from_text("?")}
    done = add_files(store, [folder, folder / "x"], table=tmp_path / "t.csv", metadata=given)
    assert [(file.name, file.new) for file in done.files] == [("x", True)]
    rows = fetch(store, "SELECT key, written FROM current_metadata ORDER BY key")
    assert rows == [("band", "r"), ("kind", "raw")]
    assert len(list(store.query('files where kind = "raw"').rows())) == 1


def test_two_entries_that_turn_out_to_be_one_file_say_a_key_once(store):
    batch, entry = Batch(), Registration("a", "file:///a", sha256=bytes(32), metadata={"k": from_text("1")})
    one, other = register(store, batch, 7, [entry, replace(entry, name="b", metadata={"k": from_text("2")})])
    assert one == other
    store.commit(CommitKind.REGISTER, batch)
    assert fetch(store, "SELECT written FROM current_metadata") == [("2",)]


def test_other_content_there_is_a_new_file_and_the_old_copy_is_replaced(store, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"A")
    first = add_files(store, [path]).files[0]
    path.write_bytes(b"B")
    second = add_files(store, [path]).files[0]
    assert second.file != first.file
    assert statuses(store) == [("a", "gone"), ("a", "ok")]
    states = by_file(store, [first.file, second.file], states={"ok", "replaced"})
    assert [states[file.file][0].state for file in (first, second)] == ["replaced", "ok"]
    assert by_url(store, [first.url])[first.url].id == second.file
    path.write_bytes(b"A")
    third = add_files(store, [path]).files[0]
    assert third.file not in (first.file, second.file)


def test_the_copy_of_a_produced_file_is_that_file(store, tmp_path, record_bytes, made_file, run_id):
    path = tmp_path / "out"
    path.write_bytes(b"A")
    place = Published(file_url(path), "local", Stat.of(path), None)
    ingest(store, [record_bytes(outputs=[made_file("out", b"A")])], published={(1, 1, "out"): place})
    added = add_files(store, [path]).files[0]
    assert added.file == (source_of(run_id), produced_file(1, 1, 0))
    path.write_bytes(b"B")
    assert add_files(store, [path]).files[0].new
    assert statuses(store) == [("out", "gone"), ("out", "ok")]


def test_registering_a_retired_file_takes_it_back(store, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"A")
    file = add_files(store, [path]).files[0].file
    assert retire_files(store, [file], reason="wrong detector") == 1
    assert retire_files(store, [file]) == 0
    assert statuses(store) == [("a", "retired")]
    assert add_files(store, [path]).files[0].file == file
    assert statuses(store) == [("a", "ok")]


def test_a_file_without_a_copy_can_be_retired(store, record_bytes, made_file, run_id):
    ingest(store, [record_bytes(outputs=[made_file("scratch")])])
    assert retire_files(store, [(source_of(run_id), produced_file(1, 1, 0))]) == 1
    assert statuses(store) == [("scratch", "retired")]
    assert fetch(store, "SELECT * FROM replica_rows") == []


def test_two_paths_to_one_url_in_one_registration(store, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"A")
    done = add_files(store, [path, tmp_path / "." / "a"])
    assert [(file.name, file.new) for file in done.files] == [("a", True)]
    assert fetch(store, "SELECT count(*) FROM files") == [(1,)]


def test_names_follow_the_template(store, tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(b"A")
    from provenance.metadata import parse_assignments

    metadata = parse_assignments(("run=007",))
    added = add_files(store, [path], name="{site}/{run}/{stem}-{name}", site="ncsa", metadata=metadata)
    assert added.files[0].name == "ncsa/007/a-a.fits"
    with pytest.raises(NameTemplateError, match=r"no \{camera\} here"):
        add_files(store, [path], name="{camera}")
    assert store.snapshot().number == 1


def test_a_declared_digest_must_hold(store, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"A")
    with pytest.raises(DeclaredDigestError, match="expected sha256") as error:
        add_files(store, [path], sha256=bytes(32))
    assert error.value.exit_code == 1
    assert store.snapshot().number == 0
    add_files(store, [path], sha256=hashlib.sha256(b"A").digest())
    assert fetch(store, "SELECT digest_origin FROM files") == [("declared",)]


def test_links_are_followed_and_loops_end(store, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"E")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    assert [found.name for found in find_files(folder)] == ["link"]
    add_files(store, [folder])
    assert fetch(store, "SELECT name, sha256 FROM files") == [("link", hashlib.sha256(b"E").digest())]


def test_all_or_nothing(store, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "good").write_bytes(b"G")
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UnreadableFilesError, match="dangling"):
        add_files(store, [folder])
    os.mkfifo(folder / "pipe")
    (folder / "dangling").unlink()
    with pytest.raises(UnreadableFilesError, match="pipe"):
        add_files(store, [folder])
    assert store.snapshot().number == 0


def test_the_store_itself_is_not_registered(store, tmp_path):
    (tmp_path / "a").write_bytes(b"A")
    assert [file.name for file in add_files(store, [tmp_path]).files] == ["a"]


@pytest.mark.parametrize("name", ["a b", "ä€🦊", "new\nline", "100%", "q?#&=", "a'b\"c", "~tilde"])
def test_any_name_has_a_url_and_back(store, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"A")
    url = add_files(store, [path]).files[0].url
    assert url.isascii()
    assert " " not in url
    assert local_path(url) == path
    assert copy_url(url) == url


def test_names_of_other_bytes(store, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9")
    path.write_bytes(b"A")
    added = add_files(store, [tmp_path / os.fsdecode(b"caf\xe9")]).files[0]
    assert added.url.endswith("/caf%E9")
    assert local_path(added.url) == path
    assert fetch(store, "SELECT name FROM files") == [("caf\\xe9",)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://ada:secret@example.org/a?b=c", "https://example.org/a?b=c"),
        ("https://example.org/a?X-Amz-Signature=abc&v=1&token=t#f", "https://example.org/a?v=1#f"),
        ("s3://key@bucket/a@b", "s3://bucket/a@b"),
        ("file://localhost/a%20b", "file:///a%20b"),
        ("https://example.org/?sig=x", "https://example.org/"),
    ],
)
def test_credentials_are_cut_off(given, kept):
    assert copy_url(given) == kept
    assert copy_url(kept) == kept


def test_other_hosts_have_no_local_path():
    assert local_path("file://other/a") is None
    assert local_path("s3://bucket/a") is None
    assert local_path("file:///tmp/a%00b") is None
