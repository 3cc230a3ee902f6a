"""Stores to test with, rows for every table, and invocation records."""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provenance.schema import TABLES, Column, Kind
from provenance.segments.batch import Batch
from provenance.store import Store

EPOCH = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new, empty store."""
    return Store.open(tmp_path / ".pirene")


@pytest.fixture
def folders_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caches of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def full_batch() -> Callable[..., Batch]:
    """Makes batches with rows in every table: (first, last) -> rows of those ordinals, every column with a value.

    Every fifth row leaves out every column that is not an ordinal or a name.
    """
    return _full_batch


def _full_batch(first: int, last: int) -> Batch:
    batch = Batch()
    for table in TABLES:
        for ordinal in range(first, last + 1):
            own = table.columns[:-1]
            if ordinal % 5 == 4:
                own = tuple(column for column in own if column.name in (table.columns[0].name, "name"))
            batch.add(table.name, **{column.name: _value(column, ordinal) for column in own})
    return batch


def _value(column: Column, ordinal: int) -> object:
    match column.kind:
        case Kind.INTEGER:
            return (-1) ** ordinal * ordinal * 10_000_000_019
        case Kind.FLOAT:
            return float("nan") if ordinal == 7 else ordinal * 0.1 - 1
        case Kind.BOOLEAN:
            return ordinal % 2 == 0
        case Kind.TEXT:
            return f"{column.name} é'\"\n€ {ordinal:04d}" + ("x" * 200 if ordinal == 6 else "")
        case Kind.BYTES:
            return bytes([ordinal % 256]) * 32
        case Kind.TIME:
            return EPOCH + dt.timedelta(microseconds=ordinal * 1_000_003)
        case Kind.TEXTS:
            return [f"a{ordinal}", "", "€ ' \""][: ordinal % 4]
        case Kind.INTEGERS:
            return [ordinal, -ordinal, 0][: ordinal % 4]


Answer = tuple[list[str], list[tuple[Any, ...]]]
DUCKLAKE = (
    "duckdb==1.5.5",
    "duckdb-extension-ducklake==1.5.5",
    "duckdb-extension-httpfs==1.5.5",
    "duckdb-extension-postgres-scanner==1.5.5",
    "duckdb-extension-sqlite-scanner==1.5.5",
    "pytz",
)


@pytest.fixture(scope="session")
def ducklake_answers(python_environment: Callable[[str, Sequence[str]], Path]) -> Callable[..., list[Answer]]:
    """The real DuckLake extension: (statements that attach ``lake``, statements with parameters, folder) -> for each
    statement, the names of its columns and its rows.
    """
    python = python_environment("ducklake-1.5.5", DUCKLAKE)

    def run(attach: Sequence[str], statements: Sequence[tuple[str, Sequence[object]]], folder: Path) -> list[Answer]:
        done = subprocess.run(
            [str(python), str(Path(__file__).with_name("ducklake_reader.py"))],
            input=pickle.dumps((attach, statements)),
            capture_output=True,
            cwd=folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return pickle.loads(done.stdout)  # type: ignore[no-any-return]

    return run


@pytest.fixture(scope="session")
def ducklake(ducklake_answers: Callable[..., list[Answer]]) -> Callable[..., list[list[tuple[Any, ...]]]]:
    """As `ducklake_answers`, the rows alone."""

    def run(
        attach: Sequence[str], statements: Sequence[tuple[str, Sequence[object]]], folder: Path
    ) -> list[list[tuple[Any, ...]]]:
        return [rows for _, rows in ducklake_answers(attach, statements, folder)]

    return run


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A PostgreSQL server of the tests' own on a socket in ``folder``; ``eve`` alone has to give a password."""

    folder: Path
    binaries: Path

    def url(self, database: str) -> str:
        return f"postgresql://ada@/{database}?host={self.folder}"

    def psql(self, sql: str, database: str = "postgres", user: str = "ada") -> list[list[str]]:
        """What psql prints for a statement: rows of text, null as nothing. It must succeed."""
        command = [self.binaries / "psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", user]
        done = subprocess.run([*command, "-d", database, "-c", sql], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def make_database(self, name: str) -> str:
        """A new database whose order of text is not that of bytes; its URL."""
        order = "LOCALE_PROVIDER icu ICU_LOCALE 'en' TEMPLATE template0 ENCODING 'UTF8'"
        self.psql(f'CREATE DATABASE "{name}" {order}')
        return self.url(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server, started here. It refuses root, so for root it runs as the user of Debian's package."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    binaries = found[-1].parent
    assert (binaries / "initdb").exists(), "these tests need PostgreSQL's server: apt install postgresql"
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    # Not below pytest's own folder, which only its user may enter; and the path of a socket has little room.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    shutil.chown(folder, user)

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    data, log = folder / "data", folder / "log"
    try:
        run(binaries / "initdb", "-D", data, "-U", "ada", "--auth=trust", "--no-sync")
        access = data / "pg_hba.conf"
        access.write_text(f"local all eve scram-sha-256\n{access.read_text()}")
        options = f"-F -c listen_addresses='' -c unix_socket_directories='{folder}'"
        run(binaries / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        folder.chmod(0o755)
        yield PostgreSQL(folder, binaries)
        run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def database(postgresql: PostgreSQL) -> Iterator[str]:
    """The URL of a new database whose order of text is not that of bytes."""
    name = f"test-{uuid.uuid4()}"
    yield postgresql.make_database(name)
    postgresql.psql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def run_id() -> uuid.UUID:
    """The run that the records of `record_bytes` are of."""
    return uuid.UUID("0193572a-8f00-7000-8000-00000000002a")


@pytest.fixture(scope="session")
def read_file() -> Callable[..., dict[str, Any]]:
    """An entry of a record's inputs: name, content, and changes to single keys."""
    return _read_file


@pytest.fixture(scope="session")
def made_file() -> Callable[..., dict[str, Any]]:
    """An entry of a record's outputs: name, content, and changes to single keys."""
    return _made_file


@pytest.fixture(scope="session")
def record_bytes(run_id: uuid.UUID) -> Callable[..., bytes]:
    """Makes the record of a successful attempt: job, attempt, and changes to single keys."""

    def make(job: int = 1, attempt: int = 1, *, run: uuid.UUID = run_id, **changes: Any) -> bytes:
        record = {
            "schema": "pirene.invocation/1",
            "run_id": str(run),
            "job": job,
            "id": f"job-{job}",
            "attempt": attempt,
            "transformation": {"namespace": None, "name": "stack", "version": None},
            "site": "local",
            "reuse_key": "ab" * 32,
            "status": "succeeded",
            "failure": None,
            "interrupted": False,
            "start": "2026-11-23T05:20:00.123456Z",
            "end": "2026-11-23T05:20:10.123456Z",
            "duration": 9.5,
            "exit_code": 0,
            "signal": None,
            "pid": 4711,
            "user": "ada",
            "hostname": "node1",
            "cwd": "/scratch/1",
            "machine": {"uname": {"sysname": "Linux"}},
            "wrapper": {"version": "0.1", "python": "3.11.4", "sha256": "cd" * 32},
            "argument_vector": ["/usr/bin/stack", "-o", "out file"],
            "executable": "/usr/bin/stack",
            "environment": {},
            "usage": {"utime": 1.5, "stime": 0.5, "maxrss": 1 << 20, "inblock": 10, "outblock": 20},
            "inputs": [],
            "changed_inputs": [],
            "outputs": [],
            "stdout": {"size": 2, "text": "hi"},
            "stderr": {"size": 3, "base64": "/3gA"},
            "metadata": None,
        }
        return json.dumps(record | changes).encode()

    return make


def _read_file(name: str, content: bytes = b"raw", **changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {
        "name": name,
        "path": name,
        "role": "input",
        "sha256": digest,
        "size": len(content),
        "digest_origin": "recorded",
        "optional": False,
        "url": None,
        "source": None,
        "file": None,
        "actual_sha256": digest,
        "actual_size": len(content),
        "mtime_ns": 1_763_000_000_000_000_000,
        "ctime_ns": 1_763_000_000_000_000_001,
        "inode": 2**64 - 2,
        "device": 7,
        "owner": "ada",
        "seconds": 0.001,
        "at": "2026-11-23T05:20:00.000001Z",
        "stage": "pre-exec",
        "protection": "guard",
        "verdict": "ok",
        "finding": None,
        "error": None,
        "target": f"/data/{name}",
    } | changes


def _made_file(name: str, content: bytes = b"", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "path": name,
        "role": "output",
        "kind": "file",
        "optional": False,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "mtime_ns": 1_763_000_000_000_000_000,
        "ctime_ns": 1_763_000_000_000_000_001,
        "inode": 12,
        "device": 7,
        "owner": "ada",
        "seconds": 0.001,
        "at": "2026-11-23T05:20:05.000001Z",
        "stage": "output",
        "verdict": "ok",
        "finding": None,
        "error": None,
    } | changes
