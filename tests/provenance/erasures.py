"""Stores with a secret in all that can be erased, where it still is afterwards, and what there should be instead."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from provenance.answers.facts import Thing
from provenance.check.findings import Finding, Verdict
from provenance.check.whole import check_store
from provenance.erasure.erasure import ErasureReport, Target, erase
from provenance.history.commits import CommitKind, Segment
from provenance.metadata import from_yaml
from provenance.metadata_rows import add_metadata
from provenance.schema import BY_NAME
from provenance.segments.batch import Batch
from provenance.storage.interface import Stored
from provenance.storage.segment_cache import SegmentCache, Source
from provenance.store import Store
from query.vocabulary import Entity

AT = dt.datetime(2026, 11, 23, 5, tzinfo=dt.UTC)
SECRET = "patient-0815-Müller"
RUN = 7_000_000_000_000_000_001
FIRST = 1
Rows = list[dict[str, Any]]


def grow(store: Store, chance: random.Random, *, run: int = RUN, secret: str = SECRET) -> None:
    plan = Batch()
    plan.add("workflows", run=run, run_id=f"run {run}", kind="workflow", name="stack", planned=AT)
    for job in range(1, 10):
        plan.add("jobs", run=run, job=job, id=f"job-{job}", type="job", name="stack", decision="run")
    store.commit(CommitKind.PLAN, plan)
    for number in range(FIRST, 5):
        store.commit(CommitKind.INGEST, attempt(run, number, secret if number == FIRST else f"harmless-{number}"))
        if chance.random() < 0.4:
            store.compact()
    late = Batch()
    describe(late, run, FIRST, "subject", secret + " again", "file")
    late.add("replicas", source=run, file=FIRST, site="local", url=f"file:///{secret}", event="removed", at=AT)
    store.commit(CommitKind.METADATA, late)


def attempt(run: int, number: int, text: str) -> Batch:
    batch = Batch()
    key = {"run": run, "job": number, "attempt": 1}
    batch.add("invocations", **key, host="node", stdout_tail=f"out {text}", stderr_tail=text, record_sha256=bytes(32))
    sha256 = hashlib.sha256(text.encode()).digest()
    batch.add("files", source=run, file=number, name=f"{text}.dat", origin="raw", kind="file", sha256=sha256)
    batch.add("file_digests", source=run, file=number, sha256=sha256, checksums=[f"md5:{text}"], at=AT)
    batch.add("uses", **key, source=run, file=number, name=f"{text}.dat", role="input", direction="read", sha256=sha256)
    batch.add("replicas", source=run, file=number, site="local", url=f"file:///{text}", event="registered", at=AT)
    batch.add(
        "checks",
        source=run,
        number=number,
        file_source=run,
        file=number,
        name=text,
        verdict="ok",
        actual_sha256=sha256,
        at=AT,
    )
    describe(batch, run, number, "subject", text, "file")
    describe(batch, run, number, "note", f"note {number}", "file")
    describe(batch, run, number, "who", text, "job")
    return batch


def describe(batch: Batch, run: int, number: int, key: str, value: str, entity: Any) -> None:
    add_metadata(batch, entity, run, number, key, from_yaml(value, True), origin="static", author="ada", at=AT)


def file(number: int = FIRST, run: int = RUN) -> Thing:
    return Thing(Entity.FILES, run, number, "id", "label")


def job(number: int = FIRST, run: int = RUN) -> Thing:
    return Thing(Entity.JOBS, run, number, "id", "label")


EVERYTHING = (
    Target((file(),)),
    Target((job(),), output=True, keys=("who",)),
)
"""What takes the secret of one run out of a store."""


def erase_all(store: Store, run: int = RUN) -> list[ErasureReport]:
    files = Target((file(run=run),))
    jobs = Target((job(run=run),), output=True, keys=("who",))
    return [erase(store, target, "asked to by the person", author="ada") for target in (files, jobs)]


def holders(folder: Path, secret: str = SECRET) -> list[str]:
    """The files below a folder with the secret, or its digest, in their bytes, in any way that one of these writes it,
    or in their rows.
    """
    digest = hashlib.sha256(secret.encode())
    forms = [secret.encode(), json.dumps(secret)[1:-1].encode(), digest.digest()]
    forms += [digest.hexdigest().encode(), digest.hexdigest().upper().encode(), repr(digest.digest())[2:-1].encode()]
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".parquet":
                data += repr(pq.read_table(path).to_pylist()).encode()
                data += repr(pq.read_metadata(path)).encode()
            if any(form in data for form in forms):
                found.append(path.relative_to(folder).as_posix())
    return found


def told(store: Store, every: int = 1) -> dict[tuple[str, int], Rows]:
    """All rows of all tables as of all commits, or of every so many."""
    newest = store.snapshot()
    found = {}
    for number in range(0, newest.number + 1, every):
        for name, table in BY_NAME.items():
            rows = store.rows(f"SELECT * FROM {name}", tables=[name], snapshot=newest.at(number))
            names = [column.name for column in table.columns]
            found[name, number] = sorted((dict(zip(names, row, strict=True)) for row in rows), key=repr)
    return found


def without(told: dict[tuple[str, int], Rows], run: int = RUN) -> dict[tuple[str, int], Rows]:
    """The same by hand, without what `EVERYTHING` takes."""
    found: dict[tuple[str, int], Rows] = {}
    for (table, number), rows in told.items():
        kept = [dict(row) for row in rows if not is_erased(table, row, run)]
        for row in kept:
            if table == "invocations" and (row["run"], row["job"]) == (run, FIRST):
                row.update(stdout_tail=None, stderr_tail=None)
        found[table, number] = sorted(kept, key=repr)
    return found


def is_erased(table: str, row: dict[str, Any], run: int) -> bool:
    match table:
        case "files" | "file_digests" | "uses" | "replicas":
            return (row["source"], row["file"]) == (run, FIRST)
        case "checks":
            return (row["file_source"], row["file"]) == (run, FIRST)
        case "metadata":
            of_file = row["entity"] == "file" or (row["entity"], row["key"]) == ("job", "who")
            return of_file and (row["source"], row["number"]) == (run, FIRST)
    return False


def grave(store: Store) -> list[Finding]:
    return [finding for finding in check_store(store.storage).findings if finding.kind.verdict is not Verdict.CLEAN]


class Bucket:
    """A place shaped as S3 is: names and bytes, a put replaces what is there, queries read copies."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, bytes] = {}
        self._folder = folder
        self._cache = SegmentCache(Source(self._fetch, self.where))

    @property
    def location(self) -> str:
        return "memory://bucket"

    def where(self, name: str) -> str:
        return f"{self.location}/{name}"

    def prepare(self, parent: str, folders: Iterable[str]) -> None:
        """Nothing to make."""

    def read(self, name: str, size: int | None = None) -> bytes:
        if name not in self.objects:
            raise FileNotFoundError(errno.ENOENT, "no such object", name)
        return self.objects[name][: None if size is None else size + 1]

    def write(self, name: str, data: bytes | memoryview[int]) -> None:
        self.objects[name] = bytes(data)

    def create(self, name: str, data: bytes) -> bool:
        return self.objects.setdefault(name, data) is data

    def names(self, folder: str = "") -> set[str]:
        start = f"{folder}/" if folder else ""
        return {name.removeprefix(start).split("/")[0] for name in self.objects if name.startswith(start)}

    def stored(self, folder: str) -> Iterator[Stored]:
        for name in sorted(self.objects):
            if not folder or name.startswith(f"{folder}/"):
                yield Stored(name, len(self.objects[name]), AT)

    def remove(self, name: str) -> None:
        self.objects.pop(name, None)

    def paths(self, segments: Sequence[Segment]) -> list[Path]:
        return self._cache.paths(segments)

    def distrust(self, segments: Sequence[Segment]) -> None:
        self._cache.distrust(segments)

    def together(self, action: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(action, items)

    def workplace(self, store_id: str) -> Path:
        return self._folder

    def spread(self, folder: Path) -> Path:
        """The objects as files, to be searched."""
        for name, data in self.objects.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder

    def _fetch(self, name: str, path: Path) -> str:
        path.write_bytes(self.read(name))
        return hashlib.sha256(self.read(name)).hexdigest()
