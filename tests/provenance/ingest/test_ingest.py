from __future__ import annotations

import hashlib
import json
import multiprocessing
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrity.digest import Stat
from integrity.wrapper.metadata import METADATA_LIMIT_BYTES
from provenance.errors import NotWrittenError, StoreError, WriteFailedError
from provenance.identity import produced_file, source_of
from provenance.ingest.fact_columns import LONGEST_TEXT
from provenance.ingest.ingest import Attempted, Published, ingest
from provenance.ingest.intake import Intake
from provenance.ingest.quarantine import quarantined
from provenance.publishing import publication
from provenance.reading.views import Reading, fetch
from provenance.segments.batch import Batch
from provenance.store import Store


def test_a_record_becomes_rows_in_one_commit(store, record_bytes, read_file, made_file, run_id):
    data = record_bytes(
        inputs=[read_file("raw", source=5, file=1, url="file:///data/raw")],
        outputs=[made_file("a", b"A"), made_file("b")],
    )
    result = ingest(store, [data])
    run = source_of(run_id)
    assert [commit.number for commit in result.commits] == [1]
    assert (result.new, result.known, result.rejected, result.warnings) == (1, 0, (), ())
    assert fetch(store, "SELECT status, exit_code, cpu_seconds, stderr_tail, record_sha256 FROM invocations") == [
        ("succeeded", 0, 2.0, "\\xffx\0", hashlib.sha256(data).digest())
    ]
    assert fetch(store, "SELECT source, file, name, sha256, owner, origin FROM files ORDER BY name") == [
        (run, produced_file(1, 1, 0), "a", hashlib.sha256(b"A").digest(), "ada", "produced"),
        (run, produced_file(1, 1, 1), "b", hashlib.sha256(b"").digest(), "ada", "produced"),
    ]
    assert fetch(store, "SELECT name, role, direction, source FROM uses ORDER BY name") == [
        ("a", "output", "write", run),
        ("b", "output", "write", run),
        ("raw", "input", "read", 5),
    ]
    assert fetch(store, "SELECT stage, count(*) FROM checks GROUP BY stage ORDER BY stage") == [
        ("output", 2),
        ("pre-exec", 1),
    ]
    assert fetch(store, 'SELECT state FROM job_states ORDER BY "at"') == [("started",), ("ended",)]
    assert fetch(store, "SELECT source, file, event, inode FROM replicas") == [(5, 1, "verified", -2)]


def test_an_attempt_without_an_optional_input_has_not_the_key_of_one_with_it(store, record_bytes, read_file):
    gone = {"verdict": "missing", "optional": True, "actual_sha256": None, "actual_size": None}
    ingest(store, [record_bytes(1, inputs=[read_file("a", **gone)]), record_bytes(2, inputs=[read_file("a")])])
    assert fetch(store, "SELECT job, status, reuse_key IS NULL FROM invocations ORDER BY job") == [
        (1, "succeeded", True),
        (2, "succeeded", False),
    ]


def test_a_folder_is_recorded_as_one(store, record_bytes, made_file):
    ingest(store, [record_bytes(outputs=[made_file("a.zarr", kind="folder"), made_file("b")])])
    assert fetch(store, "SELECT name, kind FROM files ORDER BY name") == [("a.zarr", "folder"), ("b", "file")]


def test_ingesting_again_adds_nothing(store, record_bytes, tmp_path):
    path = tmp_path / "1.json"
    path.write_bytes(record_bytes())
    first = ingest(store, [path])
    again = ingest(store, [path, path.read_bytes()])
    assert (first.new, first.known) == (1, 0)
    assert (again.commits, again.new, again.known, again.rejected) == ((), 0, 1, ())
    assert store.snapshot().number == 1


def test_a_second_record_of_an_attempt_is_quarantined(store, record_bytes):
    ingest(store, [record_bytes()])
    other = record_bytes(hostname="node2")
    result = ingest(store, [other, record_bytes(2)])
    assert result.new == 1
    (rejected,) = result.rejected
    assert "another record of this attempt" in rejected.reason
    assert Path(rejected.quarantined).read_bytes() == other
    assert fetch(store, "SELECT host FROM invocations WHERE job = 1") == [("node1",)]


def test_two_records_of_an_attempt_in_one_call(store, record_bytes):
    result = ingest(store, [record_bytes(), record_bytes(), record_bytes(hostname="node2")])
    assert (result.new, len(result.rejected)) == (1, 1)
    counts = hashlib.sha256(record_bytes()).digest()
    assert fetch(store, "SELECT record_sha256 FROM invocations") == [(counts,)]
    assert f"another record of this attempt, sha256 {counts.hex()}" in result.rejected[0].reason


def test_records_of_an_attempt_are_rejected_for_the_one_that_the_store_holds(store, record_bytes):
    """Not for the first of the call, which it never holds."""
    held, first, second = (record_bytes(hostname=host) for host in ("node1", "node2", "node3"))
    ingest(store, [held])
    result = ingest(store, [first, second, held])
    assert (result.commits, result.new, result.known, len(result.rejected)) == ((), 0, 1, 2)
    assert all(each.reason.endswith(hashlib.sha256(held).hexdigest()) for each in result.rejected)
    kept = {each.sha256 for each in quarantined(store)}
    assert kept == {hashlib.sha256(data).hexdigest() for data in (first, second)}


def test_nothing_is_rejected_for_a_record_that_was_not_committed(store, record_bytes, monkeypatch):
    def full(*_):
        raise WriteFailedError("no space left on device")

    monkeypatch.setattr(publication, "publish", full)
    with pytest.raises(WriteFailedError):
        ingest(store, [record_bytes(), record_bytes(hostname="node2")])
    assert quarantined(store) == []


def test_a_malformed_record_does_not_take_the_place_of_its_attempt(store, record_bytes):
    result = ingest(store, [record_bytes(exit_code=1), record_bytes()])
    assert (result.new, len(result.rejected)) == (1, 1)
    assert "exit_code is 1" in result.rejected[0].reason
    assert fetch(store, "SELECT exit_code FROM invocations") == [(0,)]


def test_what_is_too_long_to_be_a_record_is_not_read_to_its_end(store, record_bytes, tmp_path, monkeypatch):
    monkeypatch.setattr("provenance.ingest.record_files.MOST_BYTES", 100_000)
    endless, good = tmp_path / "1.json", tmp_path / "2.json"
    with endless.open("wb") as file:
        file.write(b"{" * 100_001)
        file.truncate(1 << 40)
    good.write_bytes(record_bytes(2).ljust(100_000))
    result = ingest(store, [endless, good, b" " * 100_001])
    assert (result.new, [each.path for each in result.rejected]) == (1, [endless, None])
    assert all("longer than 100000 bytes" in each.reason for each in result.rejected)
    assert Path(result.rejected[0].quarantined).read_bytes() == b"{" * 100_000


def test_what_is_malformed_is_quarantined_with_its_reason_and_the_others_count(store, record_bytes, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_bytes(record_bytes(attempt=0))
    result = ingest(store, [bad, record_bytes(2), b"\xff"])
    assert result.new == 1
    assert [rejected.path for rejected in result.rejected] == [bad, None]
    assert "attempt: expected an integer from 1" in result.rejected[0].reason
    kept = store.root / "quarantine" / (hashlib.sha256(bad.read_bytes()).hexdigest() + ".record")
    assert kept.read_bytes() == bad.read_bytes()
    assert {(each.sha256, each.origin) for each in quarantined(store)} == {
        (hashlib.sha256(b"\xff").hexdigest(), None),
        (hashlib.sha256(bad.read_bytes()).hexdigest(), bad),
    }
    assert "attempt: expected" in next(each.reason for each in quarantined(store, tmp_path))


def test_the_same_malformed_record_again_is_kept_once(store):
    for _ in range(2):
        assert len(ingest(store, [b"{}"]).rejected) == 1
    assert len(list((store.root / "quarantine").iterdir())) == 2


def test_reported_metadata_of_a_job_and_its_output(store, record_bytes, made_file, run_id):
    text = json.dumps([{"chi2": 1.5}, {"_type": "file", "_id": "out", "_attributes": {"note 🦊=:\n": "a'b\"c"}}])
    ingest(store, [record_bytes(outputs=[made_file("out")], metadata={"text": text, "truncated": False})])
    run = source_of(run_id)
    rows = fetch(
        store,
        "SELECT entity, source, number, key, text_form, float_form, origin, author FROM current_metadata ORDER BY 1",
    )
    assert rows == [
        ("file", run, produced_file(1, 1, 0), "note 🦊=:\n", "a'b\"c", None, "runtime", "ada"),
        ("job", run, 1, "chi2", "1.5", 1.5, "runtime", "ada"),
    ]


def test_metadata_that_cannot_be_read_is_quarantined_while_the_record_counts(store, record_bytes):
    result = ingest(store, [record_bytes(metadata={"text": "good=1\nbad", "truncated": True})])
    assert result.new == 1
    assert len(result.warnings) == 2
    assert "line 2" in result.warnings[0]
    assert fetch(store, "SELECT key FROM current_metadata") == [("good",)]
    kept = store.root / "quarantine" / (hashlib.sha256(b"good=1\nbad").hexdigest() + ".metadata")
    assert kept.read_bytes() == b"good=1\nbad"


def test_metadata_that_no_wrapper_keeps_is_quarantined_while_the_record_counts(store, record_bytes):
    assert METADATA_LIMIT_BYTES == LONGEST_TEXT
    text = "a=1\n" * (1 << 18) + "b"
    result = ingest(store, [record_bytes(metadata={"text": text, "truncated": False})])
    assert (result.new, len(result.warnings)) == (1, 1)
    assert "longer than 1048576 characters" in result.warnings[0]
    assert fetch(store, "SELECT key FROM current_metadata") == []
    assert [(each.what, each.sha256) for each in quarantined(store)] == [
        ("metadata", hashlib.sha256(text.encode()).hexdigest())
    ]


def test_a_retry_reports_anew_and_the_last_word_counts(store, record_bytes):
    first = record_bytes(1, 1, status="failed", exit_code=1, metadata={"text": "k=1\nonly_first=1", "truncated": False})
    second = record_bytes(1, 2, end="2026-11-23T05:21:10.123456Z", metadata={"text": "k=2", "truncated": False})
    ingest(store, [first, second])
    assert fetch(store, "SELECT key, text_form FROM current_metadata ORDER BY key") == [("k", "2"), ("only_first", "1")]


def test_a_mismatch_quarantines_the_copy_and_a_good_look_does_not_take_it_back(
    store, record_bytes, read_file, made_file
):
    place = {"source": 5, "file": 1, "url": "file:///data/raw"}
    ingest(store, [record_bytes(outputs=[made_file("x")])])
    from provenance.copies.replicas import add_event, time_of_ns
    from provenance.history.commits import CommitKind

    batch = Batch()
    add_event(batch, "registered", source=5, file=1, url="file:///data/raw", site="local", at=time_of_ns(0))
    store.commit(CommitKind.REGISTER, batch)
    bad = read_file("raw", **place, verdict="mismatch", actual_sha256="00" * 32, finding="content-mismatch")
    ingest(store, [record_bytes(2, inputs=[bad], status="integrity_failed", exit_code=None, duration=None)])
    assert fetch(store, "SELECT state, site FROM replica_states") == [("quarantined", "local")]
    ingest(store, [record_bytes(3, inputs=[read_file("raw", **place)])])
    assert fetch(store, "SELECT status FROM file_states") == [("damaged",)]
    assert fetch(store, "SELECT expected_sha256, actual_sha256, finding FROM checks WHERE verdict = 'mismatch'") == [
        (hashlib.sha256(b"raw").digest(), bytes(32), "content-mismatch")
    ]


def test_bytes_of_other_files_and_of_other_versions_are_told_from_damage(store, record_bytes, read_file, made_file):
    """The wrapper says only that they are others; files of the same commit are known as well as those of earlier ones."""
    ingest(store, [record_bytes(outputs=[made_file("a", b"A"), made_file("b", b"earlier")])])

    def refused(job: int, actual: bytes, finding: str) -> bytes:
        found = {"actual_sha256": hashlib.sha256(actual).hexdigest(), "actual_size": len(actual), "finding": finding}
        seen = read_file("b", source=5, file=1, url="file:///b", verdict="mismatch", **found)
        return record_bytes(job, inputs=[seen], status="integrity_failed", exit_code=None, duration=None)

    ingest(
        store,
        [
            refused(2, b"A", "truncated"),
            refused(3, b"earlier", "appended"),
            refused(4, b"?", "content-mismatch"),
            refused(5, b"C", "content-mismatch"),
            refused(6, b"", "truncated"),
            refused(7, b"??", "truncated"),
            record_bytes(8, outputs=[made_file("c", b"C"), made_file("empty", b"")]),
        ],
    )
    assert fetch(store, "SELECT job, finding FROM checks WHERE verdict = 'mismatch' ORDER BY job") == [
        (2, "swapped"),
        (3, "stale"),
        (4, "content-mismatch"),
        (5, "swapped"),
        (6, "truncated"),
        (7, "truncated"),
    ]


def test_a_look_at_what_nobody_knows_verifies_nothing(store, record_bytes, read_file):
    seen = read_file("a", sha256=None, digest_origin=None, source=5, file=1, url="file:///a")
    ingest(store, [record_bytes(inputs=[seen])])
    assert fetch(store, "SELECT event FROM replicas") == []
    assert fetch(store, "SELECT verdict, expected_sha256 FROM checks") == [("ok", None)]


def test_a_missing_copy_that_is_seen_again_is_there_again(store, record_bytes, read_file, made_file, run_id):
    out = record_bytes(outputs=[made_file("x", b"raw")])
    url = "file:///out/x"
    published = {(1, 1, "x"): Published(url, "local", Stat(3, 1, 2, 3, 4), None)}
    ingest(store, [out], published=published)
    place = {"source": source_of(run_id), "file": produced_file(1, 1, 0), "url": url}
    gone = read_file("x", **place, verdict="missing", actual_sha256=None, actual_size=None)
    ingest(store, [record_bytes(2, inputs=[gone], status="integrity_failed", exit_code=None)])
    assert fetch(store, "SELECT state FROM replica_states") == [("missing",)]
    ingest(store, [record_bytes(3, inputs=[read_file("x", **place, at="2026-11-23T05:30:00Z")])])
    assert fetch(store, "SELECT state FROM replica_states") == [("ok",)]


def test_published_outputs_have_copies_and_the_older_ones_there_are_replaced(store, record_bytes, made_file):
    url = "file:///out/a%20b"
    stat = Stat(1, 10, 20, 2**64 - 1, 4)
    for job in (1, 2):
        published = {(job, 1, "a b"): Published(url, "local", stat, hashlib.sha256(b"A").digest())}
        ingest(store, [record_bytes(job, outputs=[made_file("a b", b"A")])], published=published)
    assert fetch(store, "SELECT file, state, verified IS NOT NULL, inode FROM replica_states ORDER BY file") == [
        (produced_file(1, 1, 0), "replaced", True, -1),
        (produced_file(2, 1, 0), "ok", True, -1),
    ]
    assert fetch(store, "SELECT verdict, count(*) FROM checks WHERE stage = 'stage-out' GROUP BY ALL") == [("ok", 2)]


def test_places_may_be_told_again_after_the_record_is_in(store, record_bytes, made_file):
    data = record_bytes(outputs=[made_file("a", b"A")])
    published = {(1, 1, "a"): Published("file:///out/a", "local", Stat(1, 10, 20, 30, 4), None)}
    ingest(store, [data])
    ingest(store, [data], published=published)
    assert ingest(store, [data], published=published).commits == ()
    assert fetch(store, "SELECT state FROM replica_states") == [("ok",)]


def test_a_copy_that_arrived_otherwise_is_quarantined(store, record_bytes, made_file):
    published = {(1, 1, "a"): Published("file:///out/a", "local", Stat(1, 10, 20, 30, 4), bytes(32))}
    ingest(store, [record_bytes(outputs=[made_file("a", b"A")])], published=published)
    # The stat of bad bytes would make them pass for unchanged, and nobody has verified them.
    assert fetch(store, "SELECT state, inode, verified FROM replica_states") == [("quarantined", None, None)]
    assert fetch(store, "SELECT verdict FROM checks WHERE stage = 'stage-out'") == [("mismatch",)]


def test_a_copy_that_arrived_otherwise_at_the_end_of_all_times_is_quarantined(store, record_bytes, made_file):
    published = {(1, 1, "a"): Published("file:///out/a", "local", Stat(1, 10, 20, 30, 4), bytes(32))}
    data = record_bytes(outputs=[made_file("a", b"A")], end="9999-12-31T23:59:59.999999Z")
    assert ingest(store, [data], published=published).new == 1
    assert fetch(store, "SELECT state FROM replica_states") == [("quarantined",)]


def test_two_workflows_with_an_empty_done_flag_have_two_files(store, record_bytes, made_file):
    runs = [uuid.uuid4(), uuid.uuid4()]
    for run in runs:
        ingest(store, [record_bytes(run=run, outputs=[made_file("done.flag")])])
    rows = fetch(store, "SELECT source, file FROM files WHERE name = 'done.flag'")
    assert sorted(rows) == sorted((source_of(run), produced_file(1, 1, 0)) for run in runs)
    writers = fetch(store, "SELECT run, file_source FROM writes")
    assert all(run == source for run, source in writers)


def test_names_that_are_no_unicode_are_stored_with_escapes(store, record_bytes, made_file):
    said = {"text": "a=1", "truncated": False}
    ingest(store, [record_bytes(outputs=[made_file("a\udcff b")], user="\udcff", hostname="\udcff", metadata=said)])
    assert fetch(store, "SELECT name FROM files") == [("a\\xff b",)]
    assert fetch(store, "SELECT author, text_form FROM current_metadata") == [("\\xff", "1")]
    assert fetch(store, "SELECT host, user_name FROM invocations") == [("\\xff", "\\xff")]


def _ingest_many(location: str, records: list[bytes]) -> None:
    store = Store.open(location)
    for record in records:
        ingest(store, [record])


@pytest.mark.parametrize("writers", [4])
def test_racing_processes_bring_each_record_once(store, record_bytes, made_file, writers):
    records = [record_bytes(job, outputs=[made_file(f"f{job}")]) for job in range(1, 9)]
    context = multiprocessing.get_context("spawn")
    orders = [records[shift:] + records[:shift] for shift in range(0, 8, 8 // writers)]
    processes = [context.Process(target=_ingest_many, args=(str(store.root), order)) for order in orders]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert fetch(store, "SELECT job, count(*) FROM invocations GROUP BY job ORDER BY job") == [
        (j, 1) for j in range(1, 9)
    ]
    assert fetch(store, "SELECT count(*) FROM files") == [(8,)]
    assert fetch(store, "SELECT count(*) FROM job_states") == [(16,)]


@pytest.fixture
def small_commits(monkeypatch):
    """Three records a block, five a commit."""
    monkeypatch.setattr("provenance.ingest.intake._BLOCK_RECORDS", 3)
    monkeypatch.setattr("provenance.ingest.intake._COMMIT_RECORDS", 5)


def _everything(store: Store) -> dict[str, list[tuple]]:
    """All rows but the numbers of commits, sorted."""
    with Reading(store, store.snapshot()) as reading:
        return {
            table: sorted(reading.rows(f"SELECT * EXCLUDE (commit_number) FROM {table}"), key=repr)
            for table in store.snapshot().tables()
        }


def _records(record_bytes, read_file, made_file, jobs: int = 6) -> list[bytes]:
    """Two attempts of each of some jobs; each reads a file of its own and makes one."""
    return [
        record_bytes(
            job,
            attempt,
            inputs=[read_file(f"raw{job}", source=9, file=job, url=f"file:///raw/{job}")],
            outputs=[made_file(f"out{job}", bytes([job, attempt]))],
            metadata={"text": f"n={job}\nof=attempt {attempt}\n", "truncated": False},
        )
        for job in range(1, jobs + 1)
        for attempt in (1, 2)
    ]


@pytest.mark.usefixtures("small_commits")
def test_in_whatever_order_and_company_records_come_they_count_once(
    tmp_path_factory, store, record_bytes, read_file, made_file
):
    records = [*_records(record_bytes, read_file, made_file, jobs=3), b"{}"]
    ingest(store, records)
    expected = _everything(store)

    @settings(max_examples=5, deadline=None, database=None)
    @given(order=st.permutations([*range(len(records)), 0, 1, 2]), first=st.integers(0, 9))
    def hold(order: list[int], first: int) -> None:
        other = Store.open(tmp_path_factory.mktemp("other") / ".pirene")
        coming = [records[index] for index in order]
        results = [ingest(other, coming[:first]), ingest(other, coming[first:])]
        assert sum(result.new for result in results) == 6
        found = _everything(other)
        # How often a good copy was seen to be good is said once a commit.
        assert set(found.pop("replicas")) == set(expected["replicas"])
        assert found == {table: rows for table, rows in expected.items() if table != "replicas"}
        assert sum(commit.records for commit in other.commits()) == 6
        assert len(quarantined(other)) == 1

    hold()


@pytest.mark.usefixtures("small_commits")
def test_who_is_stopped_between_two_commits_ingests_all_again(store, record_bytes, read_file, made_file, monkeypatch):
    records = _records(record_bytes, read_file, made_file)
    publish, tries = publication.publish, iter(range(9))

    def stopped(*arguments):
        if next(tries) == 1:
            raise WriteFailedError("no space left on device")
        return publish(*arguments)

    monkeypatch.setattr(publication, "publish", stopped)
    with pytest.raises(WriteFailedError):
        ingest(store, records)
    assert fetch(store, "SELECT count(*) FROM invocations") == [(5,)]
    again = ingest(store, records)
    assert (again.new, again.known, len(again.commits)) == (7, 5, 2)
    assert fetch(store, "SELECT count(*), count(DISTINCT (job, attempt)) FROM invocations") == [(12, 12)]
    assert fetch(store, "SELECT count(*) FROM uses") == [(24,)]


def test_records_that_others_bring_meanwhile_are_left_out(store, record_bytes, read_file, made_file, monkeypatch):
    """Another writer is first, with some of the records and with another record of one of the attempts."""
    records = _records(record_bytes, read_file, made_file, jobs=3)
    other = record_bytes(1, 2, hostname="node2")
    elsewhere, publish = Store.open(store.root), publication.publish

    def raced(*arguments):
        monkeypatch.setattr(publication, "publish", publish)
        ingest(elsewhere, [records[0], other])
        return publish(*arguments)

    monkeypatch.setattr(publication, "publish", raced)
    result = ingest(store, records)
    assert (result.new, result.known, len(result.rejected)) == (4, 1, 1)
    assert "there is another record of this attempt" in result.rejected[0].reason
    assert result.commits[0].records == 4
    assert fetch(store, "SELECT count(*), count(DISTINCT (job, attempt)) FROM invocations") == [(6, 6)]
    assert fetch(store, "SELECT host FROM invocations WHERE job = 1 AND attempt = 2") == [("node2",)]
    assert fetch(store, "SELECT count(*) FROM files") == [(5,)]
    assert fetch(store, "SELECT count(*) FROM metadata WHERE number = 1 AND text_form = 'attempt 2'") == [(0,)]


def test_a_file_that_changes_while_it_is_taken_in_is_said(store, record_bytes, tmp_path, monkeypatch):
    path = tmp_path / "1.json"
    path.write_bytes(record_bytes())
    ingest(store, [record_bytes(hostname="node2")])
    held = Intake._held

    def changes(*arguments):
        path.write_bytes(record_bytes(hostname="node3"))
        return held(*arguments)

    monkeypatch.setattr(Intake, "_held", changes)
    with pytest.raises(StoreError, match=r"1\.json: it changed while it was taken in"):
        ingest(store, [path])


def test_what_cannot_even_be_quarantined_stays_where_it_is(store, record_bytes, tmp_path, monkeypatch):
    paths = [tmp_path / f"{name}.json" for name in ("good", "bad", "other")]
    for path, data in zip(paths, (record_bytes(1), b"{", record_bytes(2)), strict=True):
        path.write_bytes(data)
    write = store.storage.write

    def full(name, data):
        if name.startswith("quarantine/"):
            raise NotWrittenError("no space left on device")
        write(name, data)

    monkeypatch.setattr(store.storage, "write", full)
    with pytest.raises(NotWrittenError):
        ingest(store, paths)
    monkeypatch.setattr(store.storage, "write", write)
    result = ingest(store, paths)
    assert (result.new + result.known, len(result.rejected)) == (2, 1)
    assert fetch(store, "SELECT job FROM invocations ORDER BY job") == [(1,), (2,)]
    assert [each.origin for each in quarantined(store)] == [paths[1]]


@pytest.mark.usefixtures("small_commits")
def test_what_only_the_caller_knows_comes_with_the_attempts_that_are_new(store, record_bytes, read_file, made_file):
    records = _records(record_bytes, read_file, made_file)
    ingest(store, records[3:5])
    told = []

    def also(batch: Batch, attempted: Attempted) -> None:
        told.append((attempted.job, attempted.attempt, attempted.made))
        batch.add("job_states", run=attempted.run, job=attempted.job, attempt=attempted.attempt, state="told")

    ingest(store, records, also=also)
    assert sorted(told) == sorted(
        (job, attempt, (f"out{job}",))
        for job in range(1, 7)
        for attempt in (1, 2)
        if (job, attempt) not in {(2, 2), (3, 1)}
    )
    assert fetch(store, "SELECT count(*) FROM job_states WHERE state = 'told'") == [(10,)]
    assert fetch(store, "SELECT count(*) FROM job_states") == [(34,)]


def test_an_url_that_is_none_is_no_reason_to_lose_the_others(store, record_bytes, read_file):
    bad = [record_bytes(job, inputs=[read_file("a", url=url)]) for job, url in enumerate(["", "\0", "\ud800"], start=1)]
    result = ingest(store, [*bad, record_bytes(9)])
    assert (result.new, len(result.rejected)) == (1, 3)
    assert all("inputs[0].url: expected a path or a URL" in rejected.reason for rejected in result.rejected)
