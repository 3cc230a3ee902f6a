"""The way of a file from the job that made it to the jobs that read it, and to the output folder.

A child's expected digests come from its parents' checked records, or, for a reused parent, from the plan; the digest
of a file is never taken from the file itself on its way.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from planner.engine_plan import READS, EngineJob, EnginePlan
from planner.engines.describe import InputFile
from planner.engines.places import Places
from planner.errors import PlannerError
from planner.passes.copies import Copies
from planner.planned import PlannedFile, PlannedUse
from planner.run_folder import RunFolder, below
from planner.transfer import Arrival, Expected, ReusedOutputs, copy_verified, publish
from provenance.copies.replicas import file_url
from provenance.identity import produced_file
from provenance.ingest.ingest import Published
from provenance.ingest.records import Output, Record
from provenance.registration.placement import Placed


class ReusedFileBadError(PlannerError):
    """A file that the plan took from the past is not there any more, or not with the same bytes."""


class NotMadeError(PlannerError):
    """An input that a job cannot do without was optional for the job that was to make it, and was not made."""


@dataclass(frozen=True, slots=True)
class Made:
    """An output in its place: what its readers are told of it. ``url`` is None if that place is no replica."""

    path: Path
    sha256: bytes
    size_bytes: int
    source: int
    file: int
    url: str | None


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Where a content is to be had, other than where the plan says. ``owner`` is the file whose copy the store knows
    there, of the same content as the one that is wanted; None: the store knows of none.
    """

    path: str
    url: str
    site: str
    owner: tuple[int, int] | None


class HandOver:
    """What every job of a run has made so far.

    ``sends_copies``: jobs read copies of their inputs that were sent to them, so that what they find says nothing yet
    of the originals.
    """

    sends_copies = False

    def __init__(self, plan: EnginePlan, folder: RunFolder) -> None:
        self._plan = plan
        self._folder = folder
        self._places = Places(plan, folder)
        self._reused = ReusedOutputs(copy=plan.copy_reused)
        self._made: dict[tuple[int, str], Made] = {}
        self._instead: dict[tuple[int | None, str], ReadFrom] = {}
        self._published: dict[int, dict[tuple[int, int, str], Published]] = {}

    def inputs_of(self, job: EngineJob) -> list[InputFile]:
        """What a job that is ready will read, with the digests that are expected; optional inputs only if they are
        there. Raises NotMadeError.
        """
        return [file for use in job.uses if use.role in READS if (file := self.input_of(use)) is not None]

    def accept(self, job: EngineJob, record: Record) -> None:
        """Bring the outputs of a successful attempt to their places.

        Safe to repeat after a kill. Raises TransferError when an output is not what the record says.
        """
        uses = {use.name: use for use in job.outputs}
        published: dict[tuple[int, int, str], Published] = {}
        for position, output in enumerate(record.outputs):
            if output.sha256 is None:
                continue  # an optional output that was not made
            assert output.size_bytes is not None
            place = self._places.of(job, uses[output.name])
            arrival = self._arrival(job, record.attempt, output, place.path)
            file = produced_file(job.number, record.attempt, position)
            self._instead.pop((job.number, output.name), None)
            self._made[job.number, output.name] = Made(
                place.path, output.sha256, output.size_bytes, self._plan.run, file, place.url
            )
            if place.url is not None:
                news = Published(place.url, place.site, arrival.stat, arrival.sha256, arrival.at, arrival.host)
                published[job.number, record.attempt, output.name] = news
        self._published[job.number] = published

    def unexpected(self, job: EngineJob, record: Record) -> list[str]:
        """Names of outputs that have other bytes than the store recorded for them before."""
        return [output.name for output in record.outputs if job.expected.get(output.name) not in (None, output.sha256)]

    def made_otherwise(self, job: EngineJob, record: Record) -> list[str]:
        """Names of outputs of which an earlier attempt in this run, whose outputs were accepted, made other bytes."""
        before = {output.name: self._made.get((job.number, output.name)) for output in record.outputs}
        return [
            output.name
            for output in record.outputs
            if (made := before[output.name]) is not None and made.sha256 != output.sha256
        ]

    def published(self, job: int) -> Mapping[tuple[int, int, str], Published]:
        """Where the outputs of a job were staged out to."""
        return self._published.get(job, {})

    def show_reused(self, job: EngineJob) -> Iterator[Placed]:
        """Let the outputs of a reused job appear in the output folder, one after the other.

        Raises ReusedFileBadError when one of them is gone or changed since the plan was made, TransferError when it
        cannot be brought there.
        """
        for reused in job.reused.values():
            problem = _problem(reused.file)
            if problem:
                raise ReusedFileBadError(problem)
            if reused.stage_out and reused.file.sha256 is not None:
                placed = self._show(reused.file, Path(reused.file.path), reused.file.sha256, job)
                if placed is not None:
                    yield placed

    def missing_for(self, parent: EngineJob, child: EngineJob) -> str | None:
        """Why a reused parent cannot give a child what it reads; None if it can."""
        for use in child.uses:
            if use.role in READS and use.producer == parent.number:
                if use.name not in parent.reused:
                    return f"its output {use.name}, which {child.id} reads, was not kept"
                if (parent.number, use.name) in self._instead:
                    continue  # it is verified when it is read
                problem = _problem(parent.reused[use.name].file)
                if problem:
                    return problem
        return None

    def is_from_past(self, use: PlannedUse) -> bool:
        """Whether an input is what a job of the past made, in place of the one of this run."""
        return use.producer is not None and (use.producer, use.name) not in self._made

    def read_from(self, use: PlannedUse, copy: ReadFrom) -> Placed | None:
        """Let an input be read from another copy from now on. What is to be in the output folder is brought there
        again: then the place is said, for the store to know. Raises TransferError if that copy is no good either.
        """
        if use.producer is None:
            self._instead[None, use.name] = copy
            return None
        made = self._made.get((use.producer, use.name))
        producer = self._plan.jobs[use.producer - 1]
        if made is not None:  # in its own place: whatever else the run does with it finds it there
            stat = copy_verified(Path(copy.path), made.path, made.sha256)
            if made.url is None:
                return None
            return Placed((made.source, made.file), made.url, self._places.site(producer), link=False, stat=stat)
        self._instead[use.producer, use.name] = copy
        reused = producer.reused[use.name]
        if not reused.stage_out or reused.file.sha256 is None:
            return None
        return self._show(reused.file, Path(copy.path), reused.file.sha256, producer)

    def tidy(self, work_dir: Path) -> None:
        """Remove the work folder of an attempt that succeeded; what it leaves behind is nobody's data."""
        shutil.rmtree(work_dir, ignore_errors=True)

    def _arrival(self, job: EngineJob, attempt: int, output: Output, place: Path) -> Arrival:
        """Bring one output to its place; what is known of it there. Raises TransferError."""
        assert output.sha256 is not None
        made_at = below(self._folder.work_dir(job.number, attempt), output.name)
        return publish(made_at, place, Expected(output.sha256, output.stat))

    def _show(self, file: PlannedFile, original: Path, sha256: bytes, job: EngineJob) -> Placed | None:
        """Let an output of a reused job appear in the output folder; None if the original is there itself."""
        place = below(self._plan.output_dir, file.name)
        if place == original:
            return None
        copy = self._reused.show(original, place, sha256)
        return _placed(file, place, self._places.site(job), copy)

    def input_of(self, use: PlannedUse) -> InputFile | None:
        """What a use would read if it were to read now; None for an optional one that nobody made. Raises NotMadeError
        for any other.
        """
        found = self._input(use)
        instead = self._instead.get((use.producer, use.name))
        return found if found is None or instead is None else replace(found, path=instead.path, url=instead.url)

    def _input(self, use: PlannedUse) -> InputFile | None:
        if use.producer is None:
            raw = self._plan.files.get(use.name)
            return planned_input(use, raw) if raw else _not_there(use)
        made = self._made.get((use.producer, use.name))
        if made is not None:
            return InputFile(
                use.name,
                use.role,
                str(made.path),
                made.sha256,
                made.size_bytes,
                "produced",
                made.source,
                made.file,
                made.url,
            )
        reused = self._plan.jobs[use.producer - 1].reused.get(use.name)
        return planned_input(use, reused.file) if reused else _not_there(use)


def _placed(file: PlannedFile, place: Path, site: str, copy: Arrival | None) -> Placed:
    stat = None if copy is None else copy.stat
    return Placed((file.source, file.file), file_url(place), site, link=copy is None, stat=stat)


def _not_there(use: PlannedUse) -> InputFile | None:
    """An optional input that nobody made is left out."""
    if not use.optional:
        raise NotMadeError(f"its input {use.name} was not made: it is optional for the job that makes it")
    return None


def planned_input(use: PlannedUse, file: PlannedFile) -> InputFile:
    """What a job reads that was planned, of raw files and of the past."""
    return InputFile(
        use.name,
        use.role,
        file.path,
        file.sha256,
        file.size_bytes,
        file.digest_origin,
        file.source,
        file.file,
        file.url,
        use.optional,
    )


def _problem(file: PlannedFile) -> str | None:
    """Why a reused file cannot be taken: gone or with other bytes; None if it is as planned.

    Its stat tells; only where that moved since the plan was made are its bytes read.
    """
    checked = Copies().check(file)
    if checked.finding is None:
        return None
    return f"{file.path} is {checked.finding.value}"
