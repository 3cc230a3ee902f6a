"""Rows, records, segments and commits that were edited, removed, inserted or reordered: exit code 4, with the place.

In a store that has pulled from another and was compacted: what is its own and what is not, what is live and what is
superseded; by somebody who changes a file, and by one who makes right what the commit says of it.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrity.merkle import root_hash
from provenance.exchange.pull import pull
from provenance.history.commits import Commit, CommitKind, Segment, commit_name
from provenance.history.entry import entry_of
from provenance.history.foreign import path_of
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.command_line import pirene_ended
from tests.provenance.erasures import RUN, grow
from tests.provenance.log.conftest import rewrite

OURS = RUN + 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged")
    theirs, ours = Store.open(folder / "theirs"), Store.open(folder / "ours")
    grow(theirs, random.Random(1), run=RUN, secret="theirs")
    grow(ours, random.Random(2), run=OURS, secret="ours")
    ours.commit(CommitKind.INGEST, three_attempts(OURS))
    pull(ours, theirs)
    assert ours.compact()
    ours.commit(CommitKind.INGEST, three_attempts(OURS, first=8, count=2))
    ours.project()
    done = pirene_ended("--store", str(ours.root), "log", "check")
    assert done.exit_code == 0, done.stdout
    return ours.root


def three_attempts(run: int, *, first: int = 5, count: int = 3) -> Batch:
    batch = Batch()
    for job in range(first, first + count):
        batch.add("invocations", run=run, job=job, attempt=1, host="node", record_sha256=bytes([job]) * 32)
        sha256 = hashlib.sha256(b"%d" % job).digest()
        batch.add("files", source=run, file=100 + job, name=f"{job}.dat", origin="raw", kind="file", sha256=sha256)
    return batch


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Store:
    shutil.copytree(made, tmp_path / "store")
    return Store.open(tmp_path / "store")


def named(store: Store) -> set[str]:
    """The places that `pirene log check` calls tampering, which it has to."""
    done = pirene_ended("--store", str(store.root), "log", "check", "--format", "json")
    assert done.exit_code == 4, done
    return {one["path"] for one in json.loads(done.stdout)["findings"] if one["verdict"] == "tampered"}


Pick = Callable[[Store, str], tuple[Commit, Segment]]


def superseded(store: Store, table: str) -> tuple[Commit, Segment]:
    """The segment of a commit whose rows were merged into another."""
    live = {segment.path for segment in store.snapshot().live()}
    return next((c, s) for c, s in brought(store, table) if c.kind is CommitKind.INGEST and s.path not in live)


def newest(store: Store, table: str) -> tuple[Commit, Segment]:
    """Of the last commit."""
    return brought(store, table)[-1]


def of_others(store: Store, table: str) -> tuple[Commit, Segment]:
    """What a pull brought."""
    return next((c, s) for c, s in brought(store, table) if s.origin is not None)


def merged(store: Store, table: str) -> tuple[Commit, Segment]:
    return next((c, s) for c, s in brought(store, table) if c.kind is CommitKind.COMPACT and s.origin is None)


def brought(store: Store, table: str) -> list[tuple[Commit, Segment]]:
    return [(commit, one) for commit in store.all_commits() for one in commit.segments if one.table == table]


def put(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def edited(rows: pa.Table) -> pa.Table:
    column = "host" if "host" in rows.column_names else "name"
    at = rows.schema.get_field_index(column)
    return rows.set_column(at, rows.schema.field(at), pa.array(["forged"] * len(rows), rows.schema.field(at).type))


def removed(rows: pa.Table) -> pa.Table:
    return rows.slice(1)


def inserted(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows, edited(rows.slice(0, 1))]).combine_chunks()


def reordered(rows: pa.Table) -> pa.Table:
    return rows.take(list(range(len(rows)))[::-1])


ROWS = [edited, removed, inserted, reordered]
PICKS: list[Pick] = [superseded, newest, of_others, merged]


@pytest.mark.parametrize("change", ROWS)
@pytest.mark.parametrize(
    ("table", "pick"),
    [
        ("files", superseded),
        ("files", of_others),
        ("files", merged),
        ("invocations", newest),
        ("invocations", of_others),
    ],
)
def test_rows_and_records(store: Store, change: Callable[[pa.Table], pa.Table], table: str, pick: Pick) -> None:
    commit, segment = pick(store, table)
    path = store.root / segment.path
    before = pq.read_table(path)
    rows = change(before)
    path.chmod(0o644)
    pq.write_table(rows, path)
    data = path.read_bytes()
    assert named(store) == {segment.path}

    def say(document: dict[str, Any]) -> None:
        """What is there now."""
        (said,) = [one for one in document["segments"] if one["path"] == segment.path]
        said |= {"rows": len(rows), "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        said["footer_size"] = pq.read_metadata(pa.BufferReader(data)).serialized_size
        if document["records"]["count"]:
            digests = sorted(rows.column("record_sha256").to_pylist()) if table == "invocations" else None
            if digests is not None:
                document["records"] = {"count": len(digests), "root": root_hash(digests).hex()}

    rewrite(store, commit.number, say)
    assert commit_name(commit.number) in named(store)


@pytest.mark.parametrize("pick", PICKS)
@pytest.mark.parametrize("how", ["edited", "removed", "inserted", "reordered"])
def test_segments(store: Store, how: str, pick: Pick) -> None:
    commit, segment = pick(store, "files")
    path = store.root / segment.path
    data = path.read_bytes()
    if how == "edited":
        put(path, data[:-9] + bytes([data[-9] ^ 16]) + data[-8:])
        assert named(store) == {segment.path}
    elif how == "removed":
        path.unlink()
        assert named(store) == {segment.path}
        rewrite(store, commit.number, lambda one: one.update(segments=without(one["segments"], segment)))
        assert commit_name(commit.number) in named(store)
    elif how == "inserted":
        another = f"{segment.path[:-8]}-more.parquet"
        put_new(store.root / another, data)

        def add(document: dict[str, Any]) -> None:
            (said,) = [one for one in document["segments"] if one["path"] == segment.path]
            document["segments"].append({**said, "path": another})

        rewrite(store, commit.number, add)
        assert commit_name(commit.number) in named(store)
    else:
        other = next(one for _, one in brought(store, "files") if one.path != segment.path)
        put(path, (store.root / other.path).read_bytes())
        put(store.root / other.path, data)
        assert named(store) == {segment.path, other.path}


def without(segments: Sequence[dict[str, Any]], segment: Segment) -> list[dict[str, Any]]:
    return [one for one in segments if one["path"] != segment.path]


def put_new(path: Path, data: bytes) -> None:
    path.parent.chmod(0o755)
    path.write_bytes(data)


@pytest.mark.parametrize("number", [1, 4, "newest"])
@pytest.mark.parametrize("how", ["edited", "removed", "inserted", "reordered"])
def test_commits(store: Store, how: str, number: int | str) -> None:
    last = store.snapshot().number
    at = last if number == "newest" else int(number)
    if how == "edited":
        rewrite(store, at, lambda one: one.update(author="forged"))
    elif how == "removed":
        (store.root / commit_name(at)).unlink()
    elif how == "inserted":
        for moved in range(last, at - 1, -1):  # the commit itself stands there twice then
            move(store, moved, moved + 1)
        at += 1
    else:
        other = at - 1 if at > 1 else at + 1
        first, second = ((store.root / commit_name(one)).read_bytes() for one in (at, other))
        put(store.root / commit_name(at), second)
        put(store.root / commit_name(other), first)
        for one in (at, other):
            rewrite(store, one, lambda document, one=one: document.update(number=one))
    assert commit_name(at) in named(store)


def move(store: Store, number: int, to: int) -> None:
    """A commit under another number, as if it had always had that."""
    shutil.copyfile(store.root / commit_name(number), store.root / commit_name(to))
    rewrite(store, to, lambda document: document.update(number=to))


def line_edited(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"author":null', b'"author":"forged"'), *lines[2:]]


def line_removed(lines: list[bytes]) -> list[bytes]:
    return [lines[0], *lines[2:]]


def line_inserted(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1], *lines[1:]]


def line_reordered(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], *lines[2:]]


@pytest.mark.parametrize("change", [line_edited, line_removed, line_inserted, line_reordered])
def test_commits_of_others(store: Store, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Lines of the file that keeps them; then under the name of its digest, with the commit that pulled them."""
    (commit,) = [one for one in store.all_commits() if one.kind is CommitKind.PULL]
    (pulled,) = commit.pulled
    path = store.root / pulled.path
    lines = path.read_bytes().splitlines(keepends=True)
    changed = change(lines)
    assert changed != lines
    put(path, b"".join(changed))
    assert named(store) == {pulled.path}
    data = b"".join(changed)
    digest = hashlib.sha256(data).hexdigest()
    other = path_of(pulled.store, pulled.first, digest)
    path.rename(store.root / other)

    def say(document: dict[str, Any]) -> None:
        (said,) = document["pulled"]
        said |= {"path": other, "sha256": digest, "size": len(data)}

    rewrite(store, commit.number, say)  # an erasure may change just that, and its commits stay what they were
    assert {other, commit_name(commit.number)} & named(store)
    rewrite(
        store,
        commit.number,
        lambda one: one["pulled"][0].update(pulled_sha256=digest, root=root_hash(map(entry_of, changed)).hex()),
    )
    assert commit_name(commit.number) in named(store)
