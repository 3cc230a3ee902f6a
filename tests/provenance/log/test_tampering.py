"""Whatever is changed, removed, added or moved in a store gives exit code 4, and its place; nothing else does."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from integrity.findings import Verdict
from integrity.log.checkpoint import Checkpoint, opened_checkpoint
from integrity.log.note import SigningKey
from integrity.merkle import root_hash
from provenance.check.tampering import LogReport, check_log
from provenance.check.whole import check_store
from provenance.errors import ReadFailedError
from provenance.evidence.history import continued, new_checkpoint
from provenance.history.commits import commit_name, decode, encode, read
from provenance.history.entry import entry_of
from provenance.log import keys
from provenance.log.discrepancy import Discrepancy, Gravity
from provenance.log.examination import examine
from provenance.log.growth import extend, rebuild
from provenance.log.keys import trusted_keys
from provenance.storage.local import LocalStorage
from provenance.store import Store
from tests.provenance.log.conftest import rewrite

CHECKPOINT = "log/checkpoint"
TILE = "log/tile/0/000.p/7"


def places(report: LogReport) -> set[str]:
    """The places that are called tampering."""
    return {finding.path for finding in report.findings if finding.verdict is Verdict.TAMPERED}


def tampered(store: Store) -> set[str]:
    report = check_log(store.storage)
    assert (report.verdict, report.verdict.exit_code) == (Verdict.TAMPERED, 4)
    return places(report)


def altered(store: Store) -> set[str]:
    """The same, for what needs no reading of rows."""
    return {one.path for one in examine(store.storage, store.store_id, trusted_keys()).discrepancies if is_grave(one)}


def is_grave(one: Discrepancy) -> bool:
    return one.gravity is Gravity.ALTERED


def test_an_untouched_store_is_clean(logged: Store) -> None:
    report = check_log(logged.storage)
    assert report.verdict is Verdict.CLEAN
    assert [(one.verdict, one.path) for one in report.findings] == [
        (Verdict.CLEAN, CHECKPOINT),
        (Verdict.CLEAN, "lake.sqlite"),
    ]  # one commit behind
    examination = report.examination
    assert (examination.size, examination.logged, examination.signed) == (8, 7, 8)
    documents = [(logged.root / commit_name(number)).read_bytes() for number in range(1, 9)]
    assert examination.root == root_hash(map(entry_of, documents))
    assert [json.loads(one)["log_root"] for one in documents] == [
        root_hash(map(entry_of, documents[:size])).hex() for size in range(8)
    ]
    assert report.document()["log"] == {"size": 8, "root": examination.root.hex(), "logged": 7, "signed": 8}


RECORDED = ("commits", "segments", "log")


def test_a_missing_file_is_named(logged: Store) -> None:
    chosen = set(random.Random(6).sample([one.name for one in logged.storage.stored("segments")], 3))
    for stored in [
        one for one in logged.storage.stored("") if not one.name.startswith("segments/") or one.name in chosen
    ]:
        top = stored.name.split("/")[0]
        is_superseded = stored.name == "log/tile/0/000.p/5"  # a wider tile says the same
        if top in RECORDED and not is_superseded:
            path = logged.root / stored.name
            kept = path.read_bytes()
            path.unlink()
            if stored.name == commit_name(8):
                # The log has not come to it, and nothing came after it: only a checkpoint kept elsewhere tells.
                assert altered(logged) == set()
            elif top == "segments":
                assert stored.name in {one.path for one in check_store(logged.storage).findings}
            else:
                assert stored.name in altered(logged), stored.name
            path.write_bytes(kept)
    assert check_log(logged.storage).verdict is Verdict.CLEAN
    (logged.root / TILE).unlink()
    assert TILE in tampered(logged)


def test_the_whole_log_removed_is_named(logged: Store) -> None:
    shutil.rmtree(logged.root / "log")
    assert CHECKPOINT in tampered(logged)


def test_a_row_edited_and_its_digests_made_right_again(logged: Store) -> None:
    """By somebody who knows the format: segment, digest, size, seal are made anew; the signature cannot be."""
    segment = decode((logged.root / commit_name(3)).read_bytes(), "").segments[0]
    path = logged.root / segment.path
    table = pq.read_table(path)
    at = table.schema.get_field_index("name")
    named = pc.replace_substring(table.column("name"), "file-3", "file-9")
    path.chmod(0o644)
    pq.write_table(table.set_column(at, table.schema.field(at), named), path)
    data = path.read_bytes()

    def change(document: dict[str, Any]) -> None:
        said = document["segments"][0]
        said |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        said["footer_size"] = pq.read_metadata(pa.BufferReader(data)).serialized_size

    rewrite(logged, 3, change)
    assert commit_name(3) in tampered(logged)


def edit_time(document: dict[str, Any]) -> None:
    document["time"] = document["time"][:-3] + "00Z"


def edit_author(document: dict[str, Any]) -> None:
    document["author"] = "somebody else"


def drop_signature(document: dict[str, Any]) -> None:
    document["signature"] = None


def edit_bounds(document: dict[str, Any]) -> None:
    document["segments"][0]["columns"]["name"]["min"] = "a"


def drop_bounds(document: dict[str, Any]) -> None:
    for bound in ("min", "max"):
        del document["segments"][0]["columns"]["name"][bound]


def edit_root(document: dict[str, Any]) -> None:
    document["log_root"] = "0" * 64


def edit_record_root(document: dict[str, Any]) -> None:
    document["records"]["count"] = 1


@pytest.mark.parametrize("change", [edit_time, edit_author, drop_signature, edit_root, edit_record_root])
@pytest.mark.parametrize("number", [1, 3, 7, 8])
def test_an_edited_commit_with_a_right_seal(
    logged: Store, number: int, change: Callable[[dict[str, Any]], None]
) -> None:
    rewrite(logged, number, change)
    if (number, change) == (8, drop_signature):  # nothing else says that it had one
        report = check_log(logged.storage)
        assert (report.verdict, places(report)) == (Verdict.INCOMPLETE, set())
        return
    assert commit_name(number) in tampered(logged)
    assert logged_files(logged) == LOGGED  # nothing is rebuilt silently


LOGGED = [CHECKPOINT, "log/tile/0/000.p/5", TILE]


def logged_files(store: Store) -> list[str]:
    return [stored.name for stored in store.storage.stored("log")]


@pytest.mark.parametrize("change", [edit_bounds, drop_bounds])
def test_bounds_follow_from_the_segment(logged: Store, change: Callable[[dict[str, Any]], None]) -> None:
    """They are no part of what is signed, since an erasure takes them; as long as the segment is there it says them."""
    rewrite(logged, 3, change)
    segment = decode((logged.root / commit_name(3)).read_bytes(), "").segments[0]
    assert tampered(logged) == {segment.path if change is edit_bounds else commit_name(3)}


def test_commits_that_change_places(logged: Store) -> None:
    one, other = (logged.root / commit_name(number) for number in (2, 3))
    first, second = one.read_bytes(), other.read_bytes()
    for path, data in ((one, second), (other, first)):
        path.chmod(0o644)
        path.write_bytes(data)
    assert tampered(logged) >= {commit_name(2), commit_name(3)}
    for path, data, number in ((one, second, 2), (other, first, 3)):  # and their numbers made right
        path.write_bytes(data)
        rewrite(logged, number, lambda document, number=number: document.update(number=number))
    assert tampered(logged) >= {commit_name(2), commit_name(3)}


def test_a_commit_taken_out_and_the_others_moved_up(logged: Store) -> None:
    for number in range(3, 8):
        shutil.copyfile(logged.root / commit_name(number + 1), logged.root / commit_name(number))
        rewrite(logged, number, lambda document, number=number: document.update(number=number))
    (logged.root / commit_name(8)).unlink()
    assert commit_name(3) in tampered(logged)


@pytest.mark.parametrize("at", [4, 9])
def test_a_commit_put_in(logged: Store, at: int) -> None:
    (logged.root / "segments" / "files").chmod(0o755)
    for number in range(8, at - 1, -1):
        shutil.copyfile(logged.root / commit_name(number), logged.root / commit_name(number + 1))
        rewrite(logged, number + 1, lambda document, number=number: document.update(number=number + 1))
    shutil.copyfile(logged.root / commit_name(2), logged.root / commit_name(at))
    rewrite(logged, at, lambda document: document.update(number=at, time="2099-01-01T00:00:00.000000Z"))
    assert commit_name(at) in tampered(logged)


def test_a_history_that_somebody_else_signed_again(logged: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commits from the third on made anew, roots and signatures too, by a key of nobody's: only the log and later
    checkpoints tell. Without these it is a history that nobody who is trusted vouches for.
    """
    kept = opened_checkpoint(new_checkpoint(logged), trusted_keys())
    original = tuple(read(logged.storage, number) for number in range(1, 9))
    forger = SigningKey.generate("pirene/forger@elsewhere")
    monkeypatch.setattr(keys, "own_key", lambda: forger)
    chain = Store.open(logged.root).chain
    for commit in original[2:]:
        assert commit is not None
        path = logged.root / commit_name(commit.number)
        path.chmod(0o644)
        forged = encode(chain.vouched(commit).__class__(**{**as_dict(chain.vouched(commit)), "author": "forger"}))
        path.write_bytes(forged)
    assert tampered(logged) >= {commit_name(number) for number in range(3, 8)}
    shutil.rmtree(logged.root / "log")
    result = continued(Store.open(logged.root), kept)
    assert (result.holds, result.proof) == (False, None)


def as_dict(commit: Any) -> dict[str, Any]:
    return {name: getattr(commit, name) for name in type(commit).__dataclass_fields__}


def test_the_log_itself(logged: Store) -> None:
    tile, checkpoint = logged.root / TILE, logged.root / CHECKPOINT
    data, note = tile.read_bytes(), checkpoint.read_bytes()
    for changed in (data[:-1], data + bytes(32), data[32:] + data[:32], bytes(len(data))):
        tile.chmod(0o644)
        tile.write_bytes(changed)
        assert altered(logged) == {TILE}
    tile.write_bytes(data)
    checkpoint.chmod(0o644)
    stated = Checkpoint.parse(note.decode().partition("\n\n")[0] + "\n")
    for other in (
        Checkpoint(stated.origin, 7, bytes(32)),
        Checkpoint(stated.origin, 6, stated.root),
        Checkpoint("pirene/another", 7, stated.root),
    ):
        key = keys.own_key()
        assert key is not None
        checkpoint.write_bytes(other.signed([key]))  # the owner of a key can sign what is false: it is seen
        assert altered(logged) == {CHECKPOINT}
    checkpoint.write_bytes(note)
    (logged.root / "log" / "tile" / "0" / "003.p").mkdir()
    (logged.root / "log" / "note.txt").write_text("x")
    assert altered(logged) == {"log/note.txt"}


def test_where_commits_and_log_contradict_each_other_nothing_is_continued(
    logged: Store, caplog: pytest.LogCaptureFixture
) -> None:
    tile = logged.root / TILE
    tile.chmod(0o644)
    tile.write_bytes(bytes(32 * 7))
    before = {name: (logged.root / name).read_bytes() for name in logged_files(logged)}
    logged.project()
    assert "the log was not brought up to date" in caplog.text
    assert {name: (logged.root / name).read_bytes() for name in logged_files(logged)} == before
    made = rebuild(logged)
    assert made is not None
    assert made.size == 8
    assert logged_files(logged) == [CHECKPOINT, "log/tile/0/000.p/8"]
    assert check_log(logged.storage).findings == ()


@pytest.mark.parametrize("name", [commit_name(1), commit_name(4), commit_name(8), TILE, CHECKPOINT])
def test_what_cannot_be_read_is_named_and_nothing_is_signed(
    logged: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kept = opened_checkpoint(new_checkpoint(logged), trusted_keys())
    extended = {*logged_files(logged)} - {TILE}
    read_file = LocalStorage.read

    def refused(storage: LocalStorage, asked: str, size: int | None = None) -> bytes:
        if asked == name:
            raise ReadFailedError(f"{storage.where(asked)}: Input/output error")
        return read_file(storage, asked, size)

    monkeypatch.setattr(LocalStorage, "read", refused)
    report = check_log(logged.storage)
    assert report.verdict is Verdict.INCOMPLETE
    unread = [one for one in report.findings if one.path == name]
    assert [one.verdict for one in unread] == [Verdict.INCOMPLETE]
    assert "Input/output error" in unread[0].found
    store = Store.open(logged.root)
    with pytest.raises(ReadFailedError, match="Input/output error"):
        continued(store, kept)
    assert extended <= {*logged_files(logged)}
    # What can be read is compared all the same.
    rewrite(logged, 2, lambda document: document.update(author="x"))
    assert check_log(logged.storage).verdict is Verdict.TAMPERED


def test_text_that_is_no_unicode_is_found(logged: Store) -> None:
    """In a key that no commit has, and which no reader looks at; sealed by somebody who knows the format."""
    path = logged.root / commit_name(3)
    document = {**json.loads(path.read_bytes()), "seal": "", "more": "\ud800"}
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    path.chmod(0o644)
    path.write_bytes(data.replace(b'"seal":""', b'"seal":"%s"' % hashlib.sha256(data).hexdigest().encode()))
    report = check_log(logged.storage)
    assert report.verdict is Verdict.TAMPERED
    assert commit_name(3) in {one.path for one in report.findings}


def test_an_altered_history_is_not_logged(logged: Store) -> None:
    (logged.root / commit_name(8)).chmod(0o644)
    rewrite(logged, 8, edit_root)
    with pytest.raises(Exception, match="commit 8 says that it continues another history") as error:
        extend(Store.open(logged.root))
    assert getattr(error.value, "exit_code", None) == 4
    assert logged_files(logged) == LOGGED
