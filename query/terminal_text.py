"""Text for a terminal: what could move its cursor, change colours or reorder writing becomes a visible escape.

Names, keys and values may hold any character, and whoever chose them need not be a friend of whoever reads them.
"""

from __future__ import annotations

import unicodedata

# Format characters (Cf) that join or shape letters are part of ordinary text and stay; these reorder or hide it.
DECEIVING = "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def harmless(text: str) -> str:
    """``text`` on one line, with escapes for all that is not simply shown."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) for character in text)


def harmless_lines(text: str) -> str:
    """Text that was laid out in lines: they stay, everything in them is made `harmless`."""
    return "\n".join(harmless(line) for line in text.split("\n"))


def _escape(character: str) -> str:
    if character.isprintable() or (unicodedata.category(character) == "Cf" and character not in DECEIVING):
        return character
    code = ord(character)
    long = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(character, long)
