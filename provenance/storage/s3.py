"""A store in a bucket of S3, or of a server that speaks its protocol.

What decides races is a put with the condition ``If-None-Match: *`` (in S3 since 2024). A server that does not know it
overwrites: commits would be lost without a word. So before anything is written here, the server has to refuse to
create what is there already.

A put is acknowledged when its bytes are as durable as the server makes them; it checks them against an MD5 that goes
with them. A file is seen whole or not at all, and by everybody, as soon as its put was acknowledged: S3 has been
consistent so since 2020. Credentials, endpoint and region are those that every AWS tool uses (AWS_* and ~/.aws).
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import errno
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from provenance.errors import (
    NotWrittenError,
    ReadFailedError,
    UnsupportedStoreError,
    UserFolderError,
    WriteFailedError,
)
from provenance.storage.durable import TEMPORARY
from provenance.storage.interface import Item, Result, Stored
from provenance.storage.s3_address import S3Address
from provenance.storage.s3_client import client
from provenance.storage.s3_errors import FAILURES, Failure, Server, Trouble, is_final, status
from provenance.storage.segment_cache import PARALLEL, SegmentCache, Source
from provenance.user_folders import state_folder

if TYPE_CHECKING:
    from provenance.history.commits import Segment

_T = TypeVar("_T")
_WITNESS = "store.json"
"""A file that is in every store and never changes."""
_CONFLICTS = 5
"""S3 answers 409 when it cannot yet say who won: so often is it asked again."""
_BREAKS = 2
"""So many answers may break off."""
_CHUNK_BYTES = 1 << 20


class S3Storage:
    """A `provenance.storage.interface.Storage` in a bucket. Made without asking the server anything."""

    def __init__(self, address: S3Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._made: Any = None
        self._endpoint = os.environ.get("AWS_ENDPOINT_URL") or "AWS"
        self._is_conditional = False
        self._cache = SegmentCache(Source(self.fetch, self.where))

    @property
    def location(self) -> str:
        """The URL ``s3://BUCKET/PREFIX``."""
        return self._address.url

    def where(self, name: str) -> str:
        """The file's URL."""
        return f"{self._address.url}/{name}"

    def workplace(self, store_id: str) -> Path:
        """A folder of the user's, for what no other machine could use."""
        try:
            return state_folder(store_id)
        except OSError as error:
            raise UserFolderError(
                f"{self.location}: there is no folder for what is not shared: {error}", hint="set XDG_STATE_HOME"
            ) from None

    def prepare(self, parent: str, folders: Iterable[str]) -> None:
        """There are no folders in a bucket, but it may be one where nothing can be written safely."""
        self._require_conditions()

    def read(self, name: str, size: int | None = None) -> bytes:
        """The bytes of a file."""
        return self._received(name, lambda chunks: _joined(chunks, size))

    def fetch(self, name: str, path: Path) -> str:
        """Write the bytes of a file to a local one, on stable storage; gives their sha256. Errors as of `read`, and
        OSError.
        """
        return self._received(name, lambda chunks: _kept(chunks, path))

    def write(self, name: str, data: bytes | memoryview[int]) -> None:
        """Put it; nobody reads it before it is whole."""
        self._require_conditions()
        self._written(name, bytes(data))

    def create(self, name: str, data: bytes) -> bool:
        """Put it if its name is free. Whoever does not hear how that went looks whose bytes are there."""
        self._require_conditions()
        for _ in range(_CONFLICTS):
            try:
                self._put(name, data, IfNoneMatch="*")
            except FAILURES as error:
                there = self._found(name, error)
                if there is not None:
                    return there == data
                if not isinstance(error, ClientError) or status(error) not in (409, 412):
                    raise self._write_failed(name, error) from error
            else:
                return True
        raise WriteFailedError(f"{self.where(name)}: the server did not decide who creates it", hint="do it again")

    def link(self, name: str, second: str) -> bool:
        """Have the server copy it."""
        source = {"Bucket": self._address.bucket, "Key": self._address.key(name)}
        try:
            self._client().copy_object(Bucket=self._address.bucket, Key=self._address.key(second), CopySource=source)
        except FAILURES as error:
            if isinstance(error, ClientError) and status(error) == 404:
                return False
            raise self._write_failed(second, error) from error
        return True

    def names(self, folder: str = "") -> set[str]:
        """The names of keys up to the next slash; none where nothing is."""
        prefix = self._address.key(f"{folder}/" if folder else "")
        found: set[str] = set()
        for page in self._pages(prefix, Delimiter="/"):
            found.update(each["Key"][len(prefix) :] for each in page.get("Contents", ()))
            found.update(each["Prefix"][len(prefix) : -1] for each in page.get("CommonPrefixes", ()))
        return found - {""}

    def stored(self, folder: str) -> Iterator[Stored]:
        """The objects below a folder."""
        prefix = self._address.key(f"{folder}/" if folder else "")
        found = [
            Stored(self._address.name(each["Key"]), each["Size"], each["LastModified"].astimezone(dt.UTC))
            for page in self._pages(prefix)
            for each in page.get("Contents", ())
            if not each["Key"].endswith("/")
        ]
        yield from sorted(found, key=lambda stored: stored.name)

    def remove(self, name: str) -> None:
        """Delete it; where versions are kept, the bucket keeps them."""
        with contextlib.suppress(*FAILURES):
            self._client().delete_object(Bucket=self._address.bucket, Key=self._address.key(name))

    def paths(self, segments: Sequence[Segment]) -> list[Path]:
        """Copies in the user's cache."""
        return self._cache.paths(segments)

    def distrust(self, segments: Sequence[Segment]) -> None:
        """Compare the copies in the user's cache with the digests; those that are not as recorded go."""
        self._cache.distrust(segments)

    def together(self, action: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Several requests at a time, and no more results ahead of who takes them than that."""
        rest = iter(items)
        with ThreadPoolExecutor(PARALLEL) as executor:
            while some := list(islice(rest, PARALLEL)):
                yield from executor.map(action, some)

    # Inner workings

    def _client(self) -> Any:
        """The library's client, made when it is first needed; it may be shared by threads, but not made by several."""
        with self._lock:
            if self._made is None:
                with self._explained("ask it"):
                    # While several write, one of them may read.
                    self._made = client(self.location, connections=2 * PARALLEL)
                self._endpoint = self._made.meta.endpoint_url
        return self._made

    def _received(self, name: str, take: Callable[[Iterator[bytes]], _T]) -> _T:
        """What ``take`` makes of a file's bytes as they arrive. The library sends a request again that was not
        answered; an answer that breaks off it leaves to us: then ``take`` begins again.
        """
        breaks = 0
        with self._explained(f"read {name}"):
            while True:
                with contextlib.closing(self._opened(name)) as body:
                    try:
                        return take(body.iter_chunks(_CHUNK_BYTES))
                    except (HTTPClientError, IncompleteReadError):
                        breaks += 1
                        if breaks > _BREAKS:
                            raise

    def _opened(self, name: str) -> Any:
        try:
            return self._client().get_object(Bucket=self._address.bucket, Key=self._address.key(name))["Body"]
        except ClientError as error:
            if error.response["Error"].get("Code") == "NoSuchKey":
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.where(name)) from None
            raise

    def _written(self, name: str, data: bytes) -> None:
        try:
            self._put(name, data)
        except FAILURES as error:
            raise self._write_failed(name, error) from error

    def _put(self, name: str, data: bytes, **condition: str) -> None:
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        self._client().put_object(
            Bucket=self._address.bucket,
            Key=self._address.key(name),
            Body=data,
            ContentMD5=base64.b64encode(digest).decode(),
            **condition,
        )

    def _found(self, name: str, error: Failure) -> bytes | None:
        """What is there after a put that did not succeed; None: nothing, or that cannot be said."""
        if is_final(error) and not (isinstance(error, ClientError) and status(error) == 412):
            return None
        try:
            return self.read(name)
        except (FileNotFoundError, ReadFailedError):
            return None

    def _require_conditions(self) -> None:
        """Raise UnsupportedStoreError if the server overwrites what it was asked to create only if it is not there."""
        if self._is_conditional:
            return
        name, made = _WITNESS, False
        try:
            data = self.read(name)
        except FileNotFoundError:
            name, data, made = os.urandom(8).hex() + TEMPORARY, b"may be removed", True
            self._written(name, data)
        except ReadFailedError as error:
            raise NotWrittenError(str(error), hint=error.hint) from error
        # The same bytes again: if it overwrites them nothing has changed.
        overwritten = self._overwrites(name, data)
        if made:
            self.remove(name)
        if overwritten:
            raise UnsupportedStoreError(
                f"{self.location}: the server knows no conditional writes (If-None-Match): writers could overwrite"
                " each other's commits, so nothing is written here",
                hint="use a server that has them, as AWS S3 and SeaweedFS do; a store that is there can be read",
            )
        self._is_conditional = True

    def _overwrites(self, name: str, data: bytes) -> bool:
        try:
            self._put(name, data, IfNoneMatch="*")
        except FAILURES as error:
            if isinstance(error, ClientError) and status(error) in (409, 412):
                return False
            raise self._write_failed(name, error) from error
        return True

    def _pages(self, prefix: str, **options: str) -> Iterator[Any]:
        with self._explained(f"list {prefix or 'the bucket'}"):
            pages = self._client().get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self._address.bucket, Prefix=prefix, **options)

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            trouble = self._trouble(error, doing)
            raise ReadFailedError(trouble.message, hint=trouble.hint) from error

    def _write_failed(self, name: str, error: Failure) -> WriteFailedError:
        """Nobody sees what the server refused; of what it did not answer to, nobody knows."""
        trouble = self._trouble(error, f"write {name}")
        kind = NotWrittenError if is_final(error) else WriteFailedError
        return kind(trouble.message, hint=trouble.hint)

    def _trouble(self, error: Failure, doing: str) -> Trouble:
        return Server(self._address, self._endpoint).trouble(error, doing)


def _joined(chunks: Iterator[bytes], size: int | None) -> bytes:
    """All of the bytes, or one more than ``size``."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if size is not None and len(data) > size:
            return bytes(data[: size + 1])
    return bytes(data)


def _kept(chunks: Iterator[bytes], path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
