from __future__ import annotations

import collections
import copy
import hashlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrity.digest import Stat
from provenance.checked_json import MalformedError
from provenance.copies.replicas import add_event, time_of_ns
from provenance.identity import produced_file
from provenance.ingest import quick_reader
from provenance.ingest.certain_records import CertainRecords
from provenance.ingest.columns import RECORD
from provenance.ingest.fact_columns import fact_rows
from provenance.ingest.look_columns import newest_sightings
from provenance.ingest.quick_reader import certain, typed
from provenance.ingest.record_block import read_block
from provenance.ingest.record_columns import rows_of
from provenance.ingest.record_reader import read_record
from provenance.ingest.records import Input, Output, Record
from provenance.schema import BY_NAME
from provenance.segments.arrow import row_schema
from provenance.segments.batch import Batch
from provenance.urls import copy_url

KICKSTART = Path(__file__).resolve().parents[3] / "integrity" / "kickstart.py"
TABLES = ("invocations", "job_states", "files", "uses", "replicas", "checks")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, bytes]:
    """Records as the wrapper really writes them, of attempts that end in every way."""
    folder = tmp_path_factory.mktemp("wrapper")
    digest = "e9b3ac5cd8dcbc5b1eae4d9e2d0d7be8a3ea4b0a5b2c9f1f1d3b9a0f4a7d6c11"
    jobs = {
        "plain": _job("cat raw > out"),
        "talkative": _job(
            'echo \'{"a": "b : c", "t": "10:20"}\'; echo "x : y" >&2; echo \'{"chi2": 1.5, "of": ["a", "b:c"]}\' > $PIRENE_METADATA;'
            " cat raw > out",
            environment={"set": {"A": 'x:"y":z'}, "clear": False, "record": ["A", "PATH"]},
        ),
        "failing": _job("exit 3"),
        "killed": _job("kill -9 $$"),
        "damaged": _job("cat raw > out", inputs=[_input(sha256=digest)]),
        "unknown": _job("cat raw > out", inputs=[_input(sha256=None, digest_origin=None, source=None, file=None)]),
        "gone": _job("touch out", inputs=[_input(path="elsewhere", optional=True)]),
        "missing": _job("touch out", inputs=[_input(path="elsewhere")]),
        "changing": _job("echo more >> raw; touch out"),
        "binary": _job("printf '\\377'; cat raw > out"),
        "folder": _job("mkdir -p out; cat raw > out/a"),
        "names": _job("cat raw > 'é \udcff'", outputs=[_output("é \udcff")], id="\udcff:é"),
        "stepping": _job(
            "cat raw > out", steps={"setup": ["/bin/true"], "cleanup": ["/bin/sh", "-c", "echo no; exit 3"]}
        ),
        "hindered": _job("cat raw > out", steps={"pre": ["/no/such"]}),
        "late": _job("touch out; sleep 60", walltime_seconds=0.2, checkpoint={"after_seconds": 0.1, "signal": "HUP"}),
        "several": _job("touch a b", outputs=[_output("a"), _output("b"), _output("c", optional=True)]),
    }
    return {
        name: _run(folder / name, description | {"job": number})
        for number, (name, description) in enumerate(jobs.items(), start=1)
    }


def _job(command: str, **changes: Any) -> dict[str, Any]:
    return {
        "schema": "pirene.job/1",
        "run_id": "0193572a-8f00-7000-8000-00000000002a",
        "id": "job",
        "attempt": 1,
        "transformation": {"namespace": None, "name": "sh", "version": "1"},
        "argv": ["/bin/sh", "-c", command],
        "environment": {"set": {}, "clear": False, "record": []},
        "stdin": None,
        "stdout": None,
        "stderr": None,
        "inputs": [_input()],
        "outputs": [_output("out")],
        "metadata_file": ".metadata",
        "reuse_key": "ab" * 32,
        "site": "local",
    } | changes


def _input(**changes: Any) -> dict[str, Any]:
    return {
        "name": "raw",
        "path": "raw",
        "role": "input",
        "sha256": hashlib.sha256(b"raw").hexdigest(),
        "size": 3,
        "digest_origin": "recorded",
        "optional": False,
        "url": "file:///data/raw",
        "source": -5,
        "file": 7,
    } | changes


def _output(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "path": name, "role": "output", "optional": False} | changes


def _run(folder: Path, description: dict[str, Any]) -> bytes:
    folder.mkdir()
    (folder / "raw").write_bytes(b"raw")
    document = json.dumps(description | {"work_dir": str(folder), "stage_in": []})
    command = [sys.executable, "-I", "-S", KICKSTART, "--job", "-", "--record", folder / "record.json"]
    subprocess.run(command, input=document.encode(), check=False, capture_output=True)
    return (folder / "record.json").read_bytes()


def _tables(documents: Sequence[bytes], takes: Sequence[bool], first: int = 0) -> dict[str, pa.Table]:
    """Tables as the columns have them, where ``takes`` says which documents go the quick way; in the order of those."""
    block = read_block(documents, takes)
    assert not block.malformed
    digests = [hashlib.sha256(document).digest() for document in documents]
    found: dict[str, list[pa.Table]] = {table: [] for table in TABLES}
    for part in block.parts:
        records = CertainRecords(
            part.rows,
            pa.array([digests[position] for position in part.positions], pa.binary()),
            pa.array([first + position for position in part.positions], pa.int32()),
            has_kept_urls=part.has_kept_urls,
        )
        for table, rows in rows_of(records).items():
            found[table].append(rows)
    return {table: pa.concat_tables(parts) for table, parts in found.items()}


def _columns(documents: Sequence[bytes], takes: Sequence[bool]) -> dict[str, list[dict[str, Any]]]:
    """Rows by table as the columns have them, in no order."""
    found = _tables(documents, takes)
    found["replicas"] = newest_sightings(found["replicas"].sort_by(RECORD))
    return {table: _sorted(found[table].drop_columns([RECORD]).to_pylist()) for table in TABLES}


def _takes(documents: Sequence[bytes]) -> list[bool]:
    """Which documents the quick reader takes."""
    are_typed = [typed(document) is not None for document in documents]
    shown = [position for position, is_typed in enumerate(are_typed) if is_typed]
    records, sure = certain([documents[position] for position in shown])
    assert len(records) == len(sure)
    taken = {shown[row] for row in sure}
    return [position in taken for position in range(len(documents))]


def _one_by_one(records: list[Record]) -> dict[str, list[dict[str, Any]]]:
    """The same made by other means: a row at a time, from the record that the careful reader makes."""
    batch = Batch()
    for record in records:
        _add_record(batch, record)
    _add_sightings(batch, records)
    return {table: _sorted(list(batch.each(table))) for table in TABLES}


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: repr(sorted(row.items())))


def _agree(*documents: bytes) -> list[str]:
    """Hold both ways in to the same answers; which of them took each record: both, careful (alone), neither."""
    ways: list[str] = []
    good, records = [], []
    takes = _takes(documents)
    for data, is_taken in zip(documents, takes, strict=True):
        try:
            records.append(read_record(data))
        except MalformedError:
            assert not is_taken, data
            ways.append("neither")
            continue
        good.append(data)
        ways.append("both" if is_taken else "careful")
    expected = _one_by_one(records)
    assert _columns(good, [way == "both" for way in ways if way != "neither"]) == expected
    assert _columns(good, [False] * len(good)) == expected
    return ways


def test_what_the_wrapper_writes_goes_the_quick_way(written):
    ways = dict(zip(written, _agree(*written.values()), strict=True))
    assert ways == dict.fromkeys(written, "both") | {"binary": "careful", "names": "careful"}
    statuses = {name: read_record(data).status for name, data in written.items()}
    assert statuses == dict.fromkeys(written, "succeeded") | {
        "failing": "failed",
        "killed": "failed",
        "damaged": "integrity_failed",
        "missing": "integrity_failed",
        "changing": "failed",
        "hindered": "failed",
        "late": "failed",
    }


def test_records_of_older_wrappers_go_the_quick_way_to_the_same_rows(written):
    documents = []
    for data in written.values():
        older = json.loads(data)
        for key in ("steps", "exceeded", "checkpoint_signalled"):
            del older[key]
        documents.append(json.dumps(older, separators=(",", ":")).encode())
    assert _agree(*documents) == _agree(*written.values())


def test_every_row_says_which_record_it_is_of(written):
    documents = list(written.values())
    jobs = [read_record(document).job for document in documents]
    tables = _tables(documents, _takes(documents), first=100)
    for table in ("invocations", "job_states", "files", "uses", "checks"):
        assert {row["job"]: row[RECORD] for row in tables[table].to_pylist()}.items() <= {
            (job, 100 + position) for position, job in enumerate(jobs)
        }
    assert [row[RECORD] - 100 for row in tables["replicas"].to_pylist() if row["event"] != "verified"] == [
        position for position, name in enumerate(written) if name in ("damaged", "missing", "changing")
    ]


@pytest.mark.parametrize("quick", [True, False])
def test_rows_of_records_in_order_are_in_the_order_of_their_tables(written, quick):
    documents = [data for name, data in written.items() if name not in ("binary", "names")]
    tables = _tables(documents, [quick] * len(documents))
    for table in ("invocations", "job_states", "files", "uses", "checks"):
        keys = [tuple(row[name] for name in BY_NAME[table].sort_by) for row in tables[table].to_pylist()]
        assert keys == sorted(keys)


def test_no_records_are_no_rows():
    tables = _tables([], [])
    assert {name: len(rows) for name, rows in tables.items()} == dict.fromkeys(TABLES, 0)
    assert all(rows.schema.remove(len(rows.schema) - 1) == row_schema(BY_NAME[name]) for name, rows in tables.items())
    assert len(newest_sightings(tables["replicas"])) == 0
    assert len(fact_rows([])) == 0


TELLING: list[Any] = [
    None, True, False, [], {}, "", "a", "\0", "a b", "\udcff", "\ud800", "é:",
    -1, 0, 1, 127, 128, 255, 256, 1023, 1024, (1 << 20) - 1, (1 << 33) - 1, 1 << 33,
    -(1 << 63) - 1, -(1 << 63), (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64,
    1.0, -0.0, 0.5, -0.5, 2.0**62, 2.0**63, 1e19, float("nan"), float("inf"),
    "ok", "missing", "mismatch", "unreadable", "succeeded", "failed", "integrity_failed", "input", "executable", "inout",
    "output", "file", "folder", "device", "guard", "recorded", "content-mismatch", "Content", "content-", "pirene.invocation/2",
    "ab" * 32, "AB" * 32, "ab" * 31 + " a", "ab" * 31 + "a", "xy" * 32,
    "file:///a/../b//c", "file:///a/.b", "file:///a/..", "file:///a%20b", "http://u:p@h/x?key=1", "/a/b",
    "2026-02-29T00:00:00.000000Z", "2024-02-29T00:00:00.000000Z", "2026-01-31T23:59:59.999999Z", "2026-01-01T24:00:00.000000Z",
    "2026-01-01T00:00:60.000000Z", "0000-01-01T00:00:00.000000Z", "2026-01-01T00:00:00Z", "2026-01-01t00:00:00.000000z",
    "0001-01-01T00:00:00.0+23:59", "9999-12-31T23:59:59.9-23:59", "2026-01-01T00:00:00.00000Z ", "0193572A-8F00-7000-8000-00000000002A", "0193572a8f0070008000000000000000", "{0193572a-8f00-7000-8000-00000000002a}",
]  # fmt: skip
"""Values at the edge of what some key may have."""
UNREAD = {
    "path",
    "target",
    "stage",
    "pid",
    "uid",
    "gid",
    "umask",
    "hostaddr",
    "machine",
    "transformation",
    "executable",
}
UNREAD |= {
    "environment",
    "uname",
    "page_size",
    "ram_total",
    "cpu_count",
    "namespace",
    "minflt",
    "majflt",
    "nvcsw",
    "nivcsw",
    "steps",
    "exceeded",
    "checkpoint_signalled",
}
"""Of these some will do."""


@pytest.mark.parametrize("name", ["plain", "failing", "changing"])
def test_a_record_with_one_telling_value_gets_the_same_from_both(written, name):
    document = json.loads(written[name])
    documents = []
    for container, key in _places(document):
        before = container[key]
        for value in TELLING[:: 9 if key in UNREAD else 1]:
            container[key] = value
            documents.append(json.dumps(document, separators=(",", ":")).encode())
        container[key] = before
    ways = collections.Counter(_agree(*documents))
    assert min(ways[way] for way in ("both", "careful", "neither")) > 20


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_what_goes_together_and_what_does_not_is_the_same_for_both(written, where):
    document = json.loads(written["plain"])
    entry = document[where][0]
    digests = ("actual_sha256", "sha256") if where == "inputs" else ("sha256", "unknown")
    sizes = "actual_size" if where == "inputs" else "size"
    documents = []
    for status, code, signal, verdict, optional, actual, expected, size, kind in itertools.product(
        ("succeeded", "failed"), (0, 1), (None, 9), ("ok", "missing", "mismatch"), (False, True),
        (None, "ab" * 32), (None, "ab" * 32, "cd" * 32), (None, 3), (None, "file"),
    ):  # fmt: skip
        if (code, signal) == (1, 9) or (where == "outputs" and expected is not None):
            continue
        document |= {"status": status, "exit_code": code, "signal": signal}
        entry |= {"verdict": verdict, "optional": optional, digests[0]: actual, sizes: size, "kind": kind}
        if where == "inputs":
            entry |= {digests[1]: expected}
        documents.append(json.dumps(document, separators=(",", ":")).encode())
    ways = collections.Counter(_agree(*documents))
    assert ways["careful"] == 0
    assert min(ways["both"], ways["neither"]) > 20


def test_an_input_that_changed_and_changed_back_is_no_success_either_way(written):
    document = json.loads(written["changing"])
    document |= {"status": "succeeded", "failure": None, "exit_code": 0}
    changed = document["changed_inputs"][0]
    changed |= {"verdict": "ok", "finding": None, "actual_sha256": changed["sha256"]}
    assert _agree(json.dumps(document, separators=(",", ":")).encode()) == ["neither"]
    document["changed_inputs"] = []
    assert _agree(json.dumps(document, separators=(",", ":")).encode()) == ["both"]


ANYTHING = st.sampled_from(TELLING) | st.recursive(
    st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every (object or list, key or index) in a document."""
    found: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        items: Iterable[tuple[Any, Any]] = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    else:
        return found
    for key, value in items:
        found.append((document, key))
        found += _places(value)
    return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_records_with_anything_anywhere_get_the_same_from_both(written, data):
    _agree(*(_with_anything(written, data) for _ in range(10)))


def _with_anything(written: dict[str, bytes], data: st.DataObject) -> bytes:
    document = json.loads(written[data.draw(st.sampled_from(sorted(written)))])
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(document)
        container, key = data.draw(st.sampled_from(places))
        match data.draw(st.sampled_from(["set", "set", "set", "remove", "double", "swap"])):
            case "set":
                container[key] = data.draw(ANYTHING)
            case "remove":
                del container[key]
            case "double" if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            case "double":
                container[f"{key}2"] = copy.deepcopy(container[key])
            case _:
                other, place = data.draw(st.sampled_from(places))
                if not isinstance(other.get(place) if isinstance(other, dict) else other[place], (dict, list)):
                    container[key] = other[place]
    indent, ascii_only = data.draw(st.sampled_from([None, None, None, 1])), data.draw(st.booleans())
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_records_with_any_bytes_changed_get_the_same_from_both(written, data):
    _agree(*(_with_bytes_changed(written, data) for _ in range(10)))


def _with_bytes_changed(written: dict[str, bytes], data: st.DataObject) -> bytes:
    record = bytearray(written[data.draw(st.sampled_from(sorted(written)))])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(record) - 1))
        end = at + data.draw(st.integers(0, 3))
        record[at:end] = data.draw(
            st.sampled_from(
                [b"", b" ", b"\n", b"\t", b":", b'"', b",", b"0", b"1.0", b"e5", b"\\u003a", b"\\u0022", b"\xff"]
            )
        )
    return bytes(record)


def test_what_is_no_object_where_one_belongs_never_gets_to_arrow(written):
    """Arrow's reader has ended processes for that."""
    document = json.loads(written["talkative"]) | {"status": "failed"}
    document["changed_inputs"] = [dict(document["inputs"][0])]
    wrong = [b"null", b"[]", b"[null]", b"", b"{}\nnull", b"null\n{}"]
    for container, key in _places(document):
        before = container[key]
        if isinstance(before, dict | list):
            for value in (None, [None], [[]], 1, "x", [before]):
                container[key] = value
                wrong.append(json.dumps(document).encode())
        container[key] = before
    taken = [data for data in wrong if typed(data) is not None]
    allowed = {"machine", "wrapper", "transformation", "usage", "stdout", "stderr", "metadata"}
    expected = [json.dumps(document | {key: None}).encode() for key in document if key in allowed]
    assert sorted(taken) == sorted(expected)
    assert _agree(*taken) == ["both"] * len(taken)


def test_one_record_that_is_wrong_costs_those_beside_it_nothing(written):
    good = [data for name, data in written.items() if name not in ("binary", "names")]
    plain = json.loads(written["plain"])
    doubled = written["plain"].replace(b'{"schema"', b'{"pid":1,"schema"')
    contradiction = json.dumps(plain | {"exit_code": 1}).encode()
    unseen = json.dumps(plain | {"inputs": [plain["inputs"][0] | {"inode": 1 << 64}]}).encode()
    for wrong in (doubled, contradiction, unseen):
        documents = [*good[:3], wrong, *good[3:]]
        assert all(typed(document) is not None for document in documents)
        block = read_block(documents, [True] * len(documents))
        assert list(block.malformed) == [3]
        rows = {position: attempt[1] for position, attempt in block.attempts().items()}
        assert rows == {p: read_record(document).job for p, document in enumerate(documents) if p != 3}
        assert not block.careful, "the quick reader took all others"
        assert block.parts[0].positions == [position for position in range(len(documents)) if position != 3]
    assert _columns(good, [True] * len(good)) == _one_by_one([read_record(data) for data in good])


def test_a_machine_with_a_long_environment_is_looked_at_once(written, monkeypatch):
    looked: list[bytes] = []

    def parses(data: bytes) -> bool:
        looked.append(data)
        return True

    monkeypatch.setattr(quick_reader, "parse_object", parses)
    names = {size: {"LONG": f"{size}" + "x" * size} for size in (10, 5_000, 100_000)}
    for environment in names.values():
        document = json.dumps(json.loads(written["plain"]) | {"environment": environment}).encode()
        assert all(typed(document) is not None for _ in range(5))
    assert [json.loads(data) for data in looked if b"LONG" in data] == list(names.values())


def test_a_long_id_is_not_said_again_and_again(written):
    document = json.loads(written["damaged"]) | {"id": "x" * 100_000}
    document["inputs"] *= 3
    rows = _tables([json.dumps(document).encode()], [True])["replicas"].to_pylist()
    assert [len(row["reason"]) < 400 for row in rows] == [True] * 3


@pytest.mark.parametrize("spelling", [b'"%s":%s', b'"%s" :%s', b'"%s"\n: %s', b'"%s"\t:%s'])
@pytest.mark.parametrize("name", ["plain", "talkative", "changing"])
def test_a_doubled_key_is_never_taken(written, name, spelling):
    """At every place, whatever else is colon or quote in the record, and also in objects that nobody reads."""
    data = written[name].rstrip(b"\n")
    document = json.loads(data)
    openings = [position for position in range(len(data)) if data[position : position + 2] == b'{"']
    taken = 0
    for at in openings:
        end = data.index(b'"', at + 2)
        key = data[at + 2 : end]
        if data[end + 1 : end + 2] != b":":
            continue  # in a string
        doubled = data[: at + 1] + spelling % (key, b"null") + b"," + data[at + 1 :]
        taken += 1
        assert _takes([doubled]) == [False]
        with pytest.raises(MalformedError, match="twice"):
            read_record(doubled)
    assert taken >= 6
    assert document["schema"]


def test_a_colon_as_an_escape_hides_no_doubled_key(written):
    document = json.loads(written["plain"])
    document["argument_vector"].append("COLON")
    data = json.dumps(document, separators=(",", ":")).encode().replace(b"COLON", b"\\u003a")
    assert _takes([data]) == [True]
    assert _takes([data.replace(b'{"schema"', b'{"pid":1,"schema"')]) == [False]


@pytest.mark.parametrize("tail", [{"size": 0}, {"size": 0, "text": None}, {"size": 0, "base64": None}])
def test_a_tail_of_one_key_hides_no_doubled_key(written, tail):
    data = json.dumps(json.loads(written["plain"]) | {"stdout": tail}, separators=(",", ":")).encode()
    assert _agree(data) == ["careful"]
    doubled = data.replace(b'{"schema"', b'{"pid":1,"schema"')
    assert _agree(doubled) == ["neither"]


def _add_record(batch: Batch, record: Record) -> None:
    """Add all rows that one record stands for, one by one."""
    _add_invocation(batch, record)
    _add_states(batch, record)
    for seen in record.inputs:
        _add_read(batch, record, seen)
    for position, output in enumerate(record.outputs):
        _add_output(batch, record, position, output)
    _add_checks(batch, record)


def _add_sightings(batch: Batch, records: Iterable[Record]) -> None:
    """Add what the attempts saw of the copies that they read: bad ones each time, good ones once, as seen last."""
    verified: dict[tuple[int, int, str], Input] = {}
    for record in records:
        for seen in (*record.inputs, *record.changed_inputs):
            if seen.url is None or seen.source is None or seen.file is None:
                continue
            if seen.verdict == "ok":
                if seen.sha256 is None:
                    continue  # nothing was expected of it, so nothing was verified
                key = (seen.source, seen.file, seen.url)
                if key not in verified or verified[key].at <= seen.at:
                    verified[key] = seen
            elif seen.verdict in ("mismatch", "missing") and not (seen.verdict == "missing" and seen.optional):
                event = "quarantined" if seen.verdict == "mismatch" else "missing"
                reason = f"{seen.finding or seen.verdict} seen by job {record.id}, attempt {record.attempt}"
                _add_sighting(batch, event, seen.source, seen.file, seen, stat=None, reason=reason)
    for (source, file, _), seen in verified.items():
        _add_sighting(batch, "verified", source, file, seen, stat=seen.stat, reason=None)


def _add_invocation(batch: Batch, record: Record) -> None:
    batch.add(
        "invocations",
        run=record.run,
        job=record.job,
        attempt=record.attempt,
        host=record.host,
        user_name=record.user,
        python=record.python,
        started=record.started,
        ended=record.ended,
        duration_seconds=record.duration_seconds,
        exit_code=record.exit_code,
        signal=record.signal,
        status=record.status,
        failure=record.failure,
        cpu_seconds=record.usage.cpu_seconds,
        max_rss_bytes=record.usage.max_rss_bytes,
        read_bytes=record.usage.read_bytes,
        written_bytes=record.usage.written_bytes,
        stdout_tail=record.stdout_tail,
        stderr_tail=record.stderr_tail,
        command=record.command,
        work_dir=record.work_dir,
        reuse_key=_key_of_what_ran(record),
        record_sha256=record.digest,
    )


def _key_of_what_ran(record: Record) -> bytes | None:
    """The key that the attempt was described with; none if an optional input that it counts on had gone by then."""
    gone = any(seen.verdict == "missing" and seen.sha256 is not None for seen in record.inputs)
    return None if gone else record.reuse_key


def _add_states(batch: Batch, record: Record) -> None:
    for state, at, reason in (("started", record.started, None), ("ended", record.ended, record.failure)):
        batch.add(
            "job_states", run=record.run, job=record.job, attempt=record.attempt, state=state, at=at, reason=reason
        )


def _add_read(batch: Batch, record: Record, seen: Input) -> None:
    if seen.verdict == "missing":
        return
    batch.add(
        "uses",
        run=record.run,
        job=record.job,
        attempt=record.attempt,
        source=seen.source,
        file=seen.file,
        name=seen.name,
        role=seen.role,
        direction="read",
        size_bytes=seen.actual_size_bytes,
        sha256=seen.actual_sha256,
    )


def _add_output(batch: Batch, record: Record, position: int, output: Output) -> None:
    if output.sha256 is None:
        return
    source, file = record.run, produced_file(record.job, record.attempt, position)
    batch.add(
        "files",
        source=source,
        file=file,
        name=output.name,
        origin="produced",
        kind=output.kind,
        job=record.job,
        attempt=record.attempt,
        size_bytes=output.size_bytes,
        sha256=output.sha256,
        digest_origin="produced",
        created=output.at,
        modified=None if output.stat is None else time_of_ns(output.stat.mtime_ns),
        owner=output.owner,
        checksum_seconds=output.seconds,
    )
    batch.add(
        "uses",
        run=record.run,
        job=record.job,
        attempt=record.attempt,
        source=source,
        file=file,
        name=output.name,
        role=output.role,
        direction="write",
        size_bytes=output.size_bytes,
        sha256=output.sha256,
    )


def _add_checks(batch: Batch, record: Record) -> None:
    """Every look at a file is a check. Its number is its place among them, which leaves room for the stage-outs."""
    for place, seen in enumerate((*record.inputs, *record.changed_inputs)):
        batch.add(
            "checks",
            **_check_key(record, place),
            file_source=seen.source,
            file=seen.file,
            name=seen.name,
            url=None if seen.url is None else copy_url(seen.url),
            stage=seen.stage,
            expected_sha256=seen.sha256,
            actual_sha256=seen.actual_sha256,
            expected_size_bytes=seen.size_bytes,
            actual_size_bytes=seen.actual_size_bytes,
            verdict=seen.verdict,
            finding=seen.finding,
            digest_origin=seen.digest_origin,
            protection=seen.protection,
            at=seen.at,
            duration_seconds=seen.seconds,
            host=record.host,
        )
    for position, output in enumerate(record.outputs):
        source, file = (
            (record.run, produced_file(record.job, record.attempt, position))
            if output.sha256 is not None
            else (None, None)
        )
        batch.add(
            "checks",
            **_check_key(record, len(record.inputs) + len(record.changed_inputs) + position),
            file_source=source,
            file=file,
            name=output.name,
            stage="output",
            actual_sha256=output.sha256,
            actual_size_bytes=output.size_bytes,
            verdict=output.verdict,
            finding=output.finding,
            protection="none",
            at=output.at,
            duration_seconds=output.seconds,
            host=record.host,
        )


def _add_sighting(
    batch: Batch, event: str, source: int, file: int, seen: Input, *, stat: Stat | None, reason: str | None
) -> None:
    url = None if seen.url is None else copy_url(seen.url)
    add_event(batch, event, source=source, file=file, url=url, site=None, at=seen.at, stat=stat, reason=reason)


def _check_key(record: Record, place: int) -> dict[str, object]:
    return {
        "source": record.run,
        "number": produced_file(record.job, record.attempt, place),
        "run": record.run,
        "job": record.job,
        "attempt": record.attempt,
    }
