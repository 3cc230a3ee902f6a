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
_SHORT, _LONG = 4096, 1 << 18
"""Bytes of such an object that is remembered, among a thousand or a few: those of one machine are alike."""


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
    """Documents that `typed` has taken, as rows of `WIRE_SCHEMA`, and which they are: by position, ascending. The
    others need the careful reader all the same.
    """
    try:
        records = parsed(documents)
    except pa.ArrowInvalid:
        records = None  # a key that comes twice, or a number that no column holds: in one, but which?
    if records is not None and len(records) == len(documents):
        return _without_doubtful(records)
    if len(documents) == 1:
        return none_of(), []
    half = len(documents) // 2
    (first, those), (second, these) = certain(documents[:half]), certain(documents[half:])
    return _joined(first, second), [*those, *(half + position for position in these)]


def _joined(first: pa.RecordBatch, second: pa.RecordBatch) -> pa.RecordBatch:
    if not len(first) or not len(second):
        return first if len(first) else second
    return pa.Table.from_batches([first, second]).combine_chunks().to_batches()[0]


def _without_doubtful(records: pa.RecordBatch) -> tuple[pa.RecordBatch, list[int]]:
    """The rows that do not contradict themselves, and which they are."""
    unsure = frozenset(doubtful(records))
    sure = [row for row in range(len(records)) if row not in unsure]
    if not unsure:
        return records, sure
    return (records.take(pa.array(sure, pa.int64())) if sure else none_of()), sure


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
    if len(data) <= _SHORT:
        return _short_parses(data)
    return _long_parses(data) if len(data) <= _LONG else _parses(data)


def _parses(data: bytes) -> bool:
    try:
        parse_object(data)
    except MalformedError:
        return False
    return True


_short_parses = lru_cache(maxsize=1024)(_parses)
_long_parses = lru_cache(maxsize=16)(_parses)
