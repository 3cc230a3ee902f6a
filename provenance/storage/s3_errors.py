"""What went wrong at an S3 server, in one line: the library's exceptions, and the codes that servers answer with.

Sources: the list of error codes in the S3 API reference; botocore's exceptions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from provenance.storage.s3_address import S3Address
from provenance.urls import without_credentials

Failure: TypeAlias = ClientError | BotoCoreError | ResponseParserError
FAILURES = (ClientError, BotoCoreError, ResponseParserError)
"""What the library raises when a request does not succeed."""

_CREDENTIALS = "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or at AWS_PROFILE"
_ENDPOINT = "look at the network, at AWS_ENDPOINT_URL, and, for https, at AWS_CA_BUNDLE"
_BAD_CREDENTIALS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})
_FORBIDDEN = frozenset({"AccessDenied", "AllAccessDisabled", "403"})
_SYSTEM = re.compile(r"\[(?:Errno -?\d+|SSL: \w+)\] ([^'\"()]+)")
"""What the operating system or OpenSSL said, among what the library says around it."""
_OTHER_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line on what was found, and what to do about it (None: nothing that we know)."""

    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Server:
    """Whom we asked, for what."""

    address: S3Address
    endpoint: str

    def trouble(self, error: Failure, doing: str) -> Trouble:
        """What kept us from ``doing`` ("read store.json")."""
        if isinstance(error, ClientError):
            return self._refusal(error, doing)
        url = self.address.url
        match error:
            case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError() | ProfileNotFound():
                return Trouble(f"{url}: there are no credentials: {_line(error)}", _CREDENTIALS)
            case InvalidRegionError():
                return Trouble(f"{url}: {_line(error)}", "look at AWS_REGION")
            case HTTPClientError() | ConnectionError():
                cause = _SYSTEM.search(str(error.kwargs.get("error", ""))) or _SYSTEM.search(_line(error))
                why = f": {cause[1].strip()}" if cause else f" ({type(error).__name__})"
                return Trouble(f"{url}: no answer from {without_credentials(self.endpoint)}{why}", _ENDPOINT)
            case ResponseParserError():
                return self._no_s3(_line(error))
            case _:
                return Trouble(f"{url}: could not {doing}: {_line(error)}", _ENDPOINT)

    def _refusal(self, error: ClientError, doing: str) -> Trouble:
        url, code = self.address.url, error.response["Error"].get("Code", "")
        if code == "NoSuchBucket":
            return Trouble(
                f"{url}: there is no bucket {self.address.bucket} at {without_credentials(self.endpoint)}",
                "make it, or look at the URL and at AWS_ENDPOINT_URL",
            )
        if code in _BAD_CREDENTIALS:
            return Trouble(f"{url}: the server does not accept the credentials ({code})", _CREDENTIALS)
        if code in _FORBIDDEN:
            return Trouble(
                f"{url}: it is not allowed to {doing} ({code})",
                "the user needs s3:GetObject and s3:ListBucket to read, and s3:PutObject and s3:DeleteObject to write",
            )
        if code in _OTHER_REGION:
            return Trouble(f"{url}: the bucket is in another region ({code})", "name its region in AWS_REGION")
        if status(error) == 404:
            return self._no_s3(f"404 {code}")
        return Trouble(f"{url}: could not {doing}: the server says {code}: {_line(error)}", None)

    def _no_s3(self, found: str) -> Trouble:
        endpoint = without_credentials(self.endpoint)
        return Trouble(f"{self.address.url}: {endpoint} does not answer as S3 does: {found}", _ENDPOINT)


def status(error: ClientError) -> int:
    """The HTTP status that the server answered with; 0: none is known."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_final(error: Failure) -> bool:
    """Whether the request was refused the only time that it was sent: then it has done nothing and never will."""
    if not isinstance(error, ClientError):
        return isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound | InvalidRegionError)
    retried = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
    return 400 <= status(error) < 500 and status(error) not in (408, 409, 429) and not retried


def _line(error: Exception) -> str:
    return without_credentials(" ".join(str(error).split()))
