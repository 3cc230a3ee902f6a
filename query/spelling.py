"""How a metadata key is written in a query: as it is where that is understood, else in backticks."""

from __future__ import annotations

import re

from query import parse
from query.backticks import quoted
from query.names import META
from query.vocabulary import EntityTable

_PLAIN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
WORDS = frozenset(word for phrase in parse.WORDS for word in phrase.split())
"""Words of the language. Most of them could stand bare as a name somewhere; in backticks they can everywhere."""


def spelled(key: str, table: EntityTable) -> str:
    """``key`` of things of ``table`` as a query says it: `kind`, `meta.status`, `` `exposure id` ``."""
    if key in table.fields:
        return f"{META}.{key}"
    parts = key.split(".")
    hidden = len(parts) > 1 and (parts[0] in table.paths or parts[0] == META)
    if _PLAIN.fullmatch(key) and not hidden and WORDS.isdisjoint(part.lower() for part in parts):
        return key
    return quoted(key)
