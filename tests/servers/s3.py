"""Real S3 servers, started once for a test session: one that has conditional writes, and one that has not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.processes import SCRIPTS, TRIES, free_ports, running

BUCKET = "pirene"
SECRET = "not-a-secret"  # the servers are reached from this machine only, and for the tests' time


@dataclass(frozen=True)
class S3Server:
    """A server with one bucket, and two users: ``writer``, and ``reader``, who may only read."""

    endpoint: str

    def environment(self, user: str = "writer") -> Mapping[str, str]:
        """What makes every AWS client talk to this server as a user, and read no configuration of whoever runs tests."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": user,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
        }

    def client(self) -> Any:
        """A client of the writer's, to do behind the store's back what damages it."""
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="writer",
            aws_secret_access_key=SECRET,
        )

    def takes_objects(self) -> bool:
        """Whether the bucket is there and can be written to."""
        with contextlib.closing(self.client()) as client, contextlib.suppress(ClientError, BotoCoreError):
            with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"")
            return True
        return False


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS: it has conditional writes, and users."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    users = folder / "users.json"
    users.write_text(json.dumps({"identities": [_user("writer", "Admin"), _user("reader", "Read", "List")]}))
    yield from _first_that_starts(folder, _seaweedfs)


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """`rclone serve s3`: it passes over conditions, as other servers do."""
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "data" / BUCKET).mkdir(parents=True)
    yield from _first_that_starts(folder, _rclone)


def _first_that_starts(folder: Path, command: Any) -> Iterator[S3Server]:
    for attempt in range(TRIES):
        words, port = command(folder)
        server = S3Server(f"http://127.0.0.1:{port}")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(running(words, folder / "server.log", server.takes_objects))
            except RuntimeError:
                if attempt + 1 == TRIES:
                    raise
                continue
            yield server
            return


def _seaweedfs(folder: Path) -> tuple[list[str], int]:
    names = ("master", "volume", "filer", "s3")
    ports = dict(zip([f"{name}.port{kind}" for name in names for kind in ("", ".grpc")], free_ports(8), strict=True))
    words = [
        str(SCRIPTS / "weed"), "-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-s3", f"-s3.config={folder / 'users.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-s3.localSocket={folder / 's3.sock'}", f"-filer.localSocket={folder / 'filer.sock'}",
        "-master.volumeSizeLimitMB=64", "-volume.max=8", "-master.electionTimeout=1s",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    return words, ports["s3.port"]


def _rclone(folder: Path) -> tuple[list[str], int]:
    (port,) = free_ports(1)
    words = [
        str(SCRIPTS / "rclone"), "serve", "s3", str(folder / "data"), "--config", "/dev/null",
        "--addr", f"127.0.0.1:{port}", "--auth-key", f"writer,{SECRET}",
    ]  # fmt: skip
    return words, port


def _user(name: str, *actions: str) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": name, "secretKey": SECRET}], "actions": list(actions)}
