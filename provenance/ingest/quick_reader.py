"""Invocation records read quickly: each decoded by its types, then many at once into columns, then looked at by column.

`typed` takes a record only if it has exactly the keys that the wrapper writes, with values of their types. `certain`
reads what was so taken with Arrow, which sees keys that come twice, and finds those that contradict themselves or are
not what types can tell (`provenance.ingest.agreement`). What passes both is what `read_record` of
`provenance.ingest.record_reader` makes of it. About anything else nothing is said, not that it is wrong: that reader
has the last word and the words for it.

Arrow's reader is never shown what `typed` has not taken: it takes more than we do, and has ended a process for ``null``
where it expected an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import pyarrow as pa
import pyarrow.json as pj
from msgspec import Raw

from provenance.checked_json import MalformedError, parse_object
from provenance.ingest.agreement import doubtful
from provenance.ingest.wire import WIRE_SCHEMA, RecordEntry

_read = msgspec.json.Decoder(RecordEntry).decode
_PARSING = pj.ParseOptions(explicit_schema=WIRE_SCHEMA, unexpected_field_behavior="ignore")
"""What is ignored is in the objects that stay JSON: `typed` takes no other unknown key, and looks into those."""
_NOTHING = b"{}"
_LONGEST_KEPT = 4096
"""Bytes of such an object that is remembered: those of one machine are alike."""


def typed(document: bytes) -> RecordEntry | None:
    """The record in ``document``, if its keys and types are those that the wrapper writes; None: ask `read_record`."""
    try:
        entry = _read(document)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if _is_object(entry.environment) and (entry.machine is None or _is_object(entry.machine.uname)):
        return entry
    return None


def certain(documents: Sequence[bytes]) -> tuple[pa.RecordBatch, list[int]]:
    """Documents that `typed` has taken, as rows of `WIRE_SCHEMA`, and which of them need the careful reader all the
    same: by position, ascending. Their rows are worth nothing. If there are no rows then all need it.
    """
    everyone = list(range(len(documents)))
    try:
        records = parsed(documents)
    except pa.ArrowInvalid:
        return none_of(), everyone  # a key that comes twice, or a number that no column holds: in one, but which?
    if len(records) != len(documents):
        return none_of(), everyone
    return records, doubtful(records)


def parsed(documents: Sequence[bytes]) -> pa.RecordBatch:
    """Documents as rows of `WIRE_SCHEMA`. Raises ArrowInvalid. They have been checked: see the module."""
    data = b"".join(documents)
    if not data:
        return none_of()
    whole = pj.ReadOptions(use_threads=False, block_size=len(data) + 1)
    table = pj.read_json(pa.BufferReader(data), read_options=whole, parse_options=_PARSING)
    return table.combine_chunks().to_batches()[0]


def none_of() -> pa.RecordBatch:
    """No rows of `WIRE_SCHEMA`."""
    return pa.RecordBatch.from_pylist([], schema=WIRE_SCHEMA)


def _is_object(raw: Raw) -> bool:
    data = bytes(raw)
    if data == _NOTHING:
        return True
    return _parses(data) if len(data) > _LONGEST_KEPT else _was_parsed(data)


@lru_cache(maxsize=1024)
def _was_parsed(data: bytes) -> bool:
    return _parses(data)


def _parses(data: bytes) -> bool:
    try:
        parse_object(data)
    except MalformedError:
        return False
    return True
