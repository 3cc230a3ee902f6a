"""Records that both readers would take, many at once, with what their text does not say.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from provenance.identity import ATTEMPT_SHIFT, JOB_SHIFT
from provenance.ingest.columns import Columns
from provenance.ingest.wire import source_of_run


@dataclass(frozen=True)
class CertainRecords:
    """Rows of `provenance.ingest.wire.WIRE_SCHEMA`, in which everything has been checked.

    ``digests``: of the records' bytes. ``numbers``: what `provenance.ingest.columns.RECORD` is for each.
    ``has_kept_urls``: URLs are in the form in which the store keeps them, else as they were written.
    """

    rows: pa.RecordBatch
    digests: pa.BinaryArray
    numbers: pa.Int32Array
    has_kept_urls: bool = False

    @cached_property
    def attempts(self) -> Columns:
        """The columns run, job and attempt."""
        ids = self.rows["run_id"].dictionary_encode()
        sources = pa.array([source_of_run(run) for run in ids.dictionary.to_pylist()], pa.int64())
        return {"run": sources.take(ids.indices), "job": self.rows["job"], "attempt": self.rows["attempt"]}

    @cached_property
    def first_files(self) -> pa.Int64Array:
        """What `provenance.identity.produced_file` says of the first file that each attempt makes."""
        job, attempt = self.rows["job"], self.rows["attempt"]
        return pc.bit_wise_or(pc.shift_left(job, JOB_SHIFT), pc.shift_left(attempt, ATTEMPT_SHIFT))

    def chosen(self, mask: pa.BooleanArray) -> CertainRecords:
        """Only those for which ``mask`` is true."""
        kept = (self.rows.filter(mask), self.digests.filter(mask), self.numbers.filter(mask))
        return CertainRecords(*kept, has_kept_urls=self.has_kept_urls)
