"""Places that a store can be in, with what tests do to it behind its back."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.servers.s3 import BUCKET, S3Server

ROOT = Path(__file__).resolve().parents[3]


class Place(Protocol):
    """An empty place, named as for ``--store``; ``environment`` is what a process needs to get there."""

    location: str
    environment: Mapping[str, str]

    def read(self, name: str) -> bytes:
        """The bytes of a file of the store."""

    def replace(self, name: str, data: bytes) -> None:
        """Put other bytes there, or a file that nobody asked for."""

    def remove(self, name: str) -> None:
        """Take a file away."""

    def duckdb_statements(self) -> list[str]:
        """What DuckDB has to be told before it can read files here."""

    def reader(self, *command: str) -> tuple[Sequence[str], Mapping[str, str]]:
        """A command, and what it is to have in its environment, so that it may read the place but not write to it."""


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str:
        return str(self.path)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def replace(self, name: str, data: bytes) -> None:
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).unlink(missing_ok=True)
        (self.path / name).write_bytes(data)

    def remove(self, name: str) -> None:
        (self.path / name).unlink()

    def duckdb_statements(self) -> list[str]:
        return []

    def reader(self, *command: str) -> tuple[Sequence[str], Mapping[str, str]]:
        # Whoever runs tests may be root, to whom permissions are nothing: a mount of one's own that takes no writes.
        mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        namespace = "--mount" if os.geteuid() == 0 else "--map-root-user"
        return ["unshare", namespace, "--mount", "sh", "-c", mount, self.location, *command], {}


@dataclass(frozen=True)
class Prefix:
    """A prefix in the bucket of a server."""

    server: S3Server
    prefix: str

    @property
    def location(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}"

    @property
    def environment(self) -> Mapping[str, str]:
        return self.server.environment()

    def read(self, name: str) -> bytes:
        data: bytes = self._ask("get_object", name)["Body"].read()
        return data

    def replace(self, name: str, data: bytes) -> None:
        self._ask("put_object", name, Body=data)

    def remove(self, name: str) -> None:
        self._ask("delete_object", name)

    def duckdb_statements(self) -> list[str]:
        options = {
            "TYPE": "s3",
            "KEY_ID": "reader",
            "SECRET": self.environment["AWS_SECRET_ACCESS_KEY"],
            "ENDPOINT": self.server.endpoint.removeprefix("http://"),
            "URL_STYLE": "path",
            "USE_SSL": "false",
        }
        said = ", ".join(f"{name} '{value}'" for name, value in options.items())
        return [f"CREATE SECRET ({said})"]

    def reader(self, *command: str) -> tuple[Sequence[str], Mapping[str, str]]:
        return command, self.server.environment("reader")

    def _ask(self, operation: str, name: str, **options: Any) -> Any:
        return getattr(self.server.client(), operation)(Bucket=BUCKET, Key=f"{self.prefix}/{name}", **options)


def python(*words: str) -> list[str]:
    """A Python program of this environment, with its arguments."""
    return [sys.executable, "-P", *words]
