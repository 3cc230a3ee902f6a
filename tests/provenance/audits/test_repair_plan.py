"""What brings damaged files back: the plan of an audit, on a store with real lineage."""

from __future__ import annotations

import datetime as dt
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provenance.audits.audits import audit_store
from provenance.history.commits import CommitKind
from provenance.identity import source_of
from provenance.ingest.ingest import Published, ingest
from provenance.registration.raw_files import add_files
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.urls import file_url

AT = dt.datetime(2026, 11, 23, 5, tzinfo=dt.UTC)
MID = 1 << 30 | 1 << 20
"""The ordinal of the first output of the first attempt of job 1."""


class Chain:
    """raw.dat -> job a -> mid.dat -> job b -> out.dat; whether mid.dat was staged out is for the test to say."""

    def __init__(self, store: Store, folder: Path, record_bytes, read_file, made_file) -> None:  # type: ignore[no-untyped-def]
        self.store = store
        self.folder = folder
        self._record, self._read, self._made = record_bytes, read_file, made_file
        folder.mkdir()
        (folder / "raw.dat").write_bytes(b"raw bytes")
        self.raw = add_files(store, [folder / "raw.dat"]).files[0]

    def run(self, number: int, *, staged: tuple[str, ...]) -> Path:
        """A run of both jobs, whose outputs ``staged`` are in the folder that is given back."""
        from integrity.digest import Stat

        run_id = self.plan(number, "chain", "a", "b")
        run, output = source_of(run_id), self.folder / f"run{number}"
        output.mkdir()
        contents = {"mid.dat": b"mid bytes", "out.dat": b"out bytes"}
        published = {}
        for job, name in ((1, "mid.dat"), (2, "out.dat")):
            if name in staged:
                (output / name).write_bytes(contents[name])
                published[job, 1, name] = Published(file_url(output / name), "local", Stat.of(output / name), None)
        raw = self._read(
            "raw.dat", b"raw bytes", source=self.raw.file[0], file=self.raw.file[1], url=self.raw.url, mtime_ns=None
        )
        mid = self._read("mid.dat", contents["mid.dat"], source=run, file=MID)
        records = [
            self._record(1, run=run_id, inputs=[raw], outputs=[self._made("mid.dat", contents["mid.dat"])]),
            self._record(2, run=run_id, inputs=[mid], outputs=[self._made("out.dat", contents["out.dat"])]),
        ]
        ingest(self.store, records, published=published)
        return output

    def plan(self, number: int, workflow: str, *jobs: str) -> uuid.UUID:
        """The plan of a run: its jobs are 1, 2, … of the source."""
        run_id = uuid.UUID(int=number)
        run, batch = source_of(run_id), Batch()
        batch.add("workflows", run=run, run_id=str(run_id), kind="workflow", name=workflow, submit_dir="/r", planned=AT)
        for job, name in enumerate(jobs, start=1):
            batch.add("jobs", run=run, job=job, id=name, type="job", name=name, decision="run")
        self.store.commit(CommitKind.PLAN, batch)
        return run_id


@pytest.fixture
def chain(store: Store, tmp_path: Path, record_bytes, read_file, made_file) -> Chain:  # type: ignore[no-untyped-def]
    return Chain(store, tmp_path / "chain", record_bytes, read_file, made_file)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def plan_of(chain: Chain) -> dict[str, object]:
    return audit_store(chain.store).repair.document()


def test_nothing_is_damaged(chain: Chain) -> None:
    chain.run(1, staged=("mid.dat", "out.dat"))
    assert plan_of(chain) == {"restore": [], "copy": [], "rerun": [], "commands": []}


def test_a_result_is_made_again_by_its_job_alone_if_the_intermediate_is_there(chain: Chain) -> None:
    output = chain.run(1, staged=("mid.dat", "out.dat"))
    flip(output / "out.dat")
    plan = plan_of(chain)
    assert [(step["job"], step["makes"]) for step in plan["rerun"]] == [("b", ["out.dat"])]
    assert (plan["restore"], plan["copy"]) == ([], [])


def test_what_was_never_staged_out_is_made_again_first(chain: Chain) -> None:
    output = chain.run(1, staged=("out.dat",))
    (output / "out.dat").unlink()
    assert [step["job"] for step in plan_of(chain)["rerun"]] == ["a", "b"]


def test_a_raw_file_without_a_good_copy_is_asked_of_its_owner(chain: Chain) -> None:
    output = chain.run(1, staged=("out.dat",))
    flip(output / "out.dat")
    flip(chain.folder / "raw.dat")
    plan = plan_of(chain)
    assert [step["name"] for step in plan["restore"]] == ["raw.dat"]
    assert plan["restore"][0]["urls"] == [file_url(chain.folder / "raw.dat")]
    assert [step["job"] for step in plan["rerun"]] == ["a", "b"]


def test_a_good_copy_of_the_same_content_spares_the_job_and_its_command_puts_things_right(chain: Chain) -> None:
    first = chain.run(1, staged=("mid.dat", "out.dat"))
    second = chain.run(2, staged=("out.dat",))
    flip(first / "out.dat")
    plan = plan_of(chain)
    assert plan["rerun"] == []
    (step,) = plan["copy"]
    assert (step["url"], step["from"]) == (file_url(first / "out.dat"), [file_url(second / "out.dat")])
    (command,) = plan["commands"]
    subprocess.run(["sh", "-c", command], check=True)
    assert audit_store(chain.store).verdict == "clean"
    assert [path.name for path in first.iterdir() if path.name.startswith(".")] == []


def with_its_folder(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "more").touch()


@pytest.mark.parametrize("harm", [with_its_folder, as_a_folder])
def test_a_good_copy_takes_the_place_of_whatever_is_there(chain: Chain, harm: Callable[[Path], None]) -> None:
    first = chain.run(1, staged=("out.dat",))
    chain.run(2, staged=("out.dat",))
    harm(first / "out.dat")
    (command,) = plan_of(chain)["commands"]
    subprocess.run(["sh", "-c", command], check=True)
    assert audit_store(chain.store).verdict == "clean"


def test_the_same_content_is_made_once(chain: Chain) -> None:
    for number in (1, 2):
        flip(chain.run(number, staged=("mid.dat", "out.dat")) / "out.dat")
    (step,) = plan_of(chain)["rerun"]
    assert step["job"] == "b"


def test_findings_say_between_which_looks_it_came_about(chain: Chain) -> None:
    output = chain.run(1, staged=("mid.dat", "out.dat"))
    audit_store(chain.store)
    flip(output / "mid.dat")
    (finding,) = audit_store(chain.store).findings
    assert finding.last_good is not None and finding.first_bad is not None
    assert (finding.last_good.stage, finding.first_bad.stage) == ("audit", "audit")
    assert finding.last_good.at < finding.first_bad.at
    (again,) = audit_store(chain.store).findings
    assert again.first_bad == finding.first_bad, "looking again does not move it"
    assert again.first_seen == finding.first_seen == finding.first_bad.at
    flip(output / "mid.dat")
    assert audit_store(chain.store).findings == ()
    flip(output / "mid.dat")
    (anew,) = audit_store(chain.store).findings
    assert anew.first_seen > again.first_seen, "it was good in between"


def test_the_pipeline_counts_every_look_and_what_verification_cost(chain: Chain) -> None:
    output = chain.run(1, staged=("mid.dat", "out.dat"))
    flip(output / "mid.dat")
    report = audit_store(chain.store)
    assert {(count.stage, count.checks, count.failed) for count in report.pipeline} == {
        ("pre-exec", 2, 0),
        ("output", 2, 0),
        ("audit", 3, 1),
    }
    assert report.overhead is not None
    ((seconds,),) = chain.store.rows("SELECT sum(duration_seconds) FROM invocations", tables=["invocations"])
    assert report.overhead.job_seconds == seconds


def test_a_copy_made_of_the_lost_bytes_is_no_way_back_to_them(chain: Chain, record_bytes, read_file, made_file) -> None:  # type: ignore[no-untyped-def]
    """`cp` made the very bytes that it read: once both are lost, only the owner has them."""
    run_id = chain.plan(7, "cp", "cp")
    raw = read_file("raw.dat", b"raw bytes", source=chain.raw.file[0], file=chain.raw.file[1], url=chain.raw.url)
    ingest(chain.store, [record_bytes(1, run=run_id, inputs=[raw], outputs=[made_file("copy.dat", b"raw bytes")])])
    flip(chain.folder / "raw.dat")
    plan = plan_of(chain)
    assert ([step["name"] for step in plan["restore"]], plan["rerun"]) == (["raw.dat"], [])


def test_an_attempt_that_failed_makes_nothing_again(chain: Chain, record_bytes, read_file, made_file) -> None:  # type: ignore[no-untyped-def]
    """It left the very bytes; the job that made them and succeeded is older."""
    output = chain.run(1, staged=("mid.dat", "out.dat"))
    run_id = chain.plan(9, "failing", "failed")
    made = [made_file("out.dat", b"out bytes")]
    ended = {"status": "failed", "failure": "exit code 1", "exit_code": 1}
    ingest(chain.store, [record_bytes(1, run=run_id, outputs=made, **ended)])
    flip(output / "out.dat")
    assert [(step["job"], step["workflow"]) for step in plan_of(chain)["rerun"]] == [("b", "chain")]


def test_what_the_audit_itself_found_good_again_is_a_good_copy(chain: Chain) -> None:
    first = chain.run(1, staged=("mid.dat", "out.dat"))
    second = chain.run(2, staged=("out.dat",))
    flip(second / "out.dat")
    assert audit_store(chain.store).exit_code == 1
    flip(second / "out.dat")
    flip(first / "out.dat")
    plan = plan_of(chain)
    assert (plan["rerun"], plan["restore"]) == ([], [])
    assert plan["copy"][0]["from"] == [file_url(second / "out.dat")]


def test_a_restore_outside_of_the_scope_says_where_it_was(chain: Chain) -> None:
    output = chain.run(1, staged=("out.dat",))
    flip(chain.folder / "raw.dat")
    assert audit_store(chain.store).exit_code == 1
    flip(output / "out.dat")
    plan = audit_store(chain.store, asked='files where name = "out.dat"').repair.document()
    assert [(step["name"], step["urls"]) for step in plan["restore"]] == [
        ("raw.dat", [file_url(chain.folder / "raw.dat")])
    ]
    assert [step["job"] for step in plan["rerun"]] == ["a", "b"]


def test_readers_are_jobs_that_ran_with_the_file_and_the_others_are_downstream(
    chain: Chain, record_bytes: Callable[..., bytes], read_file: Callable[..., Any]
) -> None:
    chain.run(1, staged=("mid.dat", "out.dat"))
    run_id = chain.plan(8, "late", "refused")
    wrong = {"verdict": "mismatch", "actual_sha256": "00" * 32, "finding": "content-mismatch"}
    raw = read_file("raw.dat", b"raw bytes", source=chain.raw.file[0], file=chain.raw.file[1], **wrong)
    never_ran = {"status": "integrity_failed", "exit_code": None, "duration": None}
    ingest(chain.store, [record_bytes(1, run=run_id, inputs=[raw], **never_ran)])
    flip(chain.folder / "raw.dat")
    (finding,) = (one for one in audit_store(chain.store).findings if one.stage == "audit")
    assert finding.name == "raw.dat"
    assert (finding.read_by, finding.affected_jobs) == (("a",), ("a", "b"))
    assert finding.affected_files == ("mid.dat", "out.dat")
