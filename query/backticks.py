"""Backticks: what is between them is always part of a metadata key, whatever characters it has."""

from __future__ import annotations

import re

QUOTED = r"`(?:``|[^`])+`"
"""The pattern of a part in backticks; one backtick of the key is written as two."""


def quoted(part: str) -> str:
    """``part`` in backticks."""
    return "`" + part.replace("`", "``") + "`"


def unquoted(written: str) -> str:
    """What a name as written says, its parts joined by points: `` qc.`a``b` `` is the key ``qc.a`b``."""
    return re.sub(QUOTED, lambda match: match[0][1:-1].replace("``", "`"), written)
