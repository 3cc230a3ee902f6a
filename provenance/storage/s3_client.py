"""The library's client for a store on S3: how long it waits, how often it asks again, which checksums it sends."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.loaders
import botocore.session
from botocore.config import Config

from provenance.errors import ReadFailedError
from provenance.urls import without_credentials

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 30
"""Between two packets of an answer."""
_ATTEMPTS = 4


def client(location: str, connections: int) -> Any:
    """A client for up to so many ``connections`` at a time; asks the server nothing. ``location`` is what messages call
    the store. Raises what the library does, and ReadFailedError.
    """
    session = botocore.session.get_session()
    session.register_component("data_loader", _models(session.get_config_variable("data_path")))
    config = Config(
        region_name=session.get_config_variable("region") or "us-east-1",  # servers other than AWS have none
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=connections,
        # Servers other than AWS trip over checksums that come after the body; an MD5 they all know.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return session.create_client("s3", config=config)
    except ValueError as error:
        raise ReadFailedError(
            f"{location}: {without_credentials(str(error))}", hint="look at AWS_ENDPOINT_URL: http://HOST:PORT"
        ) from error


@cache
def _models(folders: str | None) -> Any:
    """The library's description of the protocol: to read it takes longer than all else that makes a client."""
    return botocore.loaders.create_loader(folders)
