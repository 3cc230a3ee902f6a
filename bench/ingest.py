"""Taking in a million spooled records, beside pyarrow writing the very rows that came of them.

Each round is a process of its own. Its clock runs from the first record that is opened until the last commit is on
disk: reading, checking, looking for known attempts, writing and fsync. After that the same process reads back what it
has committed and lets pyarrow write it twice more, with an fsync of each file: laid out as the store's segments are,
and as pyarrow does unasked, with zstd.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORDS = 100_000
ROUNDS = 5
MILLION = 1_000_000
RUN_ID = "0193572a-8f00-7000-8000-00000000002a"
PER_FOLDER = 1000
MONITORD_EVENTS_PER_SECOND = 2200
_SHELL_DIGEST = "5e" * 32


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds by the clock, and seconds of processors."""

    clock: float
    processor: float


@dataclass(frozen=True, slots=True)
class Round:
    """One process: what was ingested, the largest resident set while it was, and what it took; what pyarrow took for
    the same rows, with the same layout (``alike``) and with its own (``plain``).
    """

    records: int
    rows: int
    commits: int
    peak_bytes: int
    ingest: Taken
    alike: Taken
    plain: Taken


def section(scratch: Path) -> str:
    """The section of the report."""
    spool = scratch / "records"
    write_records(spool, MILLION, kickstart_record(scratch))
    load = os.getloadavg()[0]
    rounds = [_round(scratch / f"store-{number}", spool, RECORDS) for number in range(ROUNDS)]
    whole = _round(scratch / "store", spool, MILLION)
    each = rounds[0].rows / RECORDS
    rate = statistics.median(one.rows / one.ingest.clock for one in rounds)
    alike, plain = (statistics.median(ratio(one) for one in rounds) for ratio in (_to_alike, _to_plain))
    size = (spool / "0" / "1-1.json").stat().st_size
    return f"""## Ingest

{RECORDS} spooled records of {size} bytes, one file each, as the wrapper writes them (an executable, an input, an
output, three reported values, random digests), {each:.0f} rows each; the median of {ROUNDS} processes.
Reading, checks, the search for known attempts, commits and fsync are inside the clock; pyarrow writes the rows that
came of it, which it finds in memory, with fsync, right after, in the same process. When this began,
{load:.1f} processes wanted the processors, which it left to them (niceness {os.nice(0)}).

| | rows/s | records/s | µs of processor time a record |
|---|---:|---:|---:|
| `ingest` | {_row([one.ingest for one in rounds], each)} |
| pyarrow, laid out as segments are | {_row([one.alike for one in rounds], each)} |
| pyarrow, as it does unasked, zstd | {_row([one.plain for one in rounds], each)} |

Ingest runs at **{alike:.2f} times** the rate of pyarrow with the same layout, {plain:.2f} times that of pyarrow
with its own (aim: at least 0.5), and makes {rate / MONITORD_EVENTS_PER_SECOND:.0f} times as many rows a second as
pegasus-monitord was seen to take events (2 200; aim: 50 times).

{MILLION:,} records at once: {whole.ingest.clock:.0f} s, {whole.rows / whole.ingest.clock:,.0f} rows/s,
{whole.ingest.processor / MILLION * 1e6:.0f} µs of processor time a record, {whole.commits} commits,
{_to_alike(whole):.2f} and {_to_plain(whole):.2f} times pyarrow's rates, at most **{whole.peak_bytes / 1e6:.0f} MB** of
memory (aim: below 1 000)."""


def _row(taken: list[Taken], rows_each: float) -> str:
    records = RECORDS / statistics.median(each.clock for each in taken)
    processor = statistics.median(each.processor for each in taken) / RECORDS * 1e6
    return f"{records * rows_each:,.0f} | {records:,.0f} | {processor:.1f}"


def _to_alike(one: Round) -> float:
    return one.alike.clock / one.ingest.clock


def _to_plain(one: Round) -> float:
    return one.plain.clock / one.ingest.clock


def kickstart_record(scratch: Path) -> dict[str, Any]:
    """A record that the wrapper has really written, of a job that reads one file, makes another and reports."""
    work = scratch / "work"
    work.mkdir(parents=True)
    (work / "raw.fits").write_bytes(b"raw")
    command = "cat raw.fits > out.fits; printf 'chi2=1.5\\nstars=17\\nfilter=r\\n' > $PIRENE_METADATA; echo done"
    shared = {"sha256": None, "size": None, "digest_origin": None, "optional": False}
    job = {
        "schema": "pirene.job/1",
        "run_id": RUN_ID,
        "job": 1,
        "id": "calibrate_0000001",
        "attempt": 1,
        "transformation": {"namespace": None, "name": "calibrate", "version": "1.2"},
        "work_dir": str(work),
        "stage_in": [],
        "argv": ["/bin/sh", "-c", command],
        "environment": {"set": {}, "clear": False, "record": []},
        "stdin": None,
        "stdout": None,
        "stderr": None,
        "inputs": [
            {"name": "/bin/sh", "path": "/bin/sh", "role": "executable", "url": "file:///bin/sh"}
            | {"source": None, "file": None}
            | shared,
            {"name": "raw.fits", "path": "raw.fits", "role": "input", "url": "file:///data/raw.fits"}
            | {"source": 1, "file": 1}
            | shared,
        ],
        "outputs": [{"name": "out.fits", "path": "out.fits", "role": "output", "optional": False}],
        "metadata_file": ".metadata",
        "reuse_key": "ab" * 32,
        "site": "local",
    }
    wrapper = [sys.executable, "-I", "-S", ROOT / "integrity" / "kickstart.py"]
    record = scratch / "record.json"
    subprocess.run([*wrapper, "--job", "-", "--record", record], input=json.dumps(job).encode(), check=True)
    return json.loads(record.read_bytes())


def write_records(spool: Path, count: int, like: dict[str, Any]) -> None:
    """Records like one, of jobs 1 to ``count`` of one run, in the folders of a run: with names, times, sizes, numbers
    and digests of their own.
    """
    chance = random.Random(20261123)
    for job in range(1, count + 1):
        place = record_path(spool, job)
        if job == 1 or job % PER_FOLDER == 0:
            place.parent.mkdir(parents=True)
        place.write_bytes(json.dumps(_another(like, job, chance), separators=(",", ":")).encode() + b"\n")


def record_path(spool: Path, job: int) -> Path:
    return Path(f"{spool}/{job // PER_FOLDER}/{job}-1.json")


def _another(like: dict[str, Any], job: int, chance: random.Random) -> dict[str, Any]:
    tool, raw = (dict(entry) for entry in like["inputs"])
    made = dict(like["outputs"][0])
    for name, entry in ((f"raw/{job:07d}.fits", raw), (f"out/{job:07d}.fits", made)):
        digest, changed = chance.randbytes(32).hex(), 1_795_436_733_679_008_678 + chance.randrange(10**12)
        entry |= {"name": name, "path": name, "sha256": digest, "size": chance.randrange(1 << 24)}
        entry |= {"mtime_ns": changed, "ctime_ns": changed, "inode": chance.randrange(1 << 24)}
        entry |= {"seconds": chance.randrange(1000) / 1e6, "at": _time(chance)}
    raw |= {"actual_sha256": raw["sha256"], "actual_size": raw["size"], "digest_origin": "produced"}
    raw |= {"source": chance.randrange(1 << 62), "file": job, "url": f"file:///data/raw/{job:07d}.fits"}
    tool |= {"sha256": _SHELL_DIGEST, "actual_sha256": _SHELL_DIGEST, "digest_origin": "recorded", "at": _time(chance)}
    text = f"chi2={chance.randrange(10**6) / 1e4}\nstars={chance.randrange(10**4)}\nfilter={chance.choice('ugriz')}\n"
    usage = {key: chance.randrange(1 << 30) for key in like["usage"]}
    return like | {
        "job": job,
        "id": f"calibrate_{job:07d}",
        "reuse_key": chance.randbytes(32).hex(),
        "start": _time(chance),
        "end": _time(chance),
        "duration": chance.randrange(10**6) / 1e3,
        "pid": chance.randrange(1 << 20),
        "cwd": f"/scratch/run/work/calibrate_{job:07d}",
        "hostname": f"node{chance.randrange(40)}",
        "argument_vector": ["/opt/bin/calibrate", "-i", raw["name"], "-o", made["name"]],
        "usage": usage | {"utime": usage["utime"] / 1e6, "stime": usage["stime"] / 1e6},
        "inputs": [tool, raw],
        "outputs": [made],
        "metadata": {"text": text, "truncated": False},
    }


def _time(chance: random.Random) -> str:
    return f"2026-11-23T05:{chance.randrange(60):02d}:{chance.randrange(60):02d}.{chance.randrange(10**6):06d}Z"


def _round(store: Path, spool: Path, records: int) -> Round:
    command = [sys.executable, __file__, store, spool, str(records)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    read = json.loads(done.stdout)
    return Round(**read | {name: Taken(**read[name]) for name in ("ingest", "alike", "plain")})


def _measure(place: Path, spool: Path, records: int) -> Round:
    """In a process of its own."""
    import pyarrow.parquet as pq  # noqa: F401 - neither side pays for it

    from provenance.ingest.ingest import ingest
    from provenance.store import Store

    def paths() -> Iterator[Path]:
        return (record_path(spool, job) for job in range(1, records + 1))

    store = Store.open(place)
    began = _now()
    result = ingest(store, paths())
    taken = _since(began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if result.new != records or result.rejected or result.warnings:
        raise RuntimeError(f"{result.new} of {records} records came in: {result.rejected[:3]} {result.warnings[:3]}")
    rows = sum(segment.rows for commit in result.commits for segment in commit.segments)
    alike, plain = (_pyarrow(store, place, as_segments=as_segments) for as_segments in (True, False))
    return Round(records, rows, len(result.commits), peak, taken, alike, plain)


def _now() -> Taken:
    return Taken(time.perf_counter(), time.process_time())


def _since(began: Taken, before: Taken = Taken(0, 0)) -> Taken:
    """``before`` and what it took since then."""
    now = _now()
    return Taken(before.clock + now.clock - began.clock, before.processor + now.processor - began.processor)


def _pyarrow(store: Any, place: Path, *, as_segments: bool) -> Taken:
    """What it takes pyarrow to write what every commit has brought, batch by batch."""
    import pyarrow.parquet as pq

    from provenance.schema import LOOKED_UP
    from provenance.segments.encodings import write_options

    taken = Taken(0, 0)
    for commit in store.commits():
        for segment in commit.segments:
            rows = pq.read_table(place / segment.path).combine_chunks()
            options: dict[str, Any] = {"compression": "zstd"}
            if as_segments:
                options = write_options(rows, looked_up=LOOKED_UP.get(segment.table, ()))
            copy = place / "copy.parquet"
            began = _now()
            with copy.open("wb") as file:
                pq.write_table(rows, file, **options)
                file.flush()
                os.fsync(file.fileno())
            taken = _since(began, taken)
            copy.unlink()
    return taken


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))))
