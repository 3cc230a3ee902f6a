"""Inputs that do not match: what the local engine does about each, and what it says of it.

Jobs are lines of shell. What is damaged is damaged by one bit, when the outputs of a job have just been brought to
their places or before the run; the wrapper is the real one, in processes of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from planner.engine_plan import EnginePlan
from planner.engines.hand_over import HandOver
from planner.engines.local import run_local
from planner.engines.progress import Progress, Watch
from planner.engines.recovery import Recovery
from planner.plan_folder import read_plan
from planner.planned import Plan
from provenance.answers.ask import answer
from provenance.reading.views import fetch


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


@dataclass
class Bench:
    """A world whose jobs are lines of shell, and the local engine, in this process."""

    world: Any
    monkeypatch: pytest.MonkeyPatch
    notes: list[str] = field(default_factory=list)

    def run(self, jobs: list[dict[str, Any]], **options: Any) -> tuple[str, Plan]:
        """Plan and run; the state of the run in the end."""
        plan = self.world.plan(self.world.write(jobs), **options)
        return self._work(self.world.freeze(plan)), plan

    def take_up(self, plan: Plan) -> str:
        """Run what is left of a run; its state in the end."""
        return self._work(read_plan(plan.run_dir))

    def _work(self, frozen: EnginePlan) -> str:
        watch = Watch(progress=lambda *_: None, note=self.notes.append)
        return run_local(frozen, self.world.store, at_once=1, watch=watch)

    def damage_outputs(self, job: str, *, times: int) -> None:
        """Flip a bit in every output of a job in its place, after each of so many attempts."""
        accept, left = HandOver.accept, [times]

        def damaging(self: HandOver, accepted: Any, record: Any) -> None:
            accept(self, accepted, record)
            if accepted.id == job and left[0]:
                left[0] -= 1
                for (number, _), made in self._made.items():
                    if number == accepted.number:
                        flip_bit(made.path)

        self.monkeypatch.setattr(HandOver, "accept", damaging)

    def asked(self, query: str) -> list[dict[str, Any]]:
        found = answer(self.world.store, query)
        names = [column.name for column in found.columns]
        return [dict(zip(names, row, strict=True)) for row in found.rows()]

    def job_states(self) -> list[tuple[str, str, str]]:
        """(job, state, reason) of all that was said of jobs, in order."""
        sql = """SELECT j.id, s.state, s.reason FROM job_states_in_order s JOIN jobs j ON j.run = s.run AND j.job = s.job
            WHERE s.reason IS NOT NULL AND s.state <> 'ended' ORDER BY s.commit_order, s."at" """
        return [tuple(row) for row in fetch(self.world.store, sql)]

    def checks(self, name: str) -> list[tuple[str, str | None, str]]:
        """(stage, finding, url) of all looks at a file, in order."""
        sql = 'SELECT stage, finding, url FROM checks WHERE name = $1 ORDER BY "at"'
        return [tuple(row) for row in fetch(self.world.store, sql, [name])]

    def attempts(self) -> dict[str, tuple[str, int]]:
        rows = self.asked("jobs show id, status, attempts")
        return {row["id"]: (row["status"], row["attempts"]) for row in rows}


@pytest.fixture
def bench(world: Any, monkeypatch: pytest.MonkeyPatch) -> Bench:
    world.tool('#!/bin/sh\nexec /bin/sh -ec "$1"\n')
    return Bench(world, monkeypatch)


def shell(id_: str, line: str, *, reads: tuple[str, ...] = (), makes: tuple[str, ...] = (), **rest: Any) -> Any:
    return {"id": id_, "arguments": [line], "in": list(reads), "out": list(makes), **rest}


def two_copies(bench: Bench, content: str = "raw data\n") -> tuple[Path, Path]:
    """A raw input `a` with two copies in the catalog, and no declared digest."""
    first = bench.world.raw("a", content)
    second = first.with_name("a.second")
    second.write_text(content)
    bench.world.catalog["a"]["pfns"].append({"site": "archive", "pfn": str(second)})
    return first, second


READ = shell("read", "cat a > r", reads=("a",), makes=("r",))


def damage_after_planning(bench: Bench, path: Path) -> None:
    """The plan sees good bytes, the job does not."""
    freeze = bench.world.freeze

    def freezing(plan: Plan) -> Any:
        frozen = freeze(plan)
        flip_bit(path)
        return frozen

    bench.monkeypatch.setattr(bench.world, "freeze", freezing, raising=False)


def test_another_copy_of_a_raw_file_is_read(bench: Bench) -> None:
    first, second = two_copies(bench)
    damage_after_planning(bench, first)
    state, plan = bench.run([READ])
    assert state == "succeeded"
    assert bench.world.output(plan, "r").read_text() == "raw data\n"
    assert bench.attempts() == {"read": ("succeeded", 2)}
    assert bench.checks("a") == [
        ("pre-exec", "content-mismatch", first.as_uri()),
        ("stage-in", None, second.as_uri()),
        ("pre-exec", None, second.as_uri()),
    ]
    states = {row["url"]: row["state"] for row in bench.asked('replicas where name = "a" show url, state')}
    assert states == {first.as_uri(): "quarantined", second.as_uri(): "ok"}
    ((job, _, reason),) = bench.job_states()
    assert (job, reason) == ("read", f"its input a is no good at {first}: the copy at {second} is read instead")
    assert any(reason in note for note in bench.notes)


@pytest.mark.parametrize("worse", ["damaged", "missing"])
def test_every_copy_is_tried_once_and_then_the_job_fails(bench: Bench, worse: str) -> None:
    first, second = two_copies(bench)
    flip_bit(second) if worse == "damaged" else second.unlink()
    damage_after_planning(bench, first)
    state, _ = bench.run([READ])
    assert state == "failed"
    assert bench.attempts() == {"read": ("integrity_failed", 1)}
    ((job, _, reason),) = bench.job_states()
    assert job == "read" and "no other copy of it is left" in reason and "no job of this run makes it" in reason
    looked_at = {url for _, finding, url in bench.checks("a") if finding}
    assert looked_at == {first.as_uri(), *([second.as_uri()] if worse == "damaged" else [])}


MAKE = shell("make", "echo made >> $JOURNAL; echo made | tee m n", makes=("m", "n"))
USE = shell("use", "cat m > u", reads=("m",), makes=("u",))


def with_journal(bench: Bench, job: dict[str, Any]) -> Path:
    """Every start of the job is a line of the journal."""
    journal: Path = bench.world.folder / "journal"
    job["profiles"] = {**job.get("profiles", {}), "env": {"JOURNAL": str(journal)}}
    return journal


def test_a_producer_runs_again_once(bench: Bench) -> None:
    make = dict(MAKE)
    journal = with_journal(bench, make)
    bench.damage_outputs("make", times=1)
    state, plan = bench.run([make, USE])
    assert state == "succeeded"
    assert bench.world.output(plan, "u").read_text() == "made\n"
    assert bench.attempts() == {"make": ("succeeded", 2), "use": ("succeeded", 2)}
    assert journal.read_text() == "made\n" * 2
    assert [job for job, _, _ in bench.job_states()] == ["use", "make"]
    # What was found bad was replaced by the second attempt's; both of its files are good.
    good = fetch(bench.world.store, "SELECT name, attempt FROM replica_rows WHERE state = 'ok' AND name <> 'u'")
    assert set(good) == {("m", 2), ("n", 2)}


def test_a_producer_whose_output_is_damaged_again_is_not_run_a_third_time(bench: Bench) -> None:
    make = dict(MAKE)
    journal = with_journal(bench, make)
    bench.damage_outputs("make", times=9)
    state, _ = bench.run([make, USE])
    assert state == "failed"
    assert bench.attempts() == {"make": ("succeeded", 2), "use": ("integrity_failed", 2)}
    assert journal.read_text() == "made\n" * 2
    assert "it is not made once more" in bench.job_states()[-1][2]


def test_a_producer_that_makes_other_bytes_is_said_so_and_its_readers_run_again(bench: Bench) -> None:
    """One reader is done with the former bytes when the other one finds them damaged."""
    make = shell("make", "echo made >> $JOURNAL; wc -l < $JOURNAL > m", makes=("m",))
    with_journal(bench, make)
    early = shell("early", "cat m > e; sleep 0", reads=("m",), makes=("e",))
    vandal = shell("vandal", "cat e > v; printf x > $VICTIM", reads=("e",), makes=("v",))
    late = shell("late", "cat m v > l", reads=("m", "v"), makes=("l",))
    output = bench.world.folder / "out"
    vandal["profiles"] = {"env": {"VICTIM": str(output / "m")}}
    state, _ = bench.run([make, early, vandal, late], output_dir=output)
    assert state == "failed"  # the vandal, which depends on what changed, spoils it once more
    assert (output / "e").read_text() == "2\n"
    why = "make made another m this time: it is not deterministic"
    assert ("make", "nondeterministic", why) in bench.job_states() and ("early", "submitted", why) in bench.job_states()
    assert why in bench.notes


def test_a_copy_of_an_earlier_run_takes_the_place_of_a_damaged_output(bench: Bench) -> None:
    """The same content is known elsewhere: nothing is made again, and the output is good in its place."""
    _, before = bench.run([MAKE | {"arguments": ["echo made | tee m n"]}, USE])
    bench.damage_outputs("make", times=1)
    state, plan = bench.run([MAKE | {"arguments": ["echo made | tee m n"]}, USE], reuse=False)
    assert state == "succeeded"
    place = bench.world.output(plan, "m")
    assert place.read_text() == "made\n" and not place.is_symlink()
    rows = bench.asked('jobs where id = "make" show attempts')
    assert [row["attempts"] for row in rows] == [1, 1]
    sql = "SELECT event FROM replicas WHERE url = $1"
    assert {"quarantined", "reinstated"} < {event for (event,) in fetch(bench.world.store, sql, [place.as_uri()])}
    (replica,) = [row for row in bench.asked("replicas show url, state") if row["url"] == place.as_uri()]
    assert replica["state"] == "ok"
    copies = [str(bench.world.output(before, name)) for name in ("m", "n")]  # they have the same bytes
    assert any(copy in bench.job_states()[-1][2] for copy in copies)


@pytest.mark.parametrize("how", ["option", "profile"])
def test_with_fail_nothing_is_tried(bench: Bench, how: str) -> None:
    first, _ = two_copies(bench)
    damage_after_planning(bench, first)
    job = dict(READ) if how == "option" else {**READ, "profiles": {"pirene": {"on_mismatch": "fail"}}}
    state, _ = bench.run([job], **({"on_mismatch": "fail"} if how == "option" else {}))
    assert state == "failed"
    assert bench.attempts() == {"read": ("integrity_failed", 1)}
    ((_, _, reason),) = bench.job_states()
    assert reason == "its input a is content-mismatch, and on_mismatch is fail"


def test_a_job_that_alters_its_input_spoils_no_other_copy(bench: Bench) -> None:
    first, second = two_copies(bench)
    spoils = shell("spoils", "echo more >> a; cat a > r", reads=("a",), makes=("r",))
    spoils["profiles"] = {"dagman": {"retry": 3}}
    state, _ = bench.run([spoils])
    assert state == "failed"
    assert bench.attempts() == {"spoils": ("failed", 4)}
    assert first.read_text() == "raw data\nmore\n" and second.read_text() == "raw data\n"
    sql = """SELECT attempt, protection FROM checks WHERE name = 'a' AND stage = 'pre-exec' ORDER BY attempt"""
    assert fetch(bench.world.store, sql) == [(1, "guard"), (2, "copy"), (3, "copy"), (4, "copy")]


def test_an_input_that_was_damaged_from_outside_while_its_job_ran_is_recovered(bench: Bench) -> None:
    """To the wrapper it looks as if the job had done it."""
    first, second = two_copies(bench)
    job = shell("read", "cat a > r; printf x > $FIRST", reads=("a",), makes=("r",))
    job["profiles"] = {"dagman": {"retry": 2}, "env": {"FIRST": str(first)}}
    state, plan = bench.run([job])
    assert state == "succeeded"
    assert bench.attempts() == {"read": ("succeeded", 3)}
    assert bench.world.output(plan, "r").read_text() == second.read_text() == "raw data\n"
    assert [reason for _, _, reason in bench.job_states()] == [
        f"its input a is no good at {first}: the copy at {second} is read instead",
        "its input a was altered while an earlier attempt ran: it reads private copies from now on",
    ]


def test_what_a_job_does_to_a_copy_that_was_sent_to_it_says_nothing_of_the_original(bench: Bench) -> None:
    """As on a pool, where nothing would come of a promise of private copies."""
    bench.monkeypatch.setattr(HandOver, "sends_copies", True)
    first, second = two_copies(bench)
    job = shell("read", "cat a > r; printf x > $FIRST", reads=("a",), makes=("r",))
    job["profiles"] = {"dagman": {"retry": 2}, "env": {"FIRST": str(first)}}
    bench.run([job])
    reasons = [reason for _, _, reason in bench.job_states()]
    assert reasons == [f"its input a is no good at {first}: the copy at {second} is read instead"]
    sql = "SELECT DISTINCT protection FROM checks WHERE name = 'a' AND stage = 'pre-exec'"
    assert fetch(bench.world.store, sql) == [("guard",)]


@pytest.mark.parametrize("copies", [1, 2])
def test_what_is_altered_again_and_again_is_given_up(bench: Bench, copies: int) -> None:
    first, second = two_copies(bench)
    victims = [first, second][:copies]
    if copies == 1:
        bench.world.catalog["a"]["pfns"].pop()
    line = "cat a > r; printf x >> a; [ ! -e $FLAG ] || printf x > $SECOND; touch $FLAG"
    job = shell("read", line, reads=("a",), makes=("r",))
    flag = bench.world.folder / "flag"
    job["profiles"] = {"dagman": {"retry": 5}, "env": {"SECOND": str(victims[-1]), "FLAG": str(flag)}}
    state, _ = bench.run([job])
    assert state == "failed"
    assert bench.attempts() == {"read": ("integrity_failed", 2 * copies)}
    reason = bench.job_states()[-1][2]
    if copies == 1:
        assert "altered while an earlier attempt of read ran, no other copy of it is left" in reason
    else:
        assert reason.endswith(": it was altered while 2 earlier attempts of read ran")


@pytest.mark.parametrize("transfers", ["one bad", "all bad"])
def test_a_copy_that_was_sent_is_sent_once_more_if_its_original_is_good(bench: Bench, transfers: str) -> None:
    """As on a pool: the job reads what was sent to it. Here the original is damaged while the wrapper looks at it."""
    raw = bench.world.raw("a", "raw data\n")
    damage_after_planning(bench, raw)
    bench.monkeypatch.setattr(HandOver, "sends_copies", True)
    of, inputs_of = Recovery.of, HandOver.inputs_of

    def good_again(self: Recovery, *arguments: Any) -> Any:
        raw.write_text("raw data\n")
        return of(self, *arguments)

    def bad_again(self: HandOver, job: Any) -> Any:
        flip_bit(raw)
        return inputs_of(self, job)

    bench.monkeypatch.setattr(Recovery, "of", good_again)
    if transfers == "all bad":
        raw.write_text("raw data\n")
        bench.monkeypatch.setattr(HandOver, "inputs_of", bad_again)
        bench.monkeypatch.setattr(bench.world, "freeze", type(bench.world).freeze.__get__(bench.world), raising=False)
    state, _ = bench.run([READ])
    assert state == ("succeeded" if transfers == "one bad" else "failed")
    assert bench.attempts()["read"][1] == 2
    reasons = [reason for _, _, reason in bench.job_states()]
    assert "it is sent again" in reasons[0] and str(raw) in reasons[0]
    assert transfers == "one bad" or "it was sent twice" in reasons[1]
    stages = [(stage, finding) for stage, finding, _ in bench.checks("a")]
    assert stages[:2] == [("pre-exec", "content-mismatch"), ("stage-in", None)]


def reused_and_read(bench: Bench) -> tuple[Plan, list[dict[str, Any]]]:
    """A run whose first job is reused by the next one, in which a further job reads what it made."""
    jobs = [shell("make", "echo made > m", makes=("m",))]
    _, before = bench.run(jobs)
    return before, [*jobs, USE]


def test_a_reused_output_is_read_from_another_copy(bench: Bench) -> None:
    before, jobs = reused_and_read(bench)
    bench.run([shell("also", "echo made > also", makes=("also",))])
    damage_after_planning(bench, bench.world.output(before, "m"))
    # Its stat would tell at once; here nobody looks before the job does.
    bench.monkeypatch.setattr("planner.engines.hand_over._problem", lambda file: None)
    state, plan = bench.run(jobs)
    assert state == "succeeded"
    assert bench.world.output(plan, "m").read_text() == bench.world.output(plan, "u").read_text() == "made\n"
    rows = bench.asked('jobs where id = "make" and decision = "reuse" show status, attempts')
    assert [(row["status"], row["attempts"]) for row in rows] == [("reused", 0)]


@pytest.mark.parametrize("on_mismatch", ["recover", "fail"])
def test_a_reused_output_of_which_there_is_no_other_copy_is_made_after_all(bench: Bench, on_mismatch: str) -> None:
    before, jobs = reused_and_read(bench)
    damage_after_planning(bench, bench.world.output(before, "m"))
    bench.monkeypatch.setattr("planner.engines.hand_over._problem", lambda file: None)
    state, plan = bench.run(jobs, on_mismatch=on_mismatch)
    assert state == "succeeded"
    assert bench.world.output(plan, "m").read_text() == bench.world.output(plan, "u").read_text() == "made\n"
    assert bench.attempts()["use"] == ("succeeded", 2)
    assert any("make runs after all" in note for note in bench.notes)


def test_files_that_were_swapped_and_stale_ones_are_told_apart(bench: Bench) -> None:
    _, second = two_copies(bench)
    other = bench.world.raw("b", "something else\n")
    bench.run([shell("both", "cat a b > r", reads=("a", "b"), makes=("r",))])
    second.write_bytes(other.read_bytes())
    damage_after_planning(bench, Path(bench.world.catalog["a"]["pfns"][0]["pfn"]))
    bench.run([READ])
    assert [finding for stage, finding, _ in bench.checks("a") if stage == "stage-in"] == ["swapped"]


@pytest.mark.parametrize("unreadable", ["once", "each time", "for good"])
def test_a_copy_that_could_not_be_read_and_is_good_is_read_once_more(bench: Bench, unreadable: str) -> None:
    """As after a read error that passes: a pipe is in the place of the file while the wrapper looks at it."""
    raw = bench.world.raw("a", "raw data\n")
    aside = raw.with_name("aside")
    of, inputs_of = Recovery.of, HandOver.inputs_of
    attempts = [0]

    def hide(self: HandOver, job: Any) -> Any:
        attempts[0] += 1
        if unreadable != "once" or attempts[0] == 1:
            raw.rename(aside)
            os.mkfifo(raw)
        return inputs_of(self, job)

    def show(self: Recovery, *arguments: Any) -> Any:
        if unreadable != "for good":
            aside.replace(raw)
        return of(self, *arguments)

    bench.monkeypatch.setattr(HandOver, "inputs_of", hide)
    bench.monkeypatch.setattr(Recovery, "of", show)
    state, _ = bench.run([READ])
    reasons = [reason for _, _, reason in bench.job_states()]
    again = f"its input a is unreadable at {raw}, and as it must be by now: it is read again"
    lost = "its input a is unreadable, no other copy of it is left, and no job of this run makes it"
    assert (state, reasons) == {
        "once": ("succeeded", [again]),
        "each time": ("failed", [again, lost]),
        "for good": ("failed", [lost]),
    }[unreadable]
    assert bench.attempts()["read"][1] == attempts[0] == (1 if unreadable == "for good" else 2)
    assert [finding for stage, finding, _ in bench.checks("a") if stage == "stage-in"] == (
        ["unreadable"] if unreadable == "for good" else [None]
    )


@pytest.mark.parametrize("readable_at", [3, 4])
def test_an_input_that_cannot_be_read_for_long_has_the_retries_of_its_job(bench: Bench, readable_at: int) -> None:
    """Nothing says that it is damaged: nobody could look at it."""
    raw = bench.world.raw("a", "raw data\n")
    inputs_of, attempts = HandOver.inputs_of, [0]

    def hide(self: HandOver, job: Any) -> Any:
        attempts[0] += 1
        if attempts[0] == 1:
            raw.unlink()
            os.mkfifo(raw)
        if attempts[0] == readable_at:
            raw.unlink()
            raw.write_text("raw data\n")
        return inputs_of(self, job)

    bench.monkeypatch.setattr(HandOver, "inputs_of", hide)
    state, _ = bench.run([{**READ, "profiles": {"dagman": {"retry": "2"}}}])
    lost = "its input a is unreadable, no other copy of it is left, and no job of this run makes it"
    again = [("read", "recovering", f"{lost}: it is tried again (retry {number} of 2)") for number in (1, 2)]
    if readable_at == 3:
        assert (state, bench.job_states()) == ("succeeded", again)
        assert bench.attempts() == {"read": ("succeeded", 3)}
    else:
        assert (state, bench.job_states()) == ("failed", [*again, ("read", "unrecoverable", lost)])
        assert bench.attempts() == {"read": ("integrity_failed", 3)}


def test_an_input_that_was_mended_is_so_for_the_store_although_another_one_is_lost(bench: Bench) -> None:
    make = shell("make", "echo made > m", makes=("m",))
    bench.run([make])
    bench.damage_outputs("make", times=1)
    raw = bench.world.raw("a", "raw data\n")
    damage_after_planning(bench, raw)
    state, plan = bench.run([make, shell("read", "cat a m > r", reads=("a", "m"), makes=("r",))], reuse=False)
    assert (state, bench.attempts()["read"]) == ("failed", ("integrity_failed", 1))
    mended = bench.world.output(plan, "m")
    assert mended.read_text() == "made\n"
    replicas = {row["url"]: row["state"] for row in bench.asked("replicas show url, state")}
    assert (replicas[mended.as_uri()], replicas[raw.as_uri()]) == ("ok", "quarantined")


@pytest.mark.parametrize("other_copies", [1, 0])
def test_two_readers_of_one_damaged_output_have_it_mended_once(bench: Bench, other_copies: int) -> None:
    """Both have read it before the first of them is recovered: the second finds the copy that came for the first."""
    make = shell("make", "echo made > m; echo made >> $JOURNAL", makes=("m",))
    journal = with_journal(bench, make)
    for _ in range(other_copies):
        bench.run([make])
    bench.damage_outputs("make", times=1)
    ended, waiting = Progress.ended, []

    def both_at_once(self: Progress, job: Any, attempt: int, path: Path, *, stopping: bool) -> bool:
        if job.id == "make" or attempt > 1:
            return ended(self, job, attempt, path, stopping=stopping)
        waiting.append((job, attempt, path))
        if len(waiting) == 2:
            for each in waiting:
                ended(self, *each, stopping=stopping)
        return False

    bench.monkeypatch.setattr(Progress, "ended", both_at_once)
    users = [shell(name, f"cat m > {name}", reads=("m",), makes=(name,)) for name in ("u1", "u2")]
    state, plan = bench.run([make, *users], reuse=False)
    assert state == "succeeded"
    assert [bench.world.output(plan, name).read_text() for name in ("m", "u1", "u2")] == ["made\n"] * 3
    assert journal.read_text() == "made\n" * 2  # in two runs, or twice in the one that had no other copy
    reasons = [reason for _, _, reason in bench.job_states()]
    in_place = "its input m is content-mismatch: another copy is in its place by now"
    assert (in_place in reasons) == bool(other_copies)
    replicas = {row["url"]: row["state"] for row in bench.asked('replicas where name = "m" show url, state')}
    assert replicas[bench.world.output(plan, "m").as_uri()] == "ok"


def test_an_output_that_cannot_be_brought_to_its_place_fails_its_job_only(bench: Bench) -> None:
    output = bench.world.folder / "out"
    output.mkdir()
    (output / "sub").write_text("in the way")
    made = shell("make", "mkdir -p sub; echo m > sub/x", makes=("sub/x",))
    state, plan = bench.run([made, shell("other", "echo o > o", makes=("o",))], output_dir=output)
    assert state == "failed"
    assert bench.attempts() == {"make": ("failed", 1), "other": ("succeeded", 1)}
    assert (output / "o").read_text() == "o\n" and (output / "sub").read_text() == "in the way"
    (note,) = bench.notes
    assert note.startswith(f"make: {output / 'sub' / 'x'}: the file cannot be brought there: {output / 'sub'}: ")
    # What it made is kept: once the place is free nothing has to run again.
    (output / "sub").unlink()
    assert bench.take_up(plan) == "succeeded"
    assert (output / "sub" / "x").read_text() == "m\n"
    assert bench.attempts()["make"] == ("succeeded", 1)
