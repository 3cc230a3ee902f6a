"""URLs of copies: file names of any bytes as ``file:`` URLs and back, and no credentials in any of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote, unquote_to_bytes, urlsplit

from provenance.errors import StoreError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USER = re.compile(r"(?<=://)[^/?#]*@")
_SECRETS = frozenset(
    (
        "access_token",
        "api_key",
        "apikey",
        "auth",
        "authz",
        "awsaccesskeyid",
        "key",
        "password",
        "secret",
        "sig",
        "signature",
        "token",
    )
)
"""Names of query parameters that carry credentials (bearer tokens, shared access signatures, S3's version 2)."""
_SECRET_PREFIXES = ("x-amz-", "x-goog-")


PLAIN_FILE = re.compile(r"file://(?:/(?:\.?[A-Za-z0-9_~-][A-Za-z0-9_.~-]*))+")
"""``file:`` URLs that are in the form of `file_url` already, as one can tell without taking them apart."""
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_BYTE = re.compile("[\udc80-\udcff]")


class UrlError(StoreError):
    """A text is no URL that can name a copy."""


def file_url(path: str | Path) -> str:
    """The ``file:`` URL of a local path (RFC 8089): absolute, bytes of the name percent-encoded, symlinks not
    followed.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 - Path keeps ".."
    # POSIX lets a path that begins with two slashes mean something else, and abspath keeps them; Linux does not.
    return "file://" + quoted_path(absolute[1:] if absolute.startswith("//") else absolute)


def quoted_path(path: str) -> str:
    """A path, or a part of one, as it stands in a URL."""
    return quote_from_bytes(os.fsencode(path), safe="/~")


def is_url(text: str) -> bool:
    """Whether a text that may be a path or a URL is a URL: it begins with a scheme and ``://``."""
    return _SCHEME.match(text) is not None


def local_path(url: str) -> Path | None:
    """The local path that a ``file:`` URL names; None for other schemes, other hosts, and what no path can hold."""
    name = local_name(url)
    return None if name is None else Path(name)


def local_name(url: str) -> str | None:
    """The same as text, for plans, which ask for every file of theirs: making a Path takes ten times as long."""
    if not url.startswith("file://"):
        return None
    host, slash, path = url.removeprefix("file://").partition("/")
    if not slash or host not in ("", "localhost"):
        return None
    name = os.fsdecode(unquote_to_bytes("/" + path))
    return None if "\0" in name else name


def url_path(url: str) -> str:
    """The path in a URL of any scheme, its bytes decoded as those of a file name. Raises ValueError for no URL."""
    return os.fsdecode(unquote_to_bytes(urlsplit(url).path))


def copy_url(text: str) -> str:
    """A URL as the store keeps it, from a URL or a path: paths become ``file:`` URLs, bytes that are no Unicode are
    percent-encoded, credentials are cut off.

    Raises UrlError for text that cannot be either.
    """
    if PLAIN_FILE.fullmatch(text):
        return text
    if not is_copy_url(text):
        raise UrlError(f"expected a path or a URL, found {text!r}")
    if not _SCHEME.match(text):
        return file_url(text)
    path = local_path(text)
    return without_credentials(_BYTE.sub(_quoted_byte, text)) if path is None else file_url(path)


def is_copy_url(text: str) -> bool:
    """Whether `copy_url` takes it: it is not empty, has no NUL, and each surrogate in it stands for a byte."""
    return bool(text) and "\0" not in text and (text.isascii() or not _NO_BYTE.search(text))


def without_credentials(url: str) -> str:
    """``url`` without user, password and the query parameters that carry secrets; everything else as it was."""
    base, mark, rest = _USER.sub("", url).partition("?")
    if not mark:
        return base
    query, sharp, fragment = rest.partition("#")
    kept = [part for part in query.split("&") if not _is_secret(part)]
    return base + ("?" if kept else "") + "&".join(kept) + sharp + fragment


def _quoted_byte(match: re.Match[str]) -> str:
    return f"%{ord(match.group()) - 0xDC00:02X}"


def _is_secret(parameter: str) -> bool:
    name = unquote(parameter.partition("=")[0]).lower()
    return name in _SECRETS or name.startswith(_SECRET_PREFIXES)
