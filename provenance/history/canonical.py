"""The one form of a JSON document in a store, and the seal by which it knows its own bytes.

Canonical means: UTF-8, keys sorted, no white space, no numbers but integers (otherwise as RFC 8785 has it). Two writers
with the same facts produce the same bytes.

A sealed document has the key ``seal``: the sha256 (lower-case hex) of the document's own bytes with nothing between
the quotes of its seal; no object inside of it has a key of that name. It tells a document that was damaged from a whole
one, with nothing else at hand; it does not tell who wrote it, which is what the log of commits is for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

SEAL = "seal"

# In a string of JSON a quote has a backslash before it: these bytes stand nowhere but where the key does.
_SEALED = re.compile(rb'"seal":"([0-9a-f]{64})"')


def canonical(document: Mapping[str, Any]) -> bytes:
    """A JSON document of text, integers, booleans, nulls, lists and objects in the one form that it has."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(document: Mapping[str, Any]) -> bytes:
    """The canonical form of a document, which has no seal yet, with its seal. ValueError: there is one inside."""
    data = canonical({**document, SEAL: ""})
    if data.count(b'"seal":') != 1:
        raise ValueError(f"an object inside of this document has a key {SEAL!r}: {data[:80]!r}")
    return data.replace(b'"seal":""', b'"seal":"%s"' % hashlib.sha256(data).hexdigest().encode(), 1)


def seal_holds(data: bytes) -> bool:
    """Whether these are the bytes that were sealed. False also where there is no seal."""
    found = _SEALED.search(data)
    if found is None:
        return False
    digest = hashlib.sha256(data[: found.start(1)])
    digest.update(data[found.end(1) :])
    return digest.hexdigest().encode() == found[1]
