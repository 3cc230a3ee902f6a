"""What a proof is of, and checking it with nothing but public keys: no store, no network.

A proof is a C2SP tlog-proof whose ``extra`` is a canonical JSON document with the entry of a commit and with what leads
from it to a record: of a file, the segment with its row, whose sha256 the entry has; of an invocation record, the path
from its digest to the root over all records of the commit. Each byte of it is bound by what is above it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrity.errors import EvidenceError
from integrity.log.checkpoint import SignedCheckpoint
from integrity.log.note import VerifierKey, from_base64
from integrity.log.proof import EntryProof
from integrity.log.proofs import inclusion_holds
from integrity.merkle import leaf_hash
from provenance.checked_json import DIGEST, JsonObject, MalformedError, parse_object
from provenance.history.canonical import canonical
from provenance.log.commit_document import Voucher, voucher
from provenance.log.files import origin_of

SCHEMA = "pirene.proof/1"
FILE_TABLES = ("files", "file_digests")
"""Tables whose rows say what the content of a file is: at first, or later. Others have digests too: what somebody saw
in its place, and did not take for it."""
KEY_COLUMNS = ("source", "file")
"""Of the tables that say what a file is: which file a row is about."""


_SHOWN = ("sha256", "name", "size_bytes", "digest_origin")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a proof shows. ``kind`` is ``file`` (``name`` may be None: only its digest was recorded then) or ``record``.

    A file's ``table`` is one of FILE_TABLES, ``digest_origin`` where its digest came from, as that table has it.
    The commit says ``time`` (ISO 8601, UTC) and ``author``; ``signed_by`` is the trusted key that signed the commit
    itself (None: another, or nobody). ``checkpoint`` is of the log that it is in.
    """

    kind: str
    sha256: str
    name: str | None
    size_bytes: int | None
    table: str | None
    digest_origin: str | None
    store: str
    commit: int
    time: str
    author: str | None
    signed_by: VerifierKey | None
    checkpoint: SignedCheckpoint

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "schema": "pirene.log-verify/1",
            "verdict": "proven",
            "kind": self.kind,
            "sha256": self.sha256,
            "name": self.name,
            "size_bytes": self.size_bytes,
            "table": self.table,
            "digest_origin": self.digest_origin,
            "store": self.store,
            "commit": self.commit,
            "time": self.time,
            "author": self.author,
            "signed_by": None if self.signed_by is None else self.signed_by.text,
            "log": {
                "size": self.checkpoint.checkpoint.size,
                "root": self.checkpoint.checkpoint.root.hex(),
                "signed_by": [key.text for key in self.checkpoint.signers],
            },
        }


def proven(data: bytes, trusted: Sequence[VerifierKey]) -> Claim:
    """What a proof shows to somebody who trusts these keys. Raises EvidenceError: nothing."""
    proof = EntryProof.parse(data)
    try:
        said = parse_object(proof.extra)
        if canonical(said.raw) != proof.extra or said.text("schema") != SCHEMA:
            raise said.fail("schema", f"{SCHEMA}, in canonical JSON")
        entry = said.any_text("entry").encode()
        signed = proof.verified(entry, trusted)
        commit = parse_object(entry)
        number = commit.integer("number", 1)
        store = commit.text("store")
        if number != proof.index + 1 or signed.checkpoint.origin != origin_of(store):
            raise commit.fail("number", f"commit {proof.index + 1} of {signed.checkpoint.origin}")
        recorded = _recorded(said, commit)
        return Claim(
            kind="record" if recorded.table is None else "file",
            sha256=recorded.sha256,
            name=recorded.name,
            size_bytes=recorded.size_bytes,
            table=recorded.table,
            digest_origin=recorded.digest_origin,
            store=store,
            commit=number,
            time=commit.text("time"),
            author=None if commit.value("author") is None else commit.any_text("author"),
            signed_by=_signer(commit.raw, trusted),
            checkpoint=signed,
        )
    except (MalformedError, UnicodeEncodeError) as error:
        raise EvidenceError(f"no proof: {str(error)[:300]}") from None


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What a claim says of the file or, without a table, of the invocation record itself."""

    sha256: str
    table: str | None = None
    name: str | None = None
    size_bytes: int | None = None
    digest_origin: str | None = None


def _recorded(said: JsonObject, commit: JsonObject) -> _Recorded:
    if said.raw.keys() == {"schema", "entry", "record"}:
        return _Recorded(_invocation_record(said.object("record"), commit.object("records")))
    if said.raw.keys() != {"schema", "entry", "segment", "file"}:
        raise said.fail("entry", "beside it a segment and a file in it, or a record")
    segment, file = said.object("segment"), said.object("file")
    data = _bytes(segment, "data")
    described = [one for one in commit.objects("segments") if one.text("path") == segment.text("path")]
    digest = hashlib.sha256(data).hexdigest()
    if segment.raw.keys() != {"path", "data"} or [one.text("sha256") for one in described] != [digest]:
        raise segment.fail("path", "a segment that the commit names, with these bytes")
    table = described[0].text("table")
    if table not in FILE_TABLES:
        raise segment.fail("path", f"a segment of {' or '.join(FILE_TABLES)}, not of {table}")
    sha256 = file.matching("sha256", DIGEST, "64 hexadecimal digits")
    wanted = {column: file.integer(column, -(1 << 63)) for column in KEY_COLUMNS}
    if file.raw.keys() != {*KEY_COLUMNS, "sha256"}:
        raise file.fail("sha256", "beside it only which file it is")
    rows = [row for row in rows_of(data, wanted) if row["sha256"] == bytes.fromhex(sha256)]
    if len(rows) != 1:
        raise file.fail("sha256", f"one row in the segment that says so, not {len(rows)}")
    row = rows[0]
    return _Recorded(sha256, table, row.get("name"), row.get("size_bytes"), row.get("digest_origin"))


def rows_of(data: bytes, wanted: Mapping[str, int]) -> list[dict[str, Any]]:
    """The rows about one file in a segment, the columns that say what it is. EvidenceError: no segment."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        shown = [name for name in (*wanted, *_SHOWN) if name in file.schema_arrow.names]
        table = file.read(columns=shown)
        for column, value in wanted.items():
            table = table.filter(pc.equal(table.column(column), pa.scalar(value, pa.int64())))
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise EvidenceError(f"no segment with files: {error}") from None
    return [row for row in rows if row.get("sha256") is not None]


def _invocation_record(record: JsonObject, records: JsonObject) -> str:
    """The digest of a record, once its path leads to the root that the commit states."""
    sha256 = record.matching("sha256", DIGEST, "64 hexadecimal digits")
    path = [bytes.fromhex(one) for one in record.texts("path") if DIGEST.fullmatch(one)]
    count, index = records.integer("count", 0), record.integer("index", 0)
    root = records.matching("root", DIGEST, "64 hexadecimal digits")
    leads = inclusion_holds(index, count, leaf_hash(bytes.fromhex(sha256)), path, bytes.fromhex(root))
    if not leads or len(path) != len(record.texts("path")) or record.raw.keys() != {"sha256", "index", "path"}:
        raise record.fail("path", "hashes from the record to the root that the commit states")
    return sha256


def _signer(document: dict[str, Any], trusted: Sequence[VerifierKey]) -> VerifierKey | None:
    """The trusted key that signed a commit. EvidenceError: what one is said to have signed was altered."""
    match voucher(document, trusted):
        case Voucher.TRUSTED:
            return next(key for key in trusted if voucher(document, [key]) is Voucher.TRUSTED)
        case Voucher.FALSE:
            raise EvidenceError("the signature of the commit is not of what it says")
        case Voucher.UNKNOWN | Voucher.NONE:
            return None


def _bytes(document: JsonObject, key: str) -> bytes:
    try:
        return from_base64(document.text(key))
    except ValueError:
        raise document.fail(key, "base64") from None


def claim_document(entry: bytes, **parts: Mapping[str, Any]) -> bytes:
    """The ``extra`` of a proof."""
    return canonical({"schema": SCHEMA, "entry": entry.decode(), **parts})
