"""Every fault at every point of the pipeline is noticed, and called what it is; and nothing good is ever called bad.

In full with PIRENE_TEST_CHAOS=100 (trials of each fault at each point; a thousand clean verifications for each): see
`make chaos`.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from integrity.audit import Expectation, audit
from integrity.faults import Fault, Surroundings
from planner.chaos.bench import Bench
from planner.chaos.experiments import KeptOff, Noticed, Specimen, experiment
from planner.chaos.points import Point
from planner.chaos.specimens import Specimens
from planner.chaos.trials import Trial, summed_up, trials

COUNT = int(os.environ.get("PIRENE_TEST_CHAOS", "1"))
CLEAN = 1_000 * COUNT
ODD_NAMES = ("a b", "-rf", "new\nline", "quo'te\"", "tab\t", "\udcff\udc80", "né☃", ".hidden", "$HOME", "*", "x" * 200)
OTHER = b"the content of another file that is valid, " * 40
EARLIER = b"what the file of this name held before, " * 40


def contents() -> Iterator[tuple[str, bytes]]:
    """Text, noise, mostly nothing, and little of anything."""
    chance = random.Random(6)
    yield "text.csv", b"".join(b"%d,%.6f\n" % (row, row**0.5) for row in range(4_000))
    yield "noise.dat", chance.randbytes(70_001)
    yield "sparse.dat", bytes(20_000) + b"something" + bytes(20_000)
    yield "short.txt", b"42 ok\n"
    yield "byte", b"\x01"
    yield "zeros", bytes(9_000)
    yield "empty.flag", b""


SPECIMENS = [Specimen(name, data, Surroundings(OTHER, EARLIER)) for name, data in contents()]


def what_it_is(good: bytes, bad: bytes) -> str:
    """The class, from the bytes alone."""
    if bad == EARLIER:
        return "stale"
    if bad == OTHER:
        return "swapped"
    if bad.startswith(good):
        return "appended"
    return "truncated" if len(bad) < len(good) else "content-mismatch"


NOTICED_AT = {
    "replica": "pre-exec",
    "after-stage-in": "pre-exec",
    "before-exec": "post-exec",
    "between-jobs": "pre-exec",
    "during-job": "post-exec",
    "before-stage-out": "stage-out",
    "staged-out": "pre-exec",
    "at-rest": "audit",
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    chance = random.Random(20261123)
    return list(trials(Specimens(SPECIMENS, SPECIMENS), COUNT, chance, tmp_path_factory.mktemp("matrix")))


@pytest.mark.timeout(3600)
def test_every_fault_at_every_point_is_noticed_where_it_must_be_and_called_what_it_is(done: list[Trial]) -> None:
    levels = {
        point: ["guard"] if point in ("before-stage-out", "at-rest") else ["guard", "copy", "seal"] for point in Point
    }
    wanted = Counter({(point, level, fault): COUNT for point in Point for level in levels[point] for fault in Fault})
    assert Counter((trial.point, trial.level, trial.fault) for trial in done) == wanted
    for trial in done:
        which = (trial.point, trial.level, trial.fault, trial.specimen.name)
        assert trial.bad != trial.specimen.data
        if trial.level == "seal" and trial.point in (Point.BEFORE_EXEC, Point.DURING_JOB):
            # Cutting sealed memory to the length that it has, nothing, moves its times: that is noticed, and no bytes did.
            touched = isinstance(trial.came, Noticed) and not trial.specimen.data and trial.came.stage == "post-exec"
            assert isinstance(trial.came, KeptOff) or touched, which
            continue
        assert isinstance(trial.came, Noticed), which
        assert trial.came.stage == NOTICED_AT[trial.point], which
        assert trial.came.finding == what_it_is(trial.specimen.data, trial.bad), which


def test_the_sum_has_every_kind_once(done: list[Trial]) -> None:
    outcomes = summed_up(iter(done))
    assert len(outcomes) == (len(Point) + 2 * 6) * len(Fault)
    assert {outcome.tried for outcome in outcomes} == {COUNT}
    assert all(outcome.missed == () for outcome in outcomes)
    assert {outcome.document()["detected"] for outcome in outcomes if outcome.level != "seal"} == {COUNT}
    for outcome in outcomes:
        document = outcome.document()
        assert document["detected"] == COUNT - outcome.kept_off == sum(count for _, count in outcome.findings)
    kept_off = {(outcome.level, outcome.point) for outcome in outcomes if outcome.kept_off}
    assert kept_off == {("seal", Point.BEFORE_EXEC), ("seal", Point.DURING_JOB)}


@pytest.mark.parametrize("point", [point for point in Point if point is not Point.AT_REST])
def test_a_job_that_does_not_look_is_told_from_one_that_does(tmp_path: Path, point: Point) -> None:
    """The matrix can fail: where the wrapper is told to expect what is bad, nobody notices it at the points before."""
    good = Specimen("good", b"good bytes", Surroundings(OTHER, EARLIER))
    with Bench(tmp_path) as bench:
        record = bench.attempt(tmp_path / "w", _file(tmp_path / "f", b"bad bytes!"), _sha(b"bad bytes!"), 10)
        assert record["status"] == "succeeded"
        assert isinstance(experiment(bench, point, "guard", good, b"bad bytes!"), Noticed)


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class _Nobody:
    def names(self, sha256: bytes) -> Collection[str]:
        return []


def _sha256sum(path: Path) -> bytes:
    """By another program."""
    answer = subprocess.run(["sha256sum", "-z", "--", path], check=True, capture_output=True).stdout
    return bytes.fromhex(answer[:64].decode("ascii"))


def _expectation(path: Path, sha256: bytes) -> Expectation:
    return Expectation(path.name, f"file://{path.name!r}", path, sha256, path.stat().st_size)


@pytest.mark.timeout(3600)
def test_good_files_are_never_called_bad(tmp_path: Path) -> None:
    chance = random.Random(7)
    sizes = (0, 1, 511, 512, 4095, 4096, 4097, 262_143, 262_144, 262_145)
    files: list[tuple[Path, bytes]] = []
    for number in range(min(CLEAN, 2_000)):
        name = f"{ODD_NAMES[number % len(ODD_NAMES)][:200]}{number}"
        data = chance.randbytes(sizes[number % len(sizes)])
        files.append((_file(tmp_path / name, data), _sha(data)))
    expectations = [_expectation(path, sha256) for path, sha256 in files]
    seen = 0
    while seen < CLEAN:
        for check in audit(expectations, _Nobody()):
            assert (check.verdict, check.finding) == ("ok", None), check.expectation.name
            seen += 1


@pytest.mark.timeout(3600)
def test_sparse_and_large_files_are_never_called_bad(tmp_path: Path) -> None:
    """More than 4 GiB in full, where sizes no longer fit into 32 bits."""
    size = (4 << 30) + 4_097 if COUNT >= 100 else (64 << 20) + 4_097
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"begin")
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    assert path.stat().st_blocks * 512 < 1 << 20
    expected = _sha256sum(path)
    (check,) = audit([_expectation(path, expected)], _Nobody())
    assert (check.verdict, check.stat.size if check.stat else None) == ("ok", size)
    with Bench(tmp_path) as bench:
        record = bench.attempt(
            tmp_path / "job", path, expected, size, argv=["cp", "--sparse=always", "input", "output"]
        )
    assert (record["status"], record["outputs"][0]["sha256"]) == ("succeeded", expected.hex())
