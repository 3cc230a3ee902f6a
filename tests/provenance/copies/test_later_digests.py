"""Files that are registered by foreign checksums, unread, and what is known of them once somebody reads them."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import Any

import pytest

from integrity.digest import Stat
from provenance.audits.audits import audit_store
from provenance.audits.verification import exit_code, verify
from provenance.errors import WriteFailedError
from provenance.metadata import from_text
from provenance.reading.views import fetch
from provenance.registration.metadata_table import Declared
from provenance.registration.raw_files import add_files
from provenance.store import Store

CONTENT = b"a file that lies in an archive"
SHA256 = hashlib.sha256(CONTENT).digest()
ADLER32 = f"adler32:{zlib.adler32(CONTENT):08x}"
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
WRONG = "adler32:00000001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tape.dat"
    path.write_bytes(CONTENT)
    return path


def known(store: Store) -> list[tuple[Any, ...]]:
    """What is known of every file, in order of registration."""
    return fetch(store, "SELECT sha256, size_bytes, digest_origin, checksums FROM files ORDER BY created, source, file")


def declare(store: Store, path: Path, *checksums: str, **more: Any) -> Any:
    return add_files(store, [path], declared=Declared(checksums), **more)


def test_the_first_verification_records_the_sha256(store: Store, path: Path) -> None:
    declare(store, path, ADLER32)
    assert known(store) == [(None, len(CONTENT), None, [ADLER32])]
    (result,) = verify(store, [path])
    assert (result.verdict, result.actual_sha256, exit_code([result])) == ("ok", SHA256, 0)
    assert known(store) == [(SHA256, len(CONTENT), "declared", [ADLER32])]
    (seen,) = fetch(store, "SELECT verified IS NOT NULL, inode FROM replica_rows")
    assert seen == (True, Stat.of(path).inode)
    assert [row["name"] for row in store.query(f'files where sha256 = "{SHA256.hex()}"').objects()] == ["tape.dat"]
    assert list(store.query("files where sha256 is present", as_of=1).objects()) == []
    commits = store.snapshot().number
    assert verify(store, [path])[0].expected_sha256 == SHA256
    assert store.snapshot().number == commits


def test_from_then_on_the_sha256_counts_and_no_longer_the_checksum(store: Store, path: Path) -> None:
    declare(store, path, ADLER32)
    verify(store, [path])
    low, high = CONTENT[:1], CONTENT[1:]
    path.write_bytes(high + low)
    assert verify(store, [path])[0].verdict == "content-mismatch"
    path.write_bytes(CONTENT)
    assert verify(store, [path])[0].verdict == "ok"


@pytest.mark.parametrize("checksums", [(WRONG,), (MD5, WRONG)])
def test_bytes_that_contradict_the_checksum_are_damage_and_get_no_sha256(
    store: Store, path: Path, checksums: tuple[str, ...]
) -> None:
    declare(store, path, *checksums)
    (result,) = verify(store, [path])
    assert (result.verdict, exit_code([result])) == ("content-mismatch", 1)
    assert known(store)[0][0] is None
    report = audit_store(store)
    assert [finding.kind.value for finding in report.findings] == ["content-mismatch"]
    assert known(store)[0][0] is None
    assert fetch(store, "SELECT state FROM replica_rows") == [("quarantined",)]


def test_a_checksum_tells_bytes_apart_that_a_size_does_not(store: Store, path: Path) -> None:
    declare(store, path, ADLER32)
    path.write_bytes(CONTENT[::-1])
    assert verify(store, [path])[0].verdict == "content-mismatch"


def test_an_audit_records_it_as_well(store: Store, path: Path) -> None:
    declare(store, path, MD5)
    report = audit_store(store)
    assert report.findings == ()
    assert (report.coverage.verified, report.coverage.unprotected) == (1, 0)
    assert known(store) == [(SHA256, len(CONTENT), "declared", [MD5])]


def test_registering_it_again_reads_it_and_it_is_the_same_file(store: Store, path: Path) -> None:
    (first,) = declare(store, path, ADLER32, metadata={"run": from_text("7")}).files
    (again,) = add_files(store, [path]).files
    assert (again.file, again.new) == (first.file, False)
    assert known(store) == [(SHA256, len(CONTENT), "declared", [ADLER32])]
    assert [row["run"] for row in store.query("files show run").objects()] == [7]


def test_other_content_there_is_another_file(store: Store, path: Path) -> None:
    (first,) = declare(store, path, ADLER32).files
    path.write_bytes(CONTENT[::-1])
    (second,) = add_files(store, [path]).files
    assert second.new
    assert second.file != first.file
    assert [row[0] for row in known(store)] == [None, hashlib.sha256(CONTENT[::-1]).digest()]
    assert fetch(store, "SELECT state FROM replica_rows ORDER BY since, sha256 NULLS FIRST")[0] == ("replaced",)


def test_checksums_that_are_declared_later_add_up(store: Store, path: Path) -> None:
    (first,) = add_files(store, [path]).files
    (again,) = declare(store, path, MD5).files
    assert again.file == first.file
    declare(store, path, MD5)
    declare(store, path, ADLER32)
    assert known(store) == [(SHA256, len(CONTENT), "observed", sorted([MD5, ADLER32]))]


def test_a_declared_checksum_that_contradicts_the_known_one_is_another_file(store: Store, path: Path) -> None:
    (first,) = declare(store, path, ADLER32).files
    (second,) = declare(store, path, WRONG).files
    assert first.file != second.file


def test_a_file_of_another_machine_is_registered_and_stays_unverified(store: Store) -> None:
    url = "root://archive.example//tape/x.dat"
    done = add_files(store, [url], declared=Declared((ADLER32,), 10**14), site="archive")
    assert [(file.name, file.path, file.url, file.size_bytes) for file in done.files] == [("x.dat", None, url, 10**14)]
    report = audit_store(store)
    assert [finding.kind.value for finding in report.findings] == ["unreadable"]
    assert known(store) == [(None, 10**14, None, [ADLER32])]


def test_compaction_keeps_it(store: Store, path: Path) -> None:
    declare(store, path, ADLER32)
    verify(store, [path])
    before = known(store)
    declare(store, path, MD5)
    store.compact()
    assert known(store)[0][0] == before[0][0] == SHA256
    assert known(store)[0][3] == sorted([ADLER32, MD5])


def test_a_store_that_takes_nothing_still_verifies(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    declare(store, path, ADLER32)

    def full(*_: object, **__: object) -> None:
        raise WriteFailedError("No space left on device")

    monkeypatch.setattr(store, "commit", full)
    assert verify(store, [path])[0].verdict == "ok"
    assert "what was read is not recorded: No space left on device" in caplog.text
