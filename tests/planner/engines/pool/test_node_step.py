"""The steps beside every job, as DAGMan runs them: processes of their own, in a folder written from a real plan.

The worker is played here: what lies in `in/` goes to a scratch folder, the command of the submit description runs there,
`out` comes back. Steps are killed, and their file system fails, at every call that changes something; when such a step
is repeated the outcome is right, and no step ever says yes without outputs in their places.
"""

from __future__ import annotations

import dis
import hashlib
import json
import marshal
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.engine_plan import EnginePlan
from planner.engines.pool.dag import write_pool_folder
from planner.engines.pool.node_step.inputs import find_produced
from planner.engines.pool.node_step.inputs import reuse_key as key_of_inputs
from planner.engines.pool.node_step.outputs import copy_over, take_output
from planner.engines.pool.node_step.pool import Pool, instead_key
from planner.engines.pool.pool_folder import PoolFolder
from planner.reuse_key import around_inputs, reuse_key
from provenance.identity import MAX_ATTEMPTS, MAX_JOBS, MAX_OUTPUTS, produced_file
from tests.integrity.page_cache import FirstReads

YES, NO, NEVER = 0, 1, 2
CHANGING = ("openat", "write", "rename", "renameat", "renameat2", "link", "linkat", "fsync", "unlink", "unlinkat",
            "rmdir", "mkdir", "mkdirat", "symlink", "symlinkat")  # fmt: skip
TOOL = """#!/bin/sh
# OUTPUT FOLDER INPUT...: one file, and a folder with two files in it (none where FOLDER is -)
out=$1 folder=$2; shift 2
{ echo made; cat "$@" < /dev/null; } > "$out"
[ "$folder" = - ] || { mkdir -p "$folder/below" && cp "$out" "$folder/below/copy" && echo x > "$folder/x"; }
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Nodes:
    """The pool's part of a run folder, and what DAGMan and a worker do with it."""

    run_dir: Path
    plan: EnginePlan
    output_dir: Path

    @property
    def root(self) -> Path:
        return self.run_dir / "pool"

    def node(self, job: int) -> Path:
        return self.root / "nodes" / str(job // 1000) / str(job)

    def step(self, *words: str, before: Sequence[str] = (), **options: Any) -> subprocess.CompletedProcess[str]:
        command = [*before, sys.executable, "-I", "-S", "node_step.pyz", *words]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False, **options)

    def pre(self, job: int, **options: Any) -> int:
        ended = self.step("pre", str(job), **options)
        assert ended.stderr == "", ended
        return ended.returncode

    def post(self, job: int, returned: int = 0, **options: Any) -> int:
        ended = self.step("post", str(job), str(returned), **options)
        assert ended.stderr == "", ended
        return ended.returncode

    def work(self, job: int, damage: Callable[[Path], object] = lambda scratch: None) -> int:
        """What HTCondor does between the steps; the job's exit code. ``damage`` may come to what has arrived."""
        node, scratch = self.node(job), self.run_dir.parent / f"scratch-{job}"
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(node / "in", scratch)
        shutil.copyfile(self.root / "kickstart.pyz", scratch / "kickstart.pyz")
        damage(scratch)
        (given,) = re.findall(r"""^    arguments = "-c '(.*)'"$""", (self.root / "run.dag").read_text(), re.MULTILINE)
        command = given.replace('""', '"')  # as HTCondor reads it
        with (node / "stderr").open("wb") as said:
            ended = subprocess.run(["/bin/sh", "-c", command], cwd=scratch, stderr=said, check=False)
        shutil.copytree(scratch / "out", node / "out")
        return ended.returncode

    def done(self, job: int) -> int:
        """All three; what the POST step says."""
        assert self.pre(job) == YES
        return self.post(job, self.work(job))

    def description(self, job: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.node(job) / "in" / "job.json").read_bytes())
        return found

    def handed(self, job: int) -> dict[str, Any] | None:
        path = self.root / "handed" / str(job // 1000) / f"{job}.json"
        return json.loads(path.read_bytes()) if path.exists() else None

    def record(self, job: int, attempt: int) -> dict[str, Any]:
        path = self.run_dir / "records" / str(job // 1000) / f"{job}-{attempt}.json"
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found

    def refused(self, job: int, attempt: int) -> dict[str, Any]:
        path = self.root / "refused" / str(job // 1000) / f"{job}-{attempt}.json"
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found

    def news(self) -> set[str]:
        folder = self.root / "news"
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    def copied(self) -> Nodes:
        """The folder as it is now, elsewhere: for one fault."""
        copy = self.run_dir.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.run_dir, copy, symlinks=True)
        return Nodes(copy, self.plan, copy / "output")

    def assert_in_place(self, job: int) -> None:
        """The outputs that were handed over are in their places, as they were recorded."""
        handed = self.handed(job)
        assert handed is not None
        record = self.record(job, handed["attempt"])
        assert [output["sha256"] for output in handed["outputs"]] == [
            output["sha256"] for output in record["outputs"] if output["sha256"]
        ]
        for output in handed["outputs"]:
            place = self.run_dir / output["place"]
            content = place.read_bytes() if place.is_file() else manifest(place)
            assert sha256(content) == output["sha256"], output
            assert os.lstat(place).st_ino == output["stat"]["inode"]


def manifest(folder: Path) -> bytes:
    """Of which a folder's digest is (docs/formats/invocation.md); for folders without empty ones and odd names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (f"{sha256(path.read_bytes())}  {path.relative_to(folder)}\0".encode() for path in files)
    return b"pirene-folder/1\0" + b"".join(sorted(lines, key=lambda line: line[66:]))


@pytest.fixture
def nodes(world: Any) -> Callable[..., Nodes]:
    """Plans a workflow (jobs as `world.write` takes them) and writes the folder that HTCondor works from."""

    def make(*jobs: dict[str, Any], **options: Any) -> Nodes:
        world.tool(TOOL)
        planned = world.plan(world.write(jobs), engine="htcondor", **options)
        plan = world.freeze(planned)
        write_pool_folder(plan, PoolFolder.of(plan.run_dir))
        return Nodes(plan.run_dir, plan, plan.output_dir)

    return make


def chain() -> list[dict[str, Any]]:
    """Two jobs: a file and a folder, then one that reads both."""
    return [
        {"id": "a", "arguments": ["f", "d"], "out": ["f", {"lfn": "d", "type": "output", "stageOut": False}]},
        {"id": "b", "arguments": ["g", "-", "f", "d/x"], "in": ["f", "d"], "out": ["g"]},
    ]


def test_a_chain_is_handed_over(nodes) -> None:
    run = nodes(*chain())
    assert run.done(1) == YES
    run.assert_in_place(1)
    assert run.news() == {"1-1"} and not run.node(1).exists()
    assert run.pre(2) == YES
    inputs = {entry["name"]: entry for entry in run.description(2)["inputs"] if entry["role"] != "executable"}
    handed = run.handed(1)
    assert {name: entry["sha256"] for name, entry in inputs.items()} == {
        output["name"]: output["sha256"] for output in handed["outputs"]
    }
    for position, name in enumerate(("f", "d")):
        entry = inputs[name]
        assert (entry["source"], entry["file"]) == (run.plan.run, produced_file(1, 1, position))
        assert (entry["digest_origin"], entry["url"]) == ("produced", None)
    assert inputs["f"]["size"] == 5
    digests = {name: bytes.fromhex(entry["sha256"]) for name, entry in inputs.items()}
    assert run.description(2)["reuse_key"] == run.plan.jobs[1].key(digests).hex()
    assert run.post(2, run.work(2)) == YES
    assert run.record(2, 1)["status"] == "succeeded"
    assert (run.output_dir / "g").read_text() == "made\nmade\nx\n"
    assert (run.run_dir / "intermediate/1/d/below/copy").read_text() == "made\n"


def test_post_again_says_yes_again(nodes) -> None:
    run = nodes(*chain())
    run.done(1)

    def written() -> dict[Path, tuple[int, int, int]]:
        found = {path: path.lstat() for path in run.run_dir.rglob("*") if path.name != "news"}
        return {path: (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in found.items()}

    before = written()
    (run.root / "news" / "1-1").unlink()
    assert run.post(1, 0) == YES
    assert run.news() == {"1-1"}  # who was to read it may not have come to it
    new = run.root / "news" / "1-1"
    assert {**written(), new: before[new]} == before


def test_another_attempt_takes_back_what_was_handed_over(nodes) -> None:
    run = nodes(*chain())
    run.done(1)
    kept = run.handed(1)
    assert run.done(1) == YES
    assert (kept["attempt"], run.handed(1)["attempt"]) == (1, 2)
    run.assert_in_place(1)
    assert run.pre(1) == YES and run.handed(1) is None
    assert run.description(1)["attempt"] == 3


def test_a_new_folder_replaces_an_older_one_whole(nodes, world) -> None:
    run = nodes(*chain())
    run.done(1)
    place = run.run_dir / "intermediate" / "1" / "d"
    (place / "left over").write_text("of an earlier attempt")
    run.done(1)
    assert sorted(path.name for path in place.rglob("*")) == ["below", "copy", "x"]


def test_a_file_in_the_place_of_a_folder_and_the_other_way_round(nodes) -> None:
    run = nodes(*chain())
    (run.run_dir / "intermediate" / "1").mkdir(parents=True)
    (run.run_dir / "intermediate" / "1" / "d").write_text("no folder")
    assert run.done(1) == YES
    run.assert_in_place(1)
    run = run.copied()
    (run.output_dir / "f").unlink()
    (run.output_dir / "f").mkdir()
    (run.output_dir / "f" / "somebody's").write_text("precious")
    assert run.done(1) == NEVER
    assert (run.output_dir / "f" / "somebody's").read_text() == "precious"
    assert "a folder is in the way at" in run.refused(1, 2)["reason"]


def test_an_optional_output_that_was_not_made(nodes) -> None:
    optional = {"lfn": "d", "type": "output", "optional": True}
    run = nodes(
        {"id": "a", "arguments": ["f", "-"], "out": ["f", optional]},
        {"id": "can", "arguments": ["g", "-"], "in": [{"lfn": "d", "type": "input", "optional": True}], "out": ["g"]},
        {"id": "cannot", "arguments": ["h", "-"], "in": ["d"], "out": ["h"]},
    )
    assert run.done(1) == YES
    assert [output["name"] for output in run.handed(1)["outputs"]] == ["f"]
    assert run.pre(2) == YES
    assert run.pre(3) == NEVER
    assert run.refused(3, 1) == {
        "job": 3,
        "attempt": 1,
        "started": False,
        "retry": False,
        "reason": "its input d was not made: it is optional for the job that makes it",
        "altered": None,
    }
    assert "3-1" in run.news()


def altered(path: Path, content: bytes | None) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def test_what_comes_back_altered_is_refused(nodes) -> None:
    """And is not brought to any place, nor handed over; the same attempt may be looked at again."""
    first = nodes(*chain())
    assert first.pre(1) == YES and first.work(1) == 0
    record = (first.node(1) / "out" / "record.json").read_bytes()
    digest = (first.node(1) / "out" / "record.json.sha256").read_bytes()

    def other(**values: Any) -> bytes:
        return json.dumps({**json.loads(record), **values}).encode()

    cases: list[tuple[dict[str, bytes | None], int, str]] = [
        ({"0": b"mad\xe5\n"}, NO, "0 is not as the worker recorded it: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"),
        ({"0": None}, NO, "0 did not arrive"),
        ({"1/x": b"y\n"}, NO, "1 is not as the worker recorded it"),
        ({"1/below/copy": None}, NO, "1 is not as the worker recorded it"),
        ({"1/more": b"?"}, NO, "1 is not as the worker recorded it"),
        ({"record.json": record[:-10]}, NO, "its record was altered on its way back: expected sha256 "),
        ({"record.json": bytes([record[0] ^ 1]) + record[1:]}, NO, "its record was altered on its way back"),
        ({"record.json.sha256": bytes([digest[0] ^ 1]) + digest[1:]}, NO, "its record was altered on its way back"),
        ({"record.json": None}, NO, "no record came back: the job ended with exit code 0"),
        ({"record.json.sha256": None}, NO, "no record came back"),
        ({"record.json": other(attempt=2)}, NEVER, "its record cannot be believed: attempt: expected 1, found 2"),
        ({"record.json": other(job=2)}, NEVER, "job: expected 1, found 2"),
        ({"record.json": other(run_id="another")}, NEVER, "run_id: expected '[0-9a-f-]{36}', found 'another'"),
        ({"record.json": other(schema="pirene.invocation/9")}, NEVER, "schema: expected 'pirene.invocation/1'"),
        ({"record.json": other(status="fine")}, NEVER, "status: found 'fine'"),
        ({"record.json": other(outputs=[])}, NEVER, r"outputs: expected \['f', 'd'\], found \[\]"),
        ({"record.json": b"[]"}, NEVER, "its record cannot be believed: TypeError"),
        ({"record.json": b"{}"}, NEVER, "its record cannot be believed: KeyError: 'schema'"),
        ({"record.json": b"\xff"}, NEVER, "its record cannot be believed: UnicodeDecodeError"),
        ({"record.json": b'{"schema":'}, NEVER, "its record cannot be believed: JSONDecodeError"),
    ]  # fmt: skip
    for changes, code, pattern in cases:
        run = first.copied()
        for name, content in changes.items():
            altered_file = run.node(1) / "out" / name
            if name == "1/more":
                altered_file.write_bytes(b"?")
                continue
            altered(altered_file, content)
            if code == NEVER and content is not None:  # as the worker sent it
                (run.node(1) / "out" / "record.json.sha256").write_text(sha256(content) + "\n")
        assert run.post(1, 0) == code, changes
        refusal = run.refused(1, 1)
        assert re.search(pattern, refusal["reason"]), (changes, refusal)
        assert (refusal["started"], refusal["retry"]) == (True, code == NO)
        assert run.news() == {"1-1"} and run.handed(1) is None
        assert not (run.run_dir / "intermediate" / "1" / "d").exists()
        assert run.post(1, 0) == code and run.refused(1, 1) == refusal
        assert run.done(1) == YES and run.handed(1)["attempt"] == 2
        run.assert_in_place(1)


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def places_in_the_wrapper(archive: Path) -> list[int]:
    """Bits of byte code that decides whether an input is as expected, of its source, and of the archive's own tables."""
    data = archive.read_bytes()
    with zipfile.ZipFile(archive) as parts:
        loaded = parts.read("integrity/wrapper/verification.pyc")
    names = {code.co_name: code for code in marshal.loads(loaded[16:]).co_consts if hasattr(code, "co_name")}
    start = data.index(names["classify"].co_code)
    compared = [each.offset for each in dis.get_instructions(names["classify"]) if each.opname.startswith("POP_JUMP")]
    return [8 * (start + offset) for offset in compared] + [
        8 * place for place in (0, 40, len(data) // 2, len(data) - 9)
    ]


def test_a_wrapper_that_did_not_arrive_as_it_was_sent_does_not_start(nodes) -> None:
    """Python would load it: the record would state a verification that the flipped bit has turned around."""
    run = nodes(*chain())
    assert run.pre(1) == YES
    for bit in places_in_the_wrapper(run.root / "kickstart.pyz"):
        shutil.rmtree(run.node(1) / "out", ignore_errors=True)
        returned = run.work(1, lambda scratch, bit=bit: flip(scratch / "kickstart.pyz", bit))
        assert returned == 65 and not any((run.node(1) / "out").iterdir()), bit
    assert run.post(1, returned) == NEVER
    refusal = run.refused(1, 1)
    assert (refusal["altered"], refusal["started"], refusal["retry"]) == ("kickstart.pyz", True, False)
    assert refusal["reason"].startswith("kickstart.pyz did not reach the worker as it was sent: its sha256 is another")
    assert "sha256sum: WARNING: 1 computed checksum did NOT match" in refusal["reason"]
    assert run.done(1) == YES and run.handed(1)["attempt"] == 2


def test_a_description_that_did_not_arrive_as_it_was_sent_does_not_start(nodes) -> None:
    """What it is compared with is sent beside it, and may be altered as well."""
    run = nodes(*chain())
    assert run.pre(1) == YES
    bits = 8 * (run.node(1) / "in" / "job.json").stat().st_size
    damages = [lambda scratch, bit=bit: flip(scratch / "job.json", bit) for bit in range(0, bits, bits // 7)]
    digest = (run.node(1) / "in" / "job.json.sha256").stat().st_size  # bit 5 makes capitals, which mean the same
    damages += [lambda scratch, at=at: flip(scratch / "job.json.sha256", 8 * at + at % 5) for at in range(0, digest, 9)]
    damages += [lambda scratch: (scratch / "job.json.sha256").unlink()]
    damages += [lambda scratch: (scratch / "job.json.sha256").write_bytes(b"")]
    for number, damage in enumerate(damages):
        shutil.rmtree(run.node(1) / "out", ignore_errors=True)
        assert run.work(1, damage) == 66 and not any((run.node(1) / "out").iterdir()), number
    assert run.post(1, 66) == NEVER
    assert run.refused(1, 1)["altered"] == "job.json"


def test_what_is_fixed_of_a_job_must_be_as_it_was_planned(nodes) -> None:
    run = nodes(*chain())
    lines = run.root / "nodes.jsonl"
    start = int(lines.read_bytes()[:19])
    end = lines.read_bytes().index(b"\n", start)
    bits = [*range(0, 8 * 84, 131), *range(8 * start, 8 * end, 8 * (end - start) // 5)]
    for attempt, bit in enumerate(bits, start=1):
        flip(lines, bit)
        assert run.pre(1) == NEVER, bit
        refusal = run.refused(1, attempt)
        assert re.match(
            r"nodes\.jsonl was altered since the run was planned: expected for job 1 the sha256 ", refusal["reason"]
        )
        assert (refusal["started"], refusal["retry"]) == (False, False)
        flip(lines, bit)
    assert run.done(1) == YES


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (2, "the wrapper could not use its description (see its stderr)"),
        (4, "the wrapper could not write its record (is the worker's disk full?)"),
        (126, "python3 of the worker cannot be run"),
        (127, "the worker has no python3 along its PATH"),
        (9, "the job ended with exit code 9"),
        (-9, "the wrapper was ended by signal 9"),
        (-1001, "HTCondor did not take the job (see run.dag.dagman.out)"),
        (-1002, "HTCondor removed the job"),
    ],
)
def test_a_job_without_a_record_says_how_it_ended(nodes, returned, reason) -> None:
    run = nodes(*chain())
    assert run.pre(1) == YES
    assert run.post(1, returned) == NO
    assert run.refused(1, 1)["reason"] == f"no record came back: {reason}"


def test_what_the_wrapper_said_last_is_part_of_the_reason(nodes) -> None:
    run = nodes(*chain())
    assert run.pre(1) == YES
    (run.node(1) / "stderr").write_bytes(b"something\n" * 999 + b"Traceback\nIt went \xff wrong\n\n")
    assert run.post(1, 1) == NO
    assert run.refused(1, 1)["reason"] == (
        "no record came back: the job ended with exit code 1; its stderr ends: It went \\xff wrong"
    )


def test_a_worker_that_cannot_make_the_folders_says_so(nodes) -> None:
    """A dash that cannot enter a folder ends with 2, as the wrapper does that cannot use its description."""
    run = nodes(*chain())
    assert run.pre(1) == YES

    def in_the_way(scratch: Path) -> None:
        shutil.rmtree(scratch / "work")
        (scratch / "work").write_text("no folder")

    assert run.work(1, in_the_way) == 73
    assert run.post(1, 73) == NO
    reason = "no record came back: the worker could not make the folders to run in .*; its stderr ends: .*mkdir.*work"
    assert re.search(reason, run.refused(1, 1)["reason"])
    assert run.done(1) == YES


def test_failures_that_are_on_record(nodes) -> None:
    """What the record says needs no refusal. Trying again does not help where an input was not what it must be."""
    run = nodes({"id": "a", "arguments": ["/nowhere/f", "-"], "out": ["f"]})
    assert run.done(1) == NO
    assert run.record(1, 1)["status"] == "failed" and not (run.root / "refused").exists()
    assert run.news() == {"1-1"}
    run = nodes(*chain())
    run.done(1)
    (run.output_dir / "f").write_text("mad!\n")
    assert run.done(2) == NEVER
    assert run.record(2, 1)["status"] == "integrity_failed" and run.handed(2) is None


def test_numbers_of_attempts_are_never_used_again(nodes) -> None:
    run = nodes(*chain())
    assert [run.pre(1) or run.description(1)["attempt"] for _ in range(3)] == [1, 2, 3]  # nothing is known of them
    run.post(1, 1)  # a refusal
    assert run.pre(1) == YES and run.description(1)["attempt"] == 4
    run.post(1, run.work(1))  # a record
    for path in (run.root / "refused" / "0").iterdir():
        path.unlink()
    assert run.pre(1) == YES and run.description(1)["attempt"] == 5
    (run.run_dir / "records" / "0" / "12-99.json").write_text("another job's")
    (run.run_dir / "records" / "0" / "1-99.json.lock").write_text("no record")
    assert run.pre(1) == YES and run.description(1)["attempt"] == 6


def test_a_job_that_was_given_up_is_not_run(nodes) -> None:
    run = nodes(*chain())
    PoolFolder(run.root).give_up([1])
    assert run.pre(1) == NEVER
    assert not run.node(1).exists() and run.news() == set()
    PoolFolder(run.root).give_up([])
    assert run.pre(1) == YES


def test_an_input_that_is_gone_is_left_to_the_wrapper(nodes, world) -> None:
    world.raw("r", "raw")
    run = nodes({"id": "a", "arguments": ["f", "-", "r"], "in": ["r"], "out": ["f"]})
    (world.folder / "input" / "r").unlink()
    assert run.done(1) == NEVER
    (check,) = [entry for entry in run.record(1, 1)["inputs"] if entry["name"] == "r"]
    assert (run.record(1, 1)["status"], check["verdict"]) == ("integrity_failed", "missing")


# --- Names -----------------------------------------------------------------------------------------------------------

ODD = ["a b", "q'\"q", "new\nline", "tab\tab", "grüße/ünter", "日本", "$HOME", "-rf", "record.json", "job.json", "in",
       "out", "0", "kickstart.pyz", "*", "back\\slash", "%s%d", "deep/er/and/deeper", "~", "\udcff\udcfe", "a;b&c|d"]  # fmt: skip


def test_another_copy_of_a_raw_input_is_laid_out(nodes, world) -> None:
    """What the engine says of copies is asked for each attempt."""
    first = world.raw("a", "raw")
    second = first.with_name("second")
    second.write_text("raw")
    run = nodes({"id": "reads", "arguments": ["o", "-", "a"], "in": ["a"], "out": ["o"]})
    first.write_text("bad")
    assert run.pre(1) == YES
    assert (run.node(1) / "in" / "work" / "a").read_text() == "bad"
    PoolFolder(run.root).read_instead({instead_key(None, "a"): str(second)})
    assert run.pre(1) == YES
    assert (run.node(1) / "in" / "work" / "a").read_text() == "raw"
    assert run.work(1) == 0 and run.post(1) == YES


def test_names_of_every_kind(nodes) -> None:
    outputs = [name for name in ODD if "\udcff" not in name]  # a workflow file is Unicode
    run = nodes(
        *({"id": f"make {name}", "arguments": [name, "-"], "out": [name]} for name in outputs if "/" not in name),
        {"id": "read", "arguments": ["all", "-", *[f"./{name}" for name in outputs if "/" not in name]],
         "in": [name for name in outputs if "/" not in name], "out": ["all"]},
    )  # fmt: skip
    for job in run.plan.jobs:
        assert run.done(job.number) == YES, job.id
        run.assert_in_place(job.number)
    assert (run.output_dir / "all").read_text() == "made\n" * len(run.plan.jobs)


# --- Interrupted and disturbed ---------------------------------------------------------------------------------------


def changes(run: Nodes, *words: str) -> Iterator[tuple[str, int]]:
    """(call, its number) of every call that a step makes to change something below the run folder."""
    copy = run.copied()
    log = run.run_dir.with_name("strace.log")
    ended = copy.step(*words, before=["strace", "-y", "-o", str(log), "-e", f"trace={','.join(CHANGING)}"])
    assert ended.returncode == YES, ended
    numbers: dict[str, int] = {}
    for line in log.read_text().splitlines():
        call, _, rest = line.partition("(")
        numbers[call] = numbers.get(call, 0) + 1
        reading = call == "openat" and "O_WRONLY" not in rest and "O_RDWR" not in rest
        if str(copy.run_dir) in rest and not reading:
            yield call, numbers[call]


def injected(run: Nodes, call: str, number: int, what: str, *words: str) -> subprocess.CompletedProcess[str]:
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:{what}:when={number}"]
    return run.step(*words, before=["strace", "-o", "/dev/null", *inject])


@pytest.fixture
def came_back(nodes) -> Nodes:
    """A job whose second attempt has come back; of the first one all is in its place, and shall be replaced."""
    run = nodes(*chain())
    assert run.done(1) == YES and run.pre(1) == YES and run.work(1) == 0
    return run


def test_post_killed_at_any_change_is_completed_by_the_next(came_back) -> None:
    points = list(changes(came_back, "post", "1", "0"))
    for call, number in points:
        run = came_back.copied()
        killed = injected(run, call, number, "signal=KILL", "post", "1", "0")
        assert killed.returncode == -9, (call, number, killed)
        if run.handed(1) is not None:
            run.assert_in_place(1)
        assert run.post(1, 0) == YES, (call, number)
        run.assert_in_place(1)
        assert run.handed(1)["attempt"] == 2 and run.news() == {"1-1", "1-2"} and not run.node(1).exists()
        assert not (run.root / "refused").exists()
    print(f"killed at {len(points)} points: {sorted({call for call, _ in points})}")
    assert len(points) >= 20 and {"rename", "link", "fsync", "openat"} <= {call for call, _ in points}


def test_post_that_meets_an_error_at_any_change_never_says_yes_too_early(came_back) -> None:
    for call, number in changes(came_back, "post", "1", "0"):
        if call in ("unlink", "unlinkat", "rmdir"):
            continue  # these clear up
        run = came_back.copied()
        ended = injected(run, call, number, "error=ENOSPC", "post", "1", "0")
        if ended.returncode == YES:
            run.assert_in_place(1)
        else:
            assert run.done(1) == YES  # there is space again
            run.assert_in_place(1)
            assert run.handed(1)["attempt"] == 3


def test_pre_killed_at_any_change_is_completed_by_the_next(nodes, world) -> None:
    """The attempt that was there before is never begun again under its number."""
    world.raw("r", "raw")
    run = nodes(*chain(), {"id": "c", "arguments": ["h", "-", "f", "d/x", "r"], "in": ["f", "d", "r"], "out": ["h"]})
    assert run.done(1) == YES
    assert run.pre(3) == YES and run.work(3) == 0  # and nobody hears of it
    points = list(changes(run, "pre", "3"))
    for call, number in points:
        copy = run.copied()
        assert injected(copy, call, number, "signal=KILL", "pre", "3").returncode == -9
        assert copy.pre(3) == YES
        assert copy.description(3)["attempt"] >= 2, (call, number)
        assert not (copy.node(3) / "out").exists()
        assert copy.post(3, copy.work(3)) == YES
        copy.assert_in_place(3)
        assert (copy.output_dir / "h").read_text() == "made\nmade\nx\nraw"
    assert len(points) >= 12


def test_a_second_post_waits_for_the_first(came_back) -> None:
    """DAGMan, started again, repeats a step that may be still at work: killing DAGMan does not kill it."""
    points = [point for point in changes(came_back, "post", "1", "0") if point[0] in ("rename", "link", "rmdir")]
    for call, number in points:
        run = came_back.copied()
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=STOP:when={number}"]
        command = [sys.executable, "-I", "-S", "node_step.pyz", "post", "1", "0"]
        trace = run.root / "trace"
        with subprocess.Popen(["strace", "-o", str(trace), *inject, *command], cwd=run.root) as tracer:
            first = stopped_child_of(tracer, trace)
            with subprocess.Popen(command, cwd=run.root) as second:
                time.sleep(0.3)  # enough to come to an end, if it did not wait
                os.kill(first, signal.SIGCONT)
                assert [tracer.wait(timeout=30), second.wait(timeout=30)] == [YES, YES], (call, number)
        run.assert_in_place(1)
        assert not (run.root / "refused").exists() and not run.node(1).exists()
    assert len(points) >= 5


def stopped_child_of(tracer: subprocess.Popen[bytes], trace: Path) -> int:
    """The child that strace runs, as soon as a signal has stopped it.

    strace says so itself: /proc has one state for whom a signal stopped and who is being traced.
    """
    while not trace.exists() or "stopped by SIGSTOP" not in trace.read_text():
        assert tracer.poll() is None, "the command ended before it came to this call"
        time.sleep(0.01)
    return int(Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text())


def test_steps_of_different_nodes_at_once(nodes) -> None:
    run = nodes(*({"id": f"j{n}", "arguments": [f"f{n}", f"d{n}"], "out": [f"f{n}", f"d{n}"]} for n in range(8)))
    for job in run.plan.jobs:
        assert run.pre(job.number) == YES and run.work(job.number) == 0
    command = [sys.executable, "-I", "-S", "node_step.pyz", "post"]
    posts = [subprocess.Popen([*command, str(job.number), "0"], cwd=run.root) for job in run.plan.jobs]
    assert [post.wait(timeout=60) for post in posts] == [YES] * 8
    for job in run.plan.jobs:
        run.assert_in_place(job.number)
    assert len(run.news()) == 8


# --- Other file systems ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this needs root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_outputs_on_another_file_system(nodes, small_disk) -> None:
    run = nodes(
        {"id": "a", "arguments": ["f", "d"], "out": ["f", "d"]},
        {"id": "b", "arguments": ["g", "-", "f", "d/x"], "in": ["f", "d"], "out": ["g"]},
        output_dir=small_disk / "output",
    )
    for job in (1, 2, 1):  # the third time it replaces what is there
        assert run.done(job) == YES
        run.assert_in_place(job)
    assert sorted(path.name for path in (small_disk / "output").iterdir()) == ["d", "f", "g"]
    assert (small_disk / "output" / "g").read_text() == "made\nmade\nx\n"


@pytest.mark.parametrize("way", ["arrived", "copied"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_outputs_are_read_back_from_the_disk(tmp_path, monkeypatch, kind, way) -> None:
    """What HTCondor wrote, and what is copied from there to another file system."""
    arrived, place = tmp_path / "arrived", tmp_path / "place"
    if kind == "folder":
        (arrived / "below").mkdir(parents=True)
    (arrived / "below" / "x" if kind == "folder" else arrived).write_bytes(os.urandom(1 << 18))
    digest = sha256(manifest(arrived) if kind == "folder" else arrived.read_bytes())
    reads = FirstReads(monkeypatch)
    bring = take_output if way == "arrived" else copy_over
    bring(os.fsencode(arrived), os.fsencode(place), digest)
    assert list(reads.pages.values()) == [0]
    there = ["place"] if way == "arrived" else ["arrived", "place"]
    assert sorted(path.name for path in tmp_path.iterdir()) == there


def test_a_full_output_disk(nodes, small_disk) -> None:
    run = nodes({"id": "a", "arguments": ["f", "-"], "out": ["f"]}, output_dir=small_disk)
    (small_disk / "f").write_text("of an earlier run")
    with (small_disk / "rubbish").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)
    assert run.done(1) == NO
    assert re.search("its output f cannot be brought to .*: No space left", run.refused(1, 1)["reason"])
    assert sorted(path.name for path in small_disk.iterdir()) == ["f", "rubbish"]
    assert (small_disk / "f").read_text() == "of an earlier run"
    (small_disk / "rubbish").unlink()
    assert run.post(1, 0) == YES  # nothing was lost by the refusal: the output is still where it arrived
    assert run.handed(1)["attempt"] == 1
    run.assert_in_place(1)


def test_a_disk_that_is_too_full_for_a_folder_keeps_the_older_one(nodes, small_disk) -> None:
    run = nodes({"id": "a", "arguments": ["f", "d"], "out": ["f", "d"]}, output_dir=small_disk)
    (small_disk / "d").mkdir()
    (small_disk / "d" / "older").write_text("of an earlier run")
    (small_disk / "f").write_bytes(b"x" * 4096)
    with (small_disk / "rubbish").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)
    (small_disk / "f").unlink()  # one block, for that file
    assert run.done(1) == NO
    reason = run.refused(1, 1)["reason"]
    assert re.fullmatch(r"its output d cannot be brought to .*/d: \[Errno 28\] No space left on device.*", reason), (
        reason
    )
    assert [path.name for path in (small_disk / "d").iterdir()] == ["older"]
    assert sorted(path.name for path in small_disk.iterdir()) == ["d", "f", "rubbish"]
    (small_disk / "rubbish").unlink()
    assert run.post(1, 0) == YES
    run.assert_in_place(1)


# --- What must be the same as elsewhere ------------------------------------------------------------------------------

digests = st.binary(min_size=32, max_size=32)
texts = st.text(st.characters(exclude_categories=()), max_size=5)


@given(
    executable=digests,
    arguments=st.lists(texts, max_size=3),
    environment=st.dictionaries(texts, texts, max_size=2),
    inputs=st.dictionaries(texts, digests, max_size=4),
    checkpoints=st.dictionaries(texts, digests, max_size=1),
    outputs=st.lists(texts, max_size=3),
    salt=texts,
)
def test_the_reuse_key_is_that_of_the_planner(
    executable, arguments, environment, inputs, checkpoints, outputs, salt
) -> None:
    fields = {
        "executable_sha256": executable,
        "container_sha256": None,
        "arguments": arguments,
        "streams": (None, "o", None),
        "environment": environment,
        "outputs": outputs,
        "salt": salt,
    }
    before, after = around_inputs(**fields)
    entries = [{"name": name, "sha256": digest.hex(), "role": "input"} for name, digest in inputs.items()]
    entries += [{"name": name, "sha256": digest.hex(), "role": "checkpoint"} for name, digest in checkpoints.items()]
    key = {"before": before.hex(), "after": after.hex()}
    assert key_of_inputs(key, entries) == reuse_key(**fields, inputs=inputs).hex()
    assert key_of_inputs(None, entries) is None
    assert key_of_inputs(key, [*entries, {"name": "?", "sha256": None, "role": "input"}]) is None


@given(job=st.integers(1, MAX_JOBS), attempt=st.integers(1, MAX_ATTEMPTS), position=st.integers(0, MAX_OUTPUTS))
def test_ordinals_of_produced_files_are_those_of_the_store(job, attempt, position) -> None:
    output = {"name": "f", "sha256": "00", "position": position, "place": "output/f", "stat": {"size": 3}}
    use = {"entry": {"name": "f", "optional": False}, "producer": job, "from": None}
    handed = {"job": job, "attempt": attempt, "outputs": [output]}
    found = find_produced(Pool(b"/run/pool"), {"run": -5}, use, handed)
    assert found is not None and found[0] == b"/run/output/f"
    assert (found[1]["source"], found[1]["file"]) == (-5, produced_file(job, attempt, position))
