"""``s3://BUCKET/PREFIX``: where in a bucket a store is. Credentials have no place in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from provenance.errors import UnsupportedStoreError
from provenance.urls import without_credentials

SCHEME = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
"""What S3 and the servers like it have called a bucket so far; not more, as it becomes part of a host's name."""


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket, and what the keys of all files of the store begin with (no slash at its ends; may be empty)."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> S3Address:
        """Raises UnsupportedStoreError for what names no place in a bucket, without showing credentials in it."""
        shown = without_credentials(url)
        if shown != url:
            raise UnsupportedStoreError(
                f"{shown}: credentials do not belong into the URL of a store",
                hint="give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in AWS_PROFILE",
            )
        bucket, _, path = url.removeprefix(SCHEME).partition("/")
        prefix = path.strip("/")
        parts = prefix.split("/") if prefix else []
        if not _BUCKET.fullmatch(bucket):
            raise UnsupportedStoreError(f"{url}: expected s3://BUCKET/PREFIX, found {bucket!r} as the bucket")
        if any(part in ("", ".", "..") or not part.isprintable() for part in parts) or set(prefix) & set("?#"):
            raise UnsupportedStoreError(f"{url}: expected s3://BUCKET/PREFIX, found {path!r} as the prefix")
        return cls(bucket, prefix)

    @property
    def url(self) -> str:
        """The address as text; parsed, it is this address again."""
        return f"{SCHEME}{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def key(self, name: str) -> str:
        """The key of a file of the store, or what the keys of a folder begin with."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def name(self, key: str) -> str:
        """The file's name in the store."""
        return key[len(self.prefix) + 1 :] if self.prefix else key
