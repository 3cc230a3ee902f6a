"""Makes up what a store is told: runs with jobs, attempts and their files, copies and what became of them, checks,
metadata said, corrected and withdrawn, in commits one after the other.

Lineage may go round in circles here, jobs read what they write, and things are told late or never.
"""

from __future__ import annotations

import datetime as dt
import uuid
from random import Random
from typing import Any

from tests.query.oracle.facts import Told, World
from tests.query.oracle.pools import KEYS, NOW

NAMES = ["a.fits", "b.fits", "raw/a.fits", "x[1].fits", "100%_done", "S1_R2.fastq.gz", "Größe.txt", ".hidden", "no_suffix",
         "'; DROP TABLE files; --", "\x1b[2Jname", "catalog_v7.parquet"]  # fmt: skip
SITES = ["ncsa", "slac", "tape", "größe"]
DIGESTS = [bytes([number]) * 31 + b"\xab" for number in range(7)]
SAVED = {
    "good_raw": 'files where kind = "raw" and campaign = $campaign',
    "big": "files where size > $least order by size desc limit $most",
    "nothing_to_say": "jobs",
}


class Maker:
    """Makes one world from one source of chance."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.world = World()
        self.files: list[tuple[int, int]] = []
        self.copies: list[tuple[int, int, str, str]] = []
        self.jobs: list[tuple[int, int]] = []
        self.ran: list[tuple[int, int]] = []
        self.clock = NOW - dt.timedelta(days=50)
        self.checked = 0

    def make(self) -> World:
        """The world, whole."""
        self.register(6)
        self.runs = [self.plan() for _ in range(self.random.randint(3, 4))]
        for run, jobs in self.runs:
            self.ingest(run, jobs)
        self.register(5)
        self.correct()
        self.audit()
        self.save()
        return self.world

    # ---- chance -----------------------------------------------------------------------------------------------------

    def maybe(self, share: float) -> bool:
        return self.random.random() < share

    def one(self, *values: Any) -> Any:
        return self.random.choice(values)

    def source(self) -> int:
        return self.random.randrange(-(2**63), 2**63)

    def tick(self) -> dt.datetime:
        """A later time, a whole day now and then."""
        self.clock += self.one(
            dt.timedelta(seconds=1),
            dt.timedelta(minutes=37, microseconds=5),
            dt.timedelta(hours=5),
            dt.timedelta(days=1),
        )
        return self.clock

    def told(self, kind: str) -> Told:
        self.world.commits.append(Told(kind))
        return self.world.commits[-1]

    # ---- what is told -----------------------------------------------------------------------------------------------

    def register(self, count: int) -> None:
        """Raw files, some without a digest, with copies and metadata."""
        told, source = self.told("register"), self.source()
        for number in range(count):
            self.files.append((source, number))
            known = self.maybe(0.8)
            told.add(
                "files", source=source, file=number, name=self.random.choice(NAMES), origin="raw", kind="file",
                created=self.tick(), size_bytes=self.one(None, 0, 10, 1000, 1024, 2_500_000_000, 9007199254740993),
                sha256=self.random.choice(DIGESTS) if known else None,
                digest_origin=self.one("declared", "observed") if known else None,
            )  # fmt: skip
            self.copy(told, source, number)
            self.describe(told, "file", source, number)

    def copy(self, told: Told, source: int, number: int) -> None:
        """Up to three copies, at one site or several."""
        for place in range(self.random.choice([0, 1, 1, 2, 3])):
            site = self.one(*SITES, None)
            url = f"file:///{site}/{place}/{number}%20;--"
            self.copies.append((source, number, url, site))
            told.add("replicas", source=source, file=number, site=site, url=url, event="registered",
                     at=self.tick(), inode=self.one(None, 7), size_bytes=5)  # fmt: skip

    def describe(self, told: Told, entity: str, source: int, number: int) -> None:
        """Most keys of a thing; some that are rare."""
        for key, value in KEYS[entity].items():
            if self.maybe(0.7):
                told.sayings.append((entity, source, number, key, value(self.random), self.clock))

    def plan(self) -> tuple[int, list[int]]:
        """A run and its jobs, some of them to be reused."""
        told, run = self.told("plan"), self.source()
        parent = self.one(None, *[run for run, _ in self.planned()])
        told.add("workflows", run=run, run_id=str(uuid.UUID(int=self.random.getrandbits(128))), kind="workflow",
                 name=self.one("coadd", "isr; drop", None), user_name=self.one("anna", "bob"), host=self.one("h1", None),
                 engine=self.one("local", "htcondor"), parent_run=parent, planned=self.tick())  # fmt: skip
        if self.maybe(0.8):
            told.add("workflow_states", run=run, state="planned", at=self.tick())
        numbers = list(range(1, self.random.randint(2, 4) + 1))
        for job in numbers:
            original = self.random.choice(self.jobs) if self.jobs and self.maybe(0.3) else None
            told.add(
                "jobs", run=run, job=job, id=f"j{job}", type="job", name=self.one("isr", "align", "coadd"),
                namespace=self.one(None, "lsst"), version=self.one(None, "1.0"), site=self.one(*SITES, None),
                arguments=self.one(None, [], ["-v"], ["-v", "x y"]), decision="run" if original is None else "reuse",
                reason=self.one(None, "inputs changed"), reused_run=None if original is None else original[0],
                reused_job=None if original is None else original[1],
            )  # fmt: skip
            if original is None:
                self.jobs.append((run, job))
            self.describe(told, "job", run, job)
        self.describe(told, "workflow", run, 0)
        self.plans = [*self.planned(), (run, numbers)]
        return run, numbers

    def planned(self) -> list[tuple[int, list[int]]]:
        return getattr(self, "plans", [])

    def ingest(self, run: int, jobs: list[int]) -> None:
        """What became of a run: attempts, outputs, uses, checks."""
        told = self.told("ingest")
        told.add("workflow_states", run=run, state="running", at=self.tick())
        for job in jobs:
            reused = (run, job) not in self.jobs
            for attempt in range(1, self.one(0, 1, 1, 1, 2) + 1 - (reused and not self.maybe(0.2))):
                self.attempt(told, run, job, attempt)
            if self.maybe(0.15):
                told.add("job_states", run=run, job=job, attempt=self.one(None, 1, 3), at=self.tick(),
                         state=self.one("submitted", "started", "failed", "not_run", "held", "removed"))  # fmt: skip
        if self.maybe(0.8):
            told.add("workflow_states", run=run, state=self.one("succeeded", "failed", "incomplete"), at=self.tick())

    def attempt(self, told: Told, run: int, job: int, attempt: int) -> None:
        """One attempt, with what it read and wrote."""
        status = self.one("succeeded", "succeeded", "failed", "integrity_failed")
        started = self.tick()
        seconds = self.one(None, 0.5, 59.25, 3600.0, 7300.5, 20000.0)
        told.add(
            "invocations", run=run, job=job, attempt=attempt, host=self.one("n1", "n2", None), started=started,
            ended=self.tick(), duration_seconds=seconds, status=status, cpu_seconds=self.one(None, 0.25, 1e4),
            exit_code=None if self.maybe(0.2) else 0 if status == "succeeded" else self.one(1, 2), max_rss_bytes=self.one(None, 0, 10, 2**31),
            signal=9 if self.maybe(0.2) else None,
        )  # fmt: skip
        for source, file in self.random.sample(self.files, self.random.randint(1, 4)):
            told.add("uses", run=run, job=job, attempt=attempt, source=source, file=file, name="in", direction="read",
                     role=self.one("input", "input", "inout", "checkpoint", "executable"))  # fmt: skip
        for place in range(self.random.choice([0, 1, 2])):
            number = job << 30 | attempt << 20 | place
            self.output(told, run, job, attempt, number)
        if self.maybe(0.6):
            self.check(told, (run, job, attempt), self.random.choice(self.files))

    def output(self, told: Told, run: int, job: int, attempt: int, number: int) -> None:
        told.add(
            "files", source=run, file=number, name=self.random.choice(NAMES), origin="produced", kind="file", job=job,
            attempt=attempt, size_bytes=self.random.randint(0, 5000), sha256=self.random.choice(DIGESTS),
            digest_origin="produced", created=self.tick(),
        )  # fmt: skip
        told.add("uses", run=run, job=job, attempt=attempt, source=run, file=number, name="out", direction="write",
                 role="output")  # fmt: skip
        self.files.append((run, number))
        self.copy(told, run, number)
        self.describe(told, "file", run, number)

    def check(self, told: Told, attempt: tuple[int, int, int] | None, file: tuple[int, int]) -> None:
        self.checked += 1
        run, job, number = attempt or (None, None, None)
        verdict = self.one("ok", "ok", "mismatch", "missing", "unreadable")
        told.add(
            "checks", source=17 if run is None else run, number=self.checked, run=run, job=job, attempt=number,
            file_source=file[0], file=file[1], name=self.random.choice(NAMES), stage=self.one("pre-exec", "audit", "scrub"),
            expected_sha256=self.one(None, *DIGESTS), actual_sha256=self.one(None, *DIGESTS), verdict=verdict,
            finding=None if verdict == "ok" else self.one("rot", "tampered"), protection=self.one("guard", "none"),
            at=self.tick(), duration_seconds=self.one(None, 0.01, 2.5), host=self.one("n1", "n2", None),
        )  # fmt: skip

    def correct(self) -> None:
        """Later commits that say other things of what is there: digests, other values, withdrawals, circles."""
        told = self.told("metadata")
        for source, number in self.random.sample(self.files, 6):
            for key in self.random.sample(list(KEYS["file"]), 4):
                value = None if self.maybe(0.4) else KEYS["file"][key](self.random)
                told.sayings.append(("file", source, number, key, value, self.tick()))
        told = self.told("register")
        for source, number in self.random.sample(self.files, 4):
            told.add("file_digests", source=source, file=number, sha256=self.random.choice(DIGESTS), size_bytes=77,
                     digest_origin="observed", at=self.tick())  # fmt: skip
        told = self.told("ingest")
        for run, job in self.random.sample(self.jobs, min(2, len(self.jobs))):
            source, file = self.random.choice(self.files)
            told.add("uses", run=run, job=job, attempt=1, source=source, file=file, name="late", direction="read",
                     role="input")  # fmt: skip

    def audit(self) -> None:
        """What was seen of copies, and decided about them."""
        for _ in range(2):
            told = self.told("audit")
            for source, number, url, site in self.random.sample(self.copies, min(8, len(self.copies))):
                event = self.one(
                    "verified", "verified", "missing", "quarantined", "removed", "replaced", "reinstated", "retired"
                )
                told.add("replicas", source=source, file=number, site=site, url=url, event=event, at=self.tick(),
                         inode=7 if event == "verified" or (event == "reinstated" and self.maybe(0.5)) else None)  # fmt: skip
                self.check(told, None, (source, number))
        if self.maybe(0.5):
            source, number = self.random.choice(self.files)
            told.add("replicas", source=source, file=number, event="retired", at=self.tick())

    def save(self) -> None:
        """Saved queries, one of them in two versions; each is a commit."""
        for name, version, query in (("good_raw", 1, "jobs"), *((name, 2, query) for name, query in SAVED.items())):
            self.told("save").add("queries", name=name, version=version, query=query)


def make_world(seed: int) -> World:
    """The world that a seed stands for."""
    return Maker(Random(seed)).make()
