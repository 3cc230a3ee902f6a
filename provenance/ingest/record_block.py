"""Documents that are read together: by the quick reader, and what is not certain to it, one by one, by the careful one.

Importing this module imports pyarrow and msgspec, which only ingest needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from provenance.checked_json import MalformedError
from provenance.ingest.ingest import Attempt
from provenance.ingest.quick_reader import certain, parsed, typed
from provenance.ingest.record_reader import read_record
from provenance.ingest.rewritten import entry_of, line_of
from provenance.ingest.wire import RecordEntry, source_of_run


@dataclass(frozen=True, slots=True)
class Part:
    """Records as rows of `provenance.ingest.wire.WIRE_SCHEMA`, by their positions; ``has_kept_urls`` as in
    CertainRecords.
    """

    positions: Sequence[int]
    rows: pa.RecordBatch
    has_kept_urls: bool

    def attempts(self) -> Iterator[tuple[int, Attempt]]:
        """Position and attempt of each."""
        ids = self.rows["run_id"].dictionary_encode()
        runs = [source_of_run(run) for run in ids.dictionary.to_pylist()]
        keys = (ids.indices, self.rows["job"], self.rows["attempt"])
        for position, run, job, attempt in zip(self.positions, *(key.to_pylist() for key in keys), strict=True):
            yield position, (runs[run], job, attempt)


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """What became of documents, by their position.

    ``parts``: those that the quick reader took, and those that only the careful one took, which are in ``careful``
    with names as they were written. ``malformed``: why not.
    """

    parts: tuple[Part, Part]
    careful: Mapping[int, RecordEntry]
    malformed: Mapping[int, str]

    def attempts(self) -> dict[int, Attempt]:
        """The attempt of each that is not malformed."""
        return dict(pair for part in self.parts for pair in part.attempts())


def read_block(documents: Sequence[bytes], are_typed: Sequence[bool]) -> ReadBlock:
    """Read documents of which `quick_reader.typed` has said whether it takes them."""
    quick = _quick([position for position, is_typed in enumerate(are_typed) if is_typed], documents)
    careful: dict[int, RecordEntry] = {}
    malformed: dict[int, str] = {}
    for position in sorted(set(range(len(documents))).difference(quick.positions)):
        try:
            careful[position] = entry_of(read_record(documents[position]))
        except MalformedError as error:
            malformed[position] = str(error)
    rewritten = parsed([line_of(entry) for entry in careful.values()])
    return ReadBlock((quick, Part(list(careful), rewritten, has_kept_urls=True)), careful, malformed)


def entry_at(block: ReadBlock, documents: Sequence[bytes], position: int) -> RecordEntry:
    """The record at a position that is not malformed, with names as they were written."""
    entry = block.careful.get(position) or typed(documents[position])
    assert entry is not None  # the quick reader took it
    return entry


def _quick(positions: Sequence[int], documents: Sequence[bytes]) -> Part:
    rows, sure = certain([documents[position] for position in positions])
    return Part([positions[row] for row in sure], rows, has_kept_urls=False)
