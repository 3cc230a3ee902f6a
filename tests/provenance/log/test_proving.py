"""Proofs of files and records: made from a store, checked without one, and of nothing else."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integrity.errors import EvidenceError
from integrity.log.note import SigningKey, base64_text
from integrity.log.proof import EntryProof
from integrity.log.proofs import inclusion_proof
from planner.cli import root as pirene_root
from provenance.answers.designators import NothingFoundError
from provenance.errors import NotAStoreError, StoreError
from provenance.evidence.claim import claim_document, proven, rows_of
from provenance.evidence.history import current_log, new_checkpoint
from provenance.evidence.proving import prove
from provenance.history.canonical import canonical
from provenance.history.commits import CommitKind, commit_name
from provenance.history.entry import entry_of
from provenance.ingest.ingest import ingest
from provenance.log.keys import own_key, trusted_keys
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.erasures import erase_all, grow
from tests.provenance.log.conftest import files


def digest_of(number: int) -> str:
    return number.to_bytes(32, "big").hex()


def test_a_file_is_proven_by_its_first_commit(logged: Store) -> None:
    for text in (digest_of(3), f"sha256:{digest_of(3)}", "file-3.dat"):
        claim = proven(prove(logged, text), trusted_keys())
        assert (claim.kind, claim.name, claim.sha256, claim.size_bytes) == ("file", "file-3.dat", digest_of(3), 3)
        assert (claim.store, claim.commit) == (logged.store_id, 3)
        assert claim.signed_by in trusted_keys()
        assert claim.checkpoint.checkpoint.size == 8


def test_every_file_of_the_store_is_proven(logged: Store) -> None:
    for number, commit in ((1, 1), (105, 5), (7, 7), (8, 8)):
        assert proven(prove(logged, digest_of(number)), trusted_keys()).commit == commit


def test_every_bit_of_a_proof_counts(logged: Store) -> None:
    proof = prove(logged, digest_of(8))
    trusted = trusted_keys()
    chance = random.Random(6)
    bits = [(at, bit) for at in range(len(proof)) for bit in range(8)]
    first, last = proof.index(b"\nindex "), len(proof)
    outside = [(at, bit) for at, bit in bits if at < 60 or first <= at < last]
    for at, bit in [*chance.sample(bits, 600), *chance.sample(outside, 300)]:
        changed = proof[:at] + bytes([proof[at] ^ 1 << bit]) + proof[at + 1 :]
        with pytest.raises(EvidenceError):
            proven(changed, trusted)


def test_no_other_statement_comes_of_a_proof(logged: Store) -> None:
    """Its unsigned part in every other form that somebody may give it, canonical each."""
    proof = EntryProof.parse(prove(logged, digest_of(3)))
    other = EntryProof.parse(prove(logged, digest_of(4)))
    said, theirs = json.loads(proof.extra), json.loads(other.extra)
    entry = json.loads(said["entry"])
    changes: list[dict[str, Any]] = [
        {"schema": "pirene.proof/2"},
        {"entry": theirs["entry"]},
        {"entry": said["entry"] + " "},
        {"entry": canonical({**entry, "time": "2020-01-01T00:00:00.000000Z"}).decode()},
        {"segment": theirs["segment"]},
        {"segment": {**said["segment"], "data": theirs["segment"]["data"]}},
        {"segment": {**said["segment"], "data": base64_text(b"PAR1")}},
        {"segment": {**said["segment"], "data": "?"}},
        {"segment": {**said["segment"], "more": 1}},
        {"file": theirs["file"]},
        {"file": {**said["file"], "sha256": digest_of(4)}},
        {"file": {**said["file"], "sha256": digest_of(3)[:-1]}},
        {"file": {**said["file"], "file": 4}},
        {"file": {**said["file"], "name": "x"}},
        {"record": {"sha256": digest_of(3), "index": 0, "path": []}},
        {"more": 1},
    ]
    for change in changes:
        changed = EntryProof(proof.index, proof.path, proof.checkpoint, canonical({**said, **change}))
        with pytest.raises(EvidenceError):
            proven(changed.data, trusted_keys())
    for extra in (b"", b"{}", b"[]", b"\xff", json.dumps(said).encode()):
        with pytest.raises(EvidenceError):
            proven(EntryProof(proof.index, proof.path, proof.checkpoint, extra).data, trusted_keys())
    with pytest.raises(EvidenceError, match="not among the 1 trusted keys"):
        proven(proof.data, [SigningKey.generate("x").verifier()])
    # A log of another store, signed by the same key.
    foreign = Store.open(logged.root.with_name("other"))
    foreign.commit(CommitKind.REGISTER, files(3, 3))
    assert own_key() is not None
    their_note = EntryProof.parse(prove(foreign, digest_of(3))).checkpoint
    with pytest.raises(EvidenceError):
        proven(EntryProof(proof.index, proof.path, their_note, proof.extra).data, trusted_keys())


def test_what_somebody_saw_in_the_place_of_a_file_is_no_proof_of_it(logged: Store) -> None:
    """A job was given other bytes than the file has, which its use says: the store recorded them as what they are."""
    seen, batch = "f" * 64, Batch()
    batch.add(
        "uses",
        run=9, job=1, attempt=1, role="input", direction="input", name="file-3.dat",
        source=3, file=3, sha256=bytes.fromhex(seen), size_bytes=3,
    )  # fmt: skip
    commit = logged.commit(CommitKind.REGISTER, batch)
    assert commit is not None
    genuine = EntryProof.parse(prove(logged, digest_of(3)))
    entry = entry_of((logged.root / commit_name(commit.number)).read_bytes())
    note, checkpoint, hashed = current_log(logged)
    path = tuple(inclusion_proof(commit.number - 1, checkpoint.size, hashed))
    (segment,) = commit.segments
    data = (logged.root / segment.path).read_bytes()
    extra = claim_document(
        entry,
        segment={"path": segment.path, "data": base64_text(data)},
        file={"source": 3, "file": 3, "sha256": seen},
    )
    assert len(rows_of(data, {"source": 3, "file": 3})) == 1
    with pytest.raises(EvidenceError, match="a segment of files or file_digests, not of uses"):
        proven(EntryProof(commit.number - 1, path, note, extra).data, trusted_keys())
    assert proven(genuine.data, trusted_keys()).table == "files"


def test_a_record_is_proven_by_its_path(
    store: Store, record_bytes: Callable[..., bytes], made_file: Callable[..., Any]
) -> None:
    records = [record_bytes(job=job, outputs=[made_file(f"out-{job}", b"%d" % job)]) for job in range(1, 6)]
    ingest(store, records)
    for record in records:
        sha256 = hashlib.sha256(record).hexdigest()
        proof = prove(store, sha256)
        claim = proven(proof, trusted_keys())
        assert (claim.kind, claim.sha256, claim.commit, claim.name) == ("record", sha256, 1, None)
        parsed = EntryProof.parse(proof)
        said = json.loads(parsed.extra)
        for change in (
            {"sha256": "0" * 64},
            {"index": said["record"]["index"] + 1},
            {"path": said["record"]["path"][:-1]},
            {"path": [*said["record"]["path"], "x"]},
            {"more": 1},
        ):
            changed = canonical({**said, "record": {**said["record"], **change}})
            with pytest.raises(EvidenceError):
                proven(EntryProof(0, parsed.path, parsed.checkpoint, changed).data, trusted_keys())
    output = hashlib.sha256(b"3").hexdigest()
    assert proven(prove(store, output), trusted_keys()).name == "out-3"


def test_after_an_erasure_what_stands_for_a_segment_serves(store: Store) -> None:
    grow(store, random.Random(1))
    names = [str(row[0]) for row in store.rows("SELECT name FROM files ORDER BY name", tables=["files"])]
    erase_all(store)
    left = {str(row[0]) for row in store.rows("SELECT name FROM files WHERE sha256 IS NOT NULL", tables=["files"])}
    assert 0 < len(left) < len(names)
    for name in left:
        claim = proven(prove(store, name), trusted_keys())
        assert claim.name == name
        assert next(store.commits(after=claim.commit - 1)).kind in (CommitKind.ERASE, CommitKind.INGEST)


def test_what_cannot_be_proven_says_why(logged: Store, tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError):
        prove(logged, "unheard-of")
    with pytest.raises(NothingFoundError):
        prove(logged, "f" * 64)
    batch = Batch()
    batch.add("files", source=9, file=1, name="unknown.dat")
    batch.add("files", source=9, file=2, name="file-3.dat", sha256=bytes(32))
    logged.commit(CommitKind.REGISTER, batch)
    with pytest.raises(StoreError, match="no digest of it is known"):
        prove(logged, "unknown.dat")
    with pytest.raises(StoreError, match="2 contents have had this name"):
        prove(logged, "file-3.dat")


def test_no_store_is_made_to_have_nothing_to_prove(logged: Store, tmp_path: Path) -> None:
    since = tmp_path / "checkpoint"
    since.write_bytes(new_checkpoint(logged))
    nowhere = tmp_path / "nowhere"
    for words in (["check"], ["check", "--rebuild"], ["checkpoint"], ["verify", "--since", str(since)], ["prove", "x"]):
        with pytest.raises(NotAStoreError, match="there is no store here") as error:
            CliRunner().invoke(
                pirene_root, ["--store", str(nowhere), "log", *words], catch_exceptions=False, standalone_mode=False
            )
        assert error.value.exit_code == 2
        assert not nowhere.exists()


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("hello")

    def pirene(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(pirene_root, list(words), catch_exceptions=False, standalone_mode=False)
        return (result.return_value if isinstance(result.return_value, int) else 0), result.stdout

    pirene("files", "add", "a.txt")
    pirene("log", "prove", "a.txt", "-o", "a.tlog-proof")
    proof = Path("a.tlog-proof").read_bytes()
    Path("key.pub").write_text(pirene("log", "key")[1])
    monkeypatch.setenv("PIRENE_STORE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "of somebody else"))
    code, said = pirene("log", "verify", "a.tlog-proof", "--key", "key.pub", "--format", "json")
    assert code == 0
    document = json.loads(said)
    assert (document["verdict"], document["name"]) == ("proven", "a.txt")
    assert document["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert (document["table"], document["digest_origin"]) == ("files", "observed")
    assert "its digest was observed" in pirene("log", "verify", "a.tlog-proof", "--key", "key.pub")[1]
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(EvidenceError) as error:
        pirene("log", "verify", "a.tlog-proof")
    assert error.value.exit_code == 4
    monkeypatch.delenv("PIRENE_STORE")
    Path("a.txt").write_text("other")
    with pytest.raises(StoreError, match=r"has the sha256 .* now"):
        pirene("log", "prove", "a.txt")
    with pytest.raises(FileExistsError):
        pirene("log", "checkpoint", "-o", "a.tlog-proof")
    assert Path("a.tlog-proof").read_bytes() == proof
