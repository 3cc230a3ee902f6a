"""What follows when an input of a job was not what it must be: another copy of it is read, else its producer runs
(again), else the job has failed.

The digest that is expected stays the one that the plan or a record gives; only where its bytes come from changes. So
that nothing goes round in circles, every copy is read at most once after it was found bad, and every producer is
brought back at most once by inputs that did not match, as long as this engine is at work. A copy that could not be read
(a read error, or somebody touched it during the look) and is good after all is given to the same job once more; where
it cannot be read for longer nothing says that it is damaged, and the job has its retries.

Nobody knows whether an input that was altered while a job ran was altered by that job. It is recovered once, and the
job reads private copies from then on: if it was the job, it does not spoil one copy after the other.

With ``on_mismatch: fail`` only one thing is left: what was to be taken from the past is made anew, as reuse promises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from integrity.audit import Check
from integrity.findings import FindingClass
from planner.engine_plan import READS, EngineJob, EnginePlan
from planner.engines.describe import InputFile
from planner.engines.hand_over import HandOver, ReadFrom
from planner.engines.schedule import DONE, JobState
from planner.passes.copies import readable
from planner.planned import PlannedUse
from planner.transfer import TransferError
from provenance.copies.replicas import Replica, local_path
from provenance.ingest.records import Input, Record
from provenance.registration.placement import Placed


class Copies(Protocol):
    """Where a content is, and whether a copy is good."""

    def good(self, sha256: bytes, first: tuple[int, int] | None) -> Sequence[Replica]:
        """What the store calls good copies (provenance/copies/same_content.py)."""
        ...

    def check(self, file: InputFile, owner: tuple[int, int] | None, job: EngineJob, attempt: int) -> Check:
        """Read a copy and record, for that attempt, what was seen. ``owner`` is the file that the store knows there."""
        ...


@dataclass(frozen=True, slots=True)
class Recovered:
    """The job is to run again. ``said``: what was done about its inputs, one sentence each; ``producers``: jobs that
    have to run (again) first, each with the reason; ``placed``: files that are in their place again, by their
    producers; ``found``: good copies that the store had not heard of.
    """

    said: tuple[str, ...]
    producers: tuple[tuple[int, str], ...] = ()
    placed: tuple[tuple[int, Placed], ...] = ()
    found: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """The job cannot get what it must read; ``reason`` is one sentence on each input of which that is so. What became
    of the others is told all the same, as in Recovered.
    """

    reason: str
    placed: tuple[tuple[int, Placed], ...] = ()
    found: tuple[Placed, ...] = ()


class Recovery:
    """What has been tried so far in a run, by this engine."""

    def __init__(self, plan: EnginePlan, hand_over: HandOver, copies: Copies) -> None:
        self._plan = plan
        self._hand_over = hand_over
        self._copies = copies
        self._tried: set[str] = set()  # paths of copies that were found bad, or were taken in place of such
        self._brought_back: set[int] = set()
        self._read_in_vain: Counter[int] = Counter()
        self._given_again: set[tuple[int, str]] = set()
        # Paths of outputs that a good copy took the place of, each with the jobs that start after that for sure.
        self._mended: dict[str, set[int]] = {}
        self._altered: Counter[tuple[int, str]] = Counter()
        self._on_copies: set[int] = set()

    def altered(self, job: EngineJob, record: Record) -> None:
        """Note which of its inputs an attempt left otherwise than it found them; of copies that were sent to it alone
        that says nothing of what other attempts read.
        """
        if self._hand_over.sends_copies:
            return
        self._altered.update((job.number, seen.name) for seen in record.changed_inputs)
        if record.changed_inputs:
            self._on_copies.add(job.number)

    def guarded(self, job: EngineJob) -> EngineJob:
        """The job as its next attempt is to be described: on private copies once one of its inputs was altered."""
        if job.protection == "guard" and job.number in self._on_copies:
            return replace(job, protection="copy")
        return job

    def of(self, job: EngineJob, record: Record, state: Callable[[int], JobState]) -> Recovered | Lost:
        """What can be done about the inputs of an attempt that was refused. ``state``: where each job is.

        Files may be brought to their places; jobs are only named.
        """
        uses = {use.name: use for use in job.uses if use.role in READS}
        bad = [seen for seen in record.inputs if seen.finding is not None]
        parts = self._tried_again(
            job, bad, [self._input(job, record, uses.get(seen.name), seen, state) for seen in bad]
        )
        lost = [part.reason for part in parts if isinstance(part, Lost)]
        placed = tuple(place for part in parts for place in part.placed)
        found = tuple(place for part in parts for place in part.found)
        if lost or not parts:
            return Lost("; ".join(lost) or "nothing is known of what did not match", placed, found)
        recovered = [part for part in parts if isinstance(part, Recovered)]
        producers = {number: reason for part in recovered for number, reason in part.producers}
        self._brought_back.update(producers)
        said = tuple(sentence for part in recovered for sentence in part.said)
        return Recovered(said, tuple(producers.items()), placed, found)

    def _input(
        self, job: EngineJob, record: Record, use: PlannedUse | None, seen: Input, state: Callable[[int], JobState]
    ) -> Recovered | Lost:
        what = f"its input {seen.name} is {seen.finding}"
        if seen.role == "checkpoint":
            return Recovered((f"{what}: it goes on without it",))
        if use is None:
            return Lost(f"{what}, and there is but this one copy of it")
        if use.producer is not None and state(use.producer) not in DONE:
            return Recovered((f"{what}: {self._id(use.producer)} is to make it again already",))
        now = self._hand_over.input_of(use)
        if now is None or not self._is_what_was_read(now, seen):
            return Recovered((f"{what}: another copy is in its place by now",))
        owner = None if now.source is None or now.file is None else (now.source, now.file)
        if self._was_mended_since(job, record, now, owner):
            return Recovered((f"{what}: another copy is in its place by now",))
        if job.on_mismatch == "fail":
            return self._taken_from_past(job, use, seen)
        if self._hand_over.sends_copies and self._copies.check(now, owner, job, record.attempt).finding is None:
            return self._sent(job, use.name, f"{what} on {record.host}, and as it must be at {now.path}")
        if seen.finding == FindingClass.UNREADABLE and self._may_be_read_again(job, record, use, now, owner):
            return Recovered((f"{what} at {now.path}, and as it must be by now: it is read again",))
        altered = self._altered[job.number, use.name]
        if altered > 1:
            return Lost(f"{what}: it was altered while {altered} earlier attempts of {job.id} ran")
        if altered:
            what = f"{what}: it was altered while an earlier attempt of {job.id} ran"
        self._tried.add(now.path)
        outcome = self._other_copy(job, record, use, now) or self._producer(job, use, what)
        if altered and isinstance(outcome, Recovered):
            why = f"its input {use.name} was altered while an earlier attempt ran: it reads private copies from now on"
            return replace(outcome, said=(*outcome.said, why))
        return outcome

    def _is_what_was_read(self, now: InputFile, seen: Input) -> bool:
        """Whether a job that starts now would read what this attempt did: copies that are sent have no URL."""
        of = (now.source, now.file) == (seen.source, seen.file)
        return of and (self._hand_over.sends_copies or now.url == seen.url)

    def _was_mended_since(self, job: EngineJob, record: Record, now: InputFile, owner: tuple[int, int] | None) -> bool:
        """Whether another reader's recovery has brought a good copy to the very place that this attempt read."""
        starts_after = self._mended.get(now.path)
        if starts_after is None or job.number in starts_after:
            return False
        starts_after.add(job.number)
        return self._copies.check(now, owner, job, record.attempt).finding is None

    def _tried_again(
        self, job: EngineJob, bad: Sequence[Input], parts: Sequence[Recovered | Lost]
    ) -> Sequence[Recovered | Lost]:
        """The same, but with one of the job's retries if all that is lost could not be read."""
        lost = [seen for seen, part in zip(bad, parts, strict=True) if isinstance(part, Lost)]
        if not lost or any(seen.finding != FindingClass.UNREADABLE for seen in lost) or job.on_mismatch == "fail":
            return parts
        if self._read_in_vain[job.number] >= job.retries:
            return parts
        self._read_in_vain[job.number] += 1
        which = f"retry {self._read_in_vain[job.number]} of {job.retries}"
        return [
            part if isinstance(part, Recovered) else Recovered((f"{part.reason}: it is tried again ({which})",))
            for part in parts
        ]

    def sent_altered(self, job: EngineJob, name: str) -> Recovered | Lost:
        """What can be done about a file of the engine's own that did not reach a job as it was sent."""
        if job.on_mismatch == "fail":
            return Lost("on_mismatch is fail")
        # No input has such a name: they are below the folder that this one is beside.
        return self._sent(job, f"../{name}", f"{name} did not arrive as it was sent")

    def _sent(self, job: EngineJob, name: str, what: str) -> Recovered | Lost:
        """The copy that was sent to the job is bad, the original is not: it is sent once more."""
        if (job.number, name) in self._given_again:
            return Lost(f"{what}: it was sent twice")
        self._given_again.add((job.number, name))
        return Recovered((f"{what}: it is sent again",))

    def _may_be_read_again(
        self, job: EngineJob, record: Record, use: PlannedUse, now: InputFile, owner: tuple[int, int] | None
    ) -> bool:
        """Whether what could not be read can be by now, and is good: once for each input of a job."""
        if (job.number, use.name) in self._given_again:
            return False
        self._given_again.add((job.number, use.name))
        return self._copies.check(now, owner, job, record.attempt).finding is None

    def _taken_from_past(self, job: EngineJob, use: PlannedUse, seen: Input) -> Recovered | Lost:
        """What `on_mismatch: fail` leaves: a job that was left out makes its output after all."""
        what = f"its input {seen.name} is {seen.finding}"
        if use.producer is None or not self._hand_over.is_from_past(use):
            return Lost(f"{what}, and on_mismatch is fail")
        return Recovered((), ((use.producer, f"its output {use.name} did not match when {job.id} was to read it"),))

    def _other_copy(self, job: EngineJob, record: Record, use: PlannedUse, bad: InputFile) -> Recovered | None:
        """The next copy of an input that has not been tried and is good."""
        for copy in self._others(use, bad):
            if copy.path in self._tried or not readable(copy.path):
                continue
            self._tried.add(copy.path)
            there = replace(bad, path=copy.path, url=copy.url)
            check = self._copies.check(there, copy.owner, job, record.attempt)
            if check.finding is not None:
                continue
            try:
                placed = self._hand_over.read_from(use, copy)
            except TransferError:
                continue  # it was good a moment ago
            self._mended[bad.path] = {job.number}  # of what is not mended in place the URL tells
            found: tuple[Placed, ...] = ()
            if copy.owner is None and bad.source is not None and bad.file is not None:
                found = (Placed((bad.source, bad.file), copy.url, copy.site, link=False, stat=check.stat),)
            return Recovered(
                (f"its input {use.name} is no good at {bad.path}: the copy at {copy.path} is read instead",),
                placed=() if placed is None or use.producer is None else ((use.producer, placed),),
                found=found,
            )
        return None

    def _others(self, use: PlannedUse, bad: InputFile) -> Iterator[ReadFrom]:
        """What the replica catalog lists, then what the store knows."""
        if use.producer is None:
            for other in self._plan.files[use.name].others:
                yield ReadFrom(other.path, other.url, other.site, None)
        if bad.sha256 is None:
            return
        file = None if bad.source is None or bad.file is None else (bad.source, bad.file)
        for replica in self._copies.good(bad.sha256, file):
            path = local_path(replica.url)
            if path is not None:
                yield ReadFrom(str(path), replica.url, replica.site or "local", replica.id)

    def _producer(self, job: EngineJob, use: PlannedUse, what: str) -> Recovered | Lost:
        """The job of this run that makes an input, unless it has been brought back already."""
        if use.producer is None:
            return Lost(f"{what}, no other copy of it is left, and no job of this run makes it")
        if use.producer in self._brought_back:
            return Lost(
                f"{what} again, after {self._id(use.producer)} was brought back to make it: it is not made once more"
            )
        return Recovered(
            (f"{what}: {self._id(use.producer)} makes it again",),
            ((use.producer, f"its output {use.name} did not match when {job.id} was to read it"),),
        )

    def _id(self, number: int) -> str:
        return self._plan.jobs[number - 1].id
