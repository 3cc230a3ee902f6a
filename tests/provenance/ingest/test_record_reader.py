from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.checked_json import MalformedError
from provenance.identity import source_of
from provenance.ingest.record_reader import read_record


def test_a_record_is_read_with_its_types(record_bytes, run_id, read_file, made_file):
    data = record_bytes(3, 2, inputs=[read_file("a")], outputs=[made_file("b", b"xy")])
    record = read_record(data)
    assert record.digest == hashlib.sha256(data).digest()
    assert (record.run, record.job, record.attempt) == (source_of(run_id), 3, 2)
    assert record.started == dt.datetime(2026, 11, 23, 5, 20, 0, 123456, dt.UTC)
    assert record.usage.cpu_seconds == 2.0
    assert record.stdout_tail == "hi"
    assert record.stderr_tail == "\\xffx\0"
    assert record.inputs[0].stat.inode == 2**64 - 2
    assert record.outputs[0].sha256 == hashlib.sha256(b"xy").digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "pirene.invocation/9"}, "schema: expected pirene.invocation/1"),
        ({"run_id": "../../etc"}, "run_id: expected a UUID"),
        ({"run_id": "0193572a8f0070008000000000000000"}, "with dashes"),
        ({"job": 0}, "job: expected an integer from 1"),
        ({"job": True}, "job: expected an integer"),
        ({"attempt": 1024}, "from 1 to 1023, found 1024"),
        ({"id": ""}, "id: expected text"),
        ({"status": "completed"}, "status: expected succeeded | failed | integrity_failed"),
        ({"exit_code": None}, "succeeded, but exit_code is None"),
        ({"exit_code": 1}, "succeeded, but exit_code is 1"),
        ({"signal": 9}, "signal 9"),
        ({"start": "2026-11-23 05:20:00"}, "start: expected a time"),
        ({"start": "2026-02-30T05:20:00Z"}, "a time that exists"),
        ({"duration": -1}, "duration: expected a number of seconds"),
        ({"duration": float("inf")}, "duration"),
        ({"reuse_key": "AB" * 32}, "64 lower-case hex digits"),
        ({"argument_vector": "ls -l"}, "a list of texts"),
        ({"usage": {"maxrss": 2**63}}, "usage.maxrss"),
        ({"inputs": ["x"]}, r"inputs[0]: expected an object"),
        ({"outputs": None}, "outputs: expected a list"),
        ({"stderr": {"size": 1, "base64": "%%%"}}, "stderr.base64"),
        ({"metadata": {"text": 1}}, "metadata.text"),
        ({"hostname": "x" * 257}, "hostname: expected text of at most 256 characters"),
        ({"user": "x" * 257}, "user: expected text of at most 256 characters"),
    ],
)
def test_what_is_wrong_is_named(record_bytes, changes, message):
    with pytest.raises(MalformedError) as error:
        read_record(record_bytes(**changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "fine"}, "inputs[0].verdict"),
        ({"actual_sha256": None}, "inputs[0].actual_sha256"),
        ({"actual_sha256": "00" * 32}, "the expected digest, for the verdict is ok"),
        ({"verdict": "mismatch"}, "the verdict on 'a' is mismatch"),
        ({"source": 2**63}, "inputs[0].source"),
        ({"file": -1}, "inputs[0].file"),
        ({"size": -1}, "inputs[0].size"),
        ({"finding": "DROP TABLE"}, "a finding class"),
        ({"role": "output"}, "inputs[0].role"),
    ],
)
def test_what_is_wrong_with_an_input_is_named(record_bytes, read_file, change, message):
    with pytest.raises(MalformedError) as error:
        read_record(record_bytes(inputs=[read_file("a", **change)]))
    assert message in str(error.value)


def test_a_success_without_its_output_is_no_success(record_bytes, made_file):
    lost = made_file("b", verdict="missing", sha256=None, size=None)
    with pytest.raises(MalformedError, match="missing"):
        read_record(record_bytes(outputs=[lost]))
    assert read_record(record_bytes(outputs=[lost | {"optional": True}])).outputs[0].sha256 is None
    failed = record_bytes(outputs=[lost], status="failed", exit_code=0)
    assert read_record(failed).status == "failed"


def test_an_input_that_changed_meanwhile_is_no_success(record_bytes, read_file):
    changed = read_file("a", stage="post-exec", verdict="mismatch", finding="content-mismatch")
    with pytest.raises(MalformedError, match="'a' changed while the command ran"):
        read_record(record_bytes(changed_inputs=[changed]))


def test_a_file_of_no_kind_is_refused(record_bytes, made_file):
    assert read_record(record_bytes(outputs=[made_file("a.zarr", kind="folder")])).outputs[0].kind == "folder"
    for kind in (None, "device"):
        with pytest.raises(MalformedError, match=r"outputs\[0\].kind: expected file | folder"):
            read_record(record_bytes(outputs=[made_file("a", kind=kind)]))


def test_one_name_cannot_be_two_outputs(record_bytes, made_file):
    with pytest.raises(MalformedError, match="twice"):
        read_record(record_bytes(outputs=[made_file("b"), made_file("b")]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[]", "expected a JSON object"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"null", "expected a JSON object, found null"),
    ],
)
def test_what_is_no_object_is_refused(data, message):
    with pytest.raises(MalformedError, match=message):
        read_record(data)


def test_however_deep_what_is_wrong_is_nested_it_is_refused():
    """Also where it can just be read, and not be written any more."""
    for depth in range(1, sys.getrecursionlimit() + 10):
        with pytest.raises(MalformedError, match=r"schema: expected|nested too deeply"):
            read_record(b'{"schema":' + b"[" * depth + b"]" * depth + b"}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused(record_bytes, read_file, made_file, data):
    document = json.loads(record_bytes(inputs=[read_file("a")], outputs=[made_file("b")]))
    target = data.draw(st.sampled_from([document, document["inputs"][0], document["outputs"][0], document["usage"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(json_values)
    try:
        record = read_record(json.dumps(document).encode())
    except MalformedError as error:
        assert "expected" in str(error) or "succeeded" in str(error) or "not JSON" in str(error)
    else:
        assert isinstance(record.job, int)
