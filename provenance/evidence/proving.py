"""A proof of one file or one invocation record, to be checked by somebody who has no access to the store.

The commit that first recorded it is taken, since it proves most: its own segment is kept when others are merged from
it, and is small. Where an erasure has taken that segment, the one that stands for it serves, with its own commit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from integrity.digest import hash_path
from integrity.log.note import base64_text
from integrity.log.proof import EntryProof
from integrity.log.proofs import RangeHash, inclusion_proof, of_leaves
from integrity.merkle import leaf_hash
from provenance.answers.designators import FileRef, NothingFoundError, find_files
from provenance.errors import NOT_THERE, DamagedStoreError, StoreError, lost
from provenance.evidence.claim import FILE_TABLES, claim_document, proven, rows_of
from provenance.evidence.history import current_log
from provenance.history.commits import Commit, Segment, commit_name
from provenance.history.entry import entry_of
from provenance.log.keys import trusted_keys

if TYPE_CHECKING:
    from integrity.log.checkpoint import Checkpoint
    from provenance.store import Store

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_RECORDS = "SELECT record_sha256, commit_number FROM invocations WHERE record_sha256 = $1 ORDER BY 2 LIMIT 1"
_ALL_RECORDS = (
    "SELECT record_sha256 FROM invocations WHERE commit_number = $1 AND record_sha256 IS NOT NULL "
    "ORDER BY run NULLS LAST, job NULLS LAST, attempt NULLS LAST, record_sha256"
)


def prove(store: Store, text: str) -> bytes:
    """The proof of what ``text`` means: a file by path, name, id or digest, or an invocation record by its digest.

    Raises NothingFoundError, StoreError: it means several contents, or what is at that path is another; and what
    `current_log` raises.
    """
    try:
        commit, parts = _file(store, _one(text, find_files(store, text)))
    except NothingFoundError:
        record = _record(store, text)
        if record is None:
            raise
        commit, parts = record
    note, checkpoint, hashed = current_log(store)
    return _proof(store, commit, parts, note, checkpoint, hashed)


def _one(text: str, found: list[FileRef]) -> FileRef:
    """The file that is meant: of several with one content, the first that the store knew."""
    known = [file for file in found if file.sha256 is not None]
    if not known:
        raise StoreError(f"{text}: no digest of it is known, so there is nothing to prove")
    contents = {file.sha256 for file in known}
    if len(contents) > 1:
        digests = ", ".join(sorted(content.hex() for content in contents if content))
        raise StoreError(
            f"{text}: {len(contents)} contents have had this name: {digests}", hint="name the one by its digest"
        )
    path = Path(text)
    if path.is_file():
        actual = hash_path(path).sha256
        if actual not in contents:
            raise StoreError(
                f"{text}: has the sha256 {actual.hex()} now, and {digest_text(known[0])} is what the store knows",
                hint="`pirene verify` says what became of it; a proof of what it was is made with that digest",
            )
    return known[0]


def digest_text(file: FileRef) -> str:
    """The digest of a file that has one, in hex."""
    return "" if file.sha256 is None else file.sha256.hex()


def _file(store: Store, file: FileRef) -> tuple[Commit, dict[str, dict[str, object]]]:
    """The commit whose segment has a row that says so, and what of it a proof needs."""
    wanted = {"source": file.source, "file": file.file}
    for commit, segment in _candidates(store, file):
        try:
            data = store.storage.read(segment.path)
        except NOT_THERE:
            continue  # an erasure took it
        if hashlib.sha256(data).hexdigest() != segment.sha256:
            raise DamagedStoreError(
                f"{store.storage.where(segment.path)}: not as it was recorded", hint="`pirene log check` says more"
            )
        if any(row["sha256"] == file.sha256 for row in rows_of(data, wanted)):
            part: dict[str, object] = {"path": segment.path, "data": base64_text(data)}
            return commit, {"segment": part, "file": {**wanted, "sha256": digest_text(file)}}
    raise StoreError(f"{file.name}: no segment that is there says what its content is")


def _candidates(store: Store, file: FileRef) -> Iterator[tuple[Commit, Segment]]:
    """Segments that may have the row, those that also say its name first, of these those of the earliest commits."""
    commits = list(store.all_commits())
    for table in FILE_TABLES:
        for commit in commits:
            for segment in commit.segments:
                if segment.table == table and _may_have(segment, file.source):
                    yield commit, segment


def _may_have(segment: Segment, source: int) -> bool:
    said = segment.columns["source"]
    return "min" not in said or int(said["min"]) <= source <= int(said["max"])


def _record(store: Store, text: str) -> tuple[Commit, dict[str, dict[str, object]]] | None:
    """The commit that brought an invocation record with this digest, and the path to its root over records."""
    match = _DIGEST.fullmatch(text)
    if match is None:
        return None
    digest = bytes.fromhex(match[1])
    snapshot = store.snapshot()
    found = store.rows(_RECORDS, [digest], tables=["invocations"], snapshot=snapshot)
    if not found:
        return None
    number = int(found[0][1])
    commit = next(store.commits(after=number - 1))
    rows = store.rows(_ALL_RECORDS, [number], tables=["invocations"], snapshot=snapshot)
    digests = [bytes(row[0]) for row in rows]
    leaves = [leaf_hash(one) for one in digests]
    if len(leaves) != commit.records or of_leaves(leaves)(0, len(leaves)).hex() != commit.records_root:
        raise StoreError(
            f"commit {number} brought records from another store, whose own commit has their root",
            hint="make the proof there",
        )
    index = digests.index(digest)
    path = [step.hex() for step in inclusion_proof(index, len(leaves), of_leaves(leaves))]
    return commit, {"record": {"sha256": digest.hex(), "index": index, "path": path}}


def _proof(
    store: Store,
    commit: Commit,
    parts: dict[str, dict[str, object]],
    note: bytes,
    checkpoint: Checkpoint,
    hashed: RangeHash,
) -> bytes:
    name = commit_name(commit.number)
    try:
        entry = entry_of(store.storage.read(name))
    except NOT_THERE as error:
        raise lost(store.storage.where(name), error) from error
    index = commit.number - 1
    path = tuple(inclusion_proof(index, checkpoint.size, hashed))
    data = EntryProof(index, path, note, claim_document(entry, **parts)).data
    proven(data, trusted_keys())  # what is handed out is what others will find
    return data
