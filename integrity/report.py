"""What an audit or scrub says as a whole, and the document `pirene.audit/1` that shows it to others.

A file that nobody could read, or whose digest nobody knows, is not a pass: a report that did not verify everything in
its scope is incomplete.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from integrity.damage_rate import CONFIDENCE, upper_bound
from integrity.findings import Finding, Verdict, gravest, hex_text, meaning, time_text
from integrity.repair import RepairPlan

SCHEMA = "pirene.audit/1"


class GapReason(StrEnum):
    """Why a copy was not verified."""

    NO_DIGEST = "nothing is known that its bytes could be compared with"
    ELSEWHERE = "it cannot be read from this machine"
    NOT_THERE = "nothing is there any more"
    REFUSED = "the system did not hand out all of its bytes"
    NO_TIME = "the time was up before its turn came"
    NOT_DRAWN = "it was not drawn for the sample"


@dataclass(frozen=True, slots=True)
class Gap:
    """Copies that were not verified, all for one reason; ``examples`` are names of some of them."""

    reason: GapReason
    copies: int
    examples: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The gap as `pirene.audit/1` has it."""
        return {
            "why": self.reason.name.lower().replace("_", "-"),
            "reason": self.reason.value,
            "copies": self.copies,
            "examples": list(self.examples),
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much was looked at: of ``replicas`` in the scope, ``verified`` were read whole and compared with a digest.

    ``never_verified`` were not, neither now nor before; ``unprotected`` have no digest to be compared with; ``gaps``
    say why those that were not verified were not.
    """

    replicas: int
    verified: int
    never_verified: int = 0
    unprotected: int = 0
    gaps: tuple[Gap, ...] = ()

    def __post_init__(self) -> None:
        """ValueError where a part is larger than the whole."""
        if not 0 <= self.verified <= self.replicas or max(self.never_verified, self.unprotected) > self.replicas:
            raise ValueError(f"{self}: a part of the replicas cannot be more than all of them")

    def document(self) -> dict[str, object]:
        """The coverage as `pirene.audit/1` has it."""
        return {
            "replicas": self.replicas,
            "verified": self.verified,
            "never_verified": self.never_verified,
            "unprotected": self.unprotected,
        }


class LogStatus(StrEnum):
    """What the tamper-evident log says of the store."""

    ABSENT = "absent"  # there is none
    CONSISTENT = "consistent"  # every commit is the leaf that the log has for it
    MISMATCH = "mismatch"  # some commit, segment or file of the log is not what was recorded
    UNVERIFIED = "unverified"  # nothing contradicts it, and not all of it is signed by a key that is trusted
    UNKNOWN = "unknown"  # they could not be compared


@dataclass(frozen=True, slots=True)
class LogState:
    """The log as the audit saw it: its size in leaves, its root (32 bytes), and whether the store agrees with it;
    ``unverified`` says what nobody vouches for who is trusted, one sentence each.
    """

    status: LogStatus = LogStatus.ABSENT
    size: int | None = None
    root: bytes | None = None
    unverified: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The state as `pirene.audit/1` has it."""
        said = {"size": self.size, "root": hex_text(self.root), "status": self.status.value}
        return {**said, "unverified": list(self.unverified)}


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn by chance, and what that says of all from which it was drawn.

    ``population`` copies could be read from here and compared; ``wanted`` of them were to be read, the first ``read``
    of the draw were, ``damaged`` of those were not found good. ``commit`` is the commit that the draw goes by, ``seed``
    (32 bytes) what it was drawn with. ``read_earlier`` of those that were read were found good by scrubs before this
    one, which goes on with theirs, the first of them at ``earliest``.
    """

    population: int
    wanted: int
    read: int
    damaged: int
    commit: int
    seed: bytes
    read_earlier: int = 0
    earliest: dt.datetime | None = None

    @property
    def rate_at_most(self) -> float:
        """The largest rate of damage in the population that the draw leaves possible, at 95 %; known exactly where all
        of it was read.
        """
        if self.read == self.population:
            return self.damaged / self.read if self.read else 0.0
        return upper_bound(self.read, self.damaged)

    def document(self) -> dict[str, object]:
        """The sample as `pirene.audit/1` has it."""
        return {
            "population": self.population,
            "wanted": self.wanted,
            "read": self.read,
            "read_earlier": self.read_earlier,
            "earliest": None if self.earliest is None else time_text(self.earliest),
            "damaged": self.damaged,
            "damage_rate": self.damaged / self.read if self.read else None,
            "damage_rate_at_most": self.rate_at_most,
            "confidence": CONFIDENCE,
            "commit": self.commit,
            "seed": self.seed.hex(),
        }


@dataclass(frozen=True, slots=True)
class StageCount:
    """How many looks there were at one ``stage`` of the pipeline on one host, and how many found what is wrong."""

    stage: str
    host: str | None
    checks: int
    failed: int

    def document(self) -> dict[str, object]:
        """The count as `pirene.audit/1` has it."""
        return {"stage": self.stage, "host": self.host, "checks": self.checks, "failed": self.failed}


@dataclass(frozen=True, slots=True)
class Overhead:
    """What verifying cost the jobs: seconds in which their files were hashed, and in which their commands ran."""

    verification_seconds: float
    job_seconds: float

    @property
    def share(self) -> float | None:
        """Verification as a part of the time of the commands; None where none ran."""
        return self.verification_seconds / self.job_seconds if self.job_seconds else None

    def document(self) -> dict[str, object]:
        """The cost as `pirene.audit/1` has it."""
        return {
            "verification_seconds": round(self.verification_seconds, 6),
            "job_seconds": round(self.job_seconds, 6),
            "share": self.share,
        }


@dataclass(frozen=True, slots=True)
class Effort:
    """What the reading took: bytes read, and seconds from its begin to its end."""

    read_bytes: int = 0
    seconds: float = 0.0

    def document(self) -> dict[str, object]:
        """The effort as `pirene.audit/1` has it."""
        return {"read_bytes": self.read_bytes, "seconds": round(self.seconds, 6)}


@dataclass(frozen=True, slots=True)
class Report:
    """An audit's result. ``scope`` says what was asked for (JSON values); findings keep their order; ``repair`` is what
    brings back what they are about; ``pipeline`` counts all looks at the files in the scope, this audit's included;
    ``reproduce`` are the commands that do the same again, or go on with it. ``at`` is when it was made (None: nobody
    said). ``obstacle`` is what kept it from saying all that it was asked for, the store's own damage (None: nothing).
    """

    scope: Mapping[str, object]
    coverage: Coverage
    findings: tuple[Finding, ...]
    log: LogState = LogState()
    sample: Sample | None = None
    effort: Effort = Effort()
    repair: RepairPlan = field(default_factory=RepairPlan)
    pipeline: tuple[StageCount, ...] = ()
    overhead: Overhead | None = None
    at: dt.datetime | None = None
    host: str | None = None
    reproduce: tuple[str, ...] = ()
    obstacle: str | None = None

    @property
    def verdict(self) -> Verdict:
        """Tampering outranks damage, damage outranks incompleteness; whatever was not verified is incomplete, what the
        store says of the copies included, and so is a scope without copies: nothing was found good.
        """
        verdicts = [meaning(finding.kind) for finding in self.findings]
        if self.log.status is LogStatus.MISMATCH:
            verdicts.append(Verdict.TAMPERED)
        if self.log.status in (LogStatus.UNVERIFIED, LogStatus.UNKNOWN):
            verdicts.append(Verdict.INCOMPLETE)
        if self.coverage.verified < self.coverage.replicas or not self.coverage.replicas or self.obstacle is not None:
            verdicts.append(Verdict.INCOMPLETE)
        return gravest(verdicts)

    @property
    def exit_code(self) -> int:
        """The exit code of the command that shows this report."""
        return self.verdict.exit_code

    def document(self) -> dict[str, object]:
        """The report as JSON values, in the shape `pirene.audit/1`."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "scope": dict(self.scope),
            "coverage": self.coverage.document(),
            "gaps": [gap.document() for gap in self.coverage.gaps],
            "findings": [finding.document() for finding in self.findings],
            "log": self.log.document(),
            "sample": None if self.sample is None else self.sample.document(),
            "effort": self.effort.document(),
            "repair": self.repair.document(),
            "pipeline": [count.document() for count in self.pipeline],
            "overhead": None if self.overhead is None else self.overhead.document(),
            "at": None if self.at is None else time_text(self.at),
            "host": self.host,
            "reproduce": list(self.reproduce),
            "obstacle": self.obstacle,
        }
