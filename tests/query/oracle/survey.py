"""A survey of the sky, as a store is told of it: the world in which the examples of the language's page, and the questions
that people asked us first, have answers.
"""

from __future__ import annotations

import datetime as dt
import uuid
from random import Random

from tests.query.oracle.facts import Said, Saying, Told, World
from tests.query.oracle.pools import NOW, number, text

DAY = dt.timedelta(days=1)
BAD = bytes([7]) * 32
PROCESSING = {"A": 101, "B": 102, "C": 103}


class Survey:
    """Makes the world: calibrations and raw images, a run that calibrates them, one that makes catalogs and a figure, one
    that fails.
    """

    def __init__(self) -> None:
        self.random = Random(42)
        self.world = World()
        self.raw: list[tuple[int, int]] = []
        self.made: list[tuple[int, int]] = []

    def make(self) -> World:
        """The world, and when its commits are to be made: from the end of April to the middle of June."""
        self.register(1, range(1, 31), NOW - 60 * DAY)
        self.flats(2, NOW - 50 * DAY)
        self.run("A", "DR3", "isr", self.raw[:20], "calexp", NOW - 40 * DAY, failing=3)
        self.register(3, range(31, 46), NOW - 10 * DAY)
        self.run("B", "DR3", "coadd", self.made[:8], "catalog", NOW - 8 * DAY, failing=0)
        self.run("C", "DR2", "align", self.raw[5:25], "calexp", NOW - 5 * 3600 * dt.timedelta(seconds=1), failing=12)
        self.look()
        told = self.told("save", NOW - dt.timedelta(hours=1))
        told.add("queries", name="good_raw", version=1, query='files where kind = "raw" and campaign = $campaign')
        return self.world

    def told(self, kind: str, made: dt.datetime) -> Told:
        self.world.commits.append(Told(kind, made=made))
        return self.world.commits[-1]

    def say(self, told: Told, entity: str, source: int, ordinal: int, at: dt.datetime, **values: Saying) -> None:
        for key, value in values.items():
            told.sayings.append((entity, source, ordinal, key.replace("__", "."), value, at))

    def copy(self, told: Told, source: int, file: int, site: str, at: dt.datetime, *, read: bool) -> None:
        told.add("replicas", source=source, file=file, site=site, url=f"file:///{site}/{source}/{file}", at=at,
                 event="registered", inode=1 if read else None)  # fmt: skip

    def register(self, source: int, images: range, began: dt.datetime) -> None:
        """Raw images, some of them twice under one name or with one content under two."""
        told = self.told("register", began)
        for image in images:
            name = f"raw_{image:03d}.fits" if image % 5 else f"S{image}_R2.fastq.gz"
            at = began + image * dt.timedelta(hours=2)
            created = dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + image * DAY if image in (10, 15, 20) else at
            content = BAD if image == 3 else bytes([1 if image in (1, 12, 40) else image]) * 32
            self.raw.append((source, image))
            told.add("files", source=source, file=image, name="raw_002.fits" if image == 33 else name, origin="raw",
                     kind="file", created=created, size_bytes=3 * 2**30 if image % 2 else 10**6 + image, sha256=content,
                     digest_origin="observed")  # fmt: skip
            for site in self.random.sample(["ncsa", "slac", "tape"], 2):
                self.copy(told, source, image, site, at, read=image % 3 == 0)
            temperature = f"{self.random.randint(-9900, -9100) / 100:.2f}"
            quality = self.random.choice(["good", "bad"])
            self.say(
                told, "file", source, image, at, kind=text("raw"), run=number(str(5130 + image), 5130 + image),
                campaign=text("DR3" if image % 3 else "DR2"), site=text(self.random.choice(["chile", "spain"])),
                tags=(text("golden"),) if image % 4 == 0 else (text("silver"), text("retracted")) if image % 7 == 0 else (),
                status=text("final" if image % 3 == 0 else "draft"),
            )  # fmt: skip
            if image % 6:
                self.say(told, "file", source, image, at, detector_temp=number(temperature, float(temperature)),
                         sample__tissue=text("liver"), qc__status=text(quality))  # fmt: skip
            if image % 2:
                self.say(told, "file", source, image, at, qc__score=number(f"0.{image % 10}", image % 10 / 10))

    def flats(self, source: int, began: dt.datetime) -> None:
        """Calibrations of four detectors, week by week."""
        told = self.told("register", began)
        for place in range(12):
            at = began + place * 5 * DAY
            told.add("files", source=source, file=place, name=f"flat_{place}.fits", origin="raw", kind="file", created=at,
                     size_bytes=100 + place, sha256=bytes([100 + place]) * 32, digest_origin="declared")  # fmt: skip
            self.say(told, "file", source, place, at, kind=text("flat"), detector=number(str(place % 4), place % 4))

    def run(
        self, name: str, campaign: str, transformation: str, inputs: list[tuple[int, int]], kind: str, began: dt.datetime,
        *, failing: int,
    ) -> None:  # fmt: skip
        """A run with a job for each input; the last ``failing`` of them fail."""
        source = PROCESSING[name]
        told = self.told("plan", began - dt.timedelta(minutes=1))
        told.add("workflows", run=source, run_id=str(uuid.UUID(int=source)), kind="workflow", name=name, user_name="anna",
                 host="h", engine="local", planned=began)  # fmt: skip
        self.say(told, "workflow", source, 0, began, campaign=text(campaign))
        for job in range(1, len(inputs) + 1):
            told.add("jobs", run=source, job=job, id=f"{transformation}{job}", type="job", name=transformation,
                     decision="run", site="local")  # fmt: skip
            self.say(told, "job", source, job, began, memory_requested=number(str(1000 * job), 1000 * job))
        told = self.told("ingest", began + dt.timedelta(minutes=1))
        told.add("workflow_states", run=source, state="running", at=began)
        for job, (file_source, file) in enumerate(inputs, start=1):
            self.attempt(told, source, job, file_source, file, began, failed=job > len(inputs) - failing)
            if job <= len(inputs) - failing + 1:  # the first that fails leaves something behind
                self.output(told, source, job, kind, began)
        told.add("workflow_states", run=source, state="failed" if failing else "succeeded",
                 at=began + dt.timedelta(hours=1))  # fmt: skip

    def attempt(
        self, told: Told, run: int, job: int, source: int, file: int, began: dt.datetime, *, failed: bool
    ) -> None:
        seconds = 3600.0 * (12 if job in (4, 5) else 1) + job
        told.add(
            "invocations", run=run, job=job, attempt=1, host=f"n{job % 3}", started=began, status="failed" if failed else "succeeded",
            ended=began + dt.timedelta(seconds=seconds), duration_seconds=seconds, exit_code=int(failed),
            max_rss_bytes=950 * job if job % 2 else 100 * job, cpu_seconds=seconds / 2,
        )  # fmt: skip
        told.add(
            "uses", run=run, job=job, attempt=1, source=source, file=file, name="in", direction="read", role="input"
        )
        told.add(
            "checks", source=run, number=job, run=run, job=job, attempt=1, file_source=source, file=file, name="in",
            stage="pre-exec" if job % 3 else "output", verdict="mismatch" if job % 5 == 0 else "ok", protection="none",
            at=began, host=f"n{job % 3}", expected_sha256=BAD,
        )  # fmt: skip

    def output(self, told: Told, run: int, job: int, kind: str, began: dt.datetime) -> None:
        names = {"catalog": {1: "catalog_v7.parquet", 2: "figure_3.pdf"}}
        file = job << 30 | 1 << 20
        at = began + job * dt.timedelta(minutes=3)
        told.add("files", source=run, file=file, name=names.get(kind, {}).get(job, f"{kind}_{job % 8}.fits"),
                 origin="produced", kind="file", job=job, attempt=1, size_bytes=5000 + job, created=at,
                 sha256=bytes([150 + job]) + bytes([run]) * 31, digest_origin="produced")  # fmt: skip
        self.made.append((run, file))
        self.copy(told, run, file, self.random.choice(["ncsa", "tape"]), at, read=True)
        self.say(told, "file", run, file, at, kind=text(kind), tract=number(str(job % 4), job % 4),
                 band=Said("gr"[job % 2], written_type="text"), campaign=text("DR3"))  # fmt: skip

    def look(self) -> None:
        """An audit of half of the copies; some files are gone."""
        told = self.told("audit", NOW - dt.timedelta(hours=2))
        copies = [row for commit in self.world.commits for table, row in commit.rows if table == "replicas"]
        for place, row in enumerate(copies):
            if place % 2 == 0 or row["file"] in (8, 9):
                event = "removed" if row["file"] in (8, 9) else "verified"
                told.add("replicas", source=row["source"], file=row["file"], site=row["site"], url=row["url"], event=event,
                         at=NOW - 6 * DAY, inode=1 if event == "verified" else None)  # fmt: skip


def make_survey() -> World:
    """The world of the survey."""
    return Survey().make()
