"""Text on its way into a column: names that are no Unicode, which file systems have, get escapes; nothing is lost.

Columns of text hold Unicode. A file name of other bytes arrives as Python's surrogate escapes (PEP 383) and is stored
with each such byte as ``\\xNN``; its exact bytes are in its URL, which is percent-encoded.
"""

from __future__ import annotations

import re
from typing import overload

_SURROGATE = re.compile("[\ud800-\udfff]")


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
def storable(text: str | None) -> str | None:
    r"""``text`` with surrogate escapes as ``\xNN`` and any other lone surrogate as ``\uNNNN``."""
    return None if text is None else _SURROGATE.sub(_escape, text)


def storable_bytes(data: bytes) -> str:
    r"""Bytes as text: UTF-8 where they are that, ``\xNN`` where not."""
    return data.decode("utf-8", "backslashreplace")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
