"""What of a commit is its entry in the log: all that no erasure ever takes from it.

An erasure takes bounds of values out of commits, and writes files with pulled commits anew (`provenance.erasure`): the
document of a commit may change, and it is the same commit. Its entry does not: two documents are of one commit if they
have one entry. Bounds follow from the segments, whose digests are in the entry, as long as these are there.

What is signed is the entry without the signature, so that the signature is part of the entry and cannot be taken off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from integrity.log.note import base64_text
from integrity.merkle import leaf_hash
from provenance.history.canonical import SEAL, canonical
from provenance.schema import COMMIT_NUMBER

BOUNDS = ("min", "max")
_CONTENT = frozenset({"path", "size", "sha256"})
"""What a commit that pulled says of the file with what it pulled: an erasure writes that file anew."""
_TEXT = "pirene.commit/1"


def entry_of(data: bytes) -> bytes:
    """The entry of the commit with this document. ValueError, KeyError, TypeError: it is the document of none."""
    return entry(json.loads(data))


def entry(document: Mapping[str, Any]) -> bytes:
    """The same for a document that was read; it may have no seal yet."""
    kept = {key: value for key, value in document.items() if key != SEAL}
    kept["segments"] = [
        {**segment, "columns": {name: _without_bounds(name, said) for name, said in segment["columns"].items()}}
        for segment in document["segments"]
    ]
    if "pulled" in document:
        kept["pulled"] = [
            {key: value for key, value in pulled.items() if key not in _CONTENT} for pulled in document["pulled"]
        ]
    return canonical(kept)


def signed_text(document: Mapping[str, Any]) -> str:
    """What the author of a commit signs: the text of a note (C2SP signed-note), which is no checkpoint."""
    unsigned = leaf_hash(entry({**document, "signature": None}))
    return f"{_TEXT}\n{document['store']}\n{document['number']}\n{base64_text(unsigned)}\n"


def _without_bounds(name: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    if name == COMMIT_NUMBER.name:
        return said
    return {key: value for key, value in said.items() if key not in BOUNDS}
