"""Text that is no question: bytes, words in no order, questions with something knocked out or in."""

from __future__ import annotations

import unicodedata
from random import Random

from query.compile import compile_query
from query.errors import LocatedError, QueryError, QueryTooLarge
from query.parse import MAX_LENGTH
from query.vocabulary import Vocabulary
from tests.query.oracle.pools import NOW

_PIECES = [
    *"()()(),..=<>!+-*/%$@`\"'#\\\n\t\x00\x1b\u202e\ufeff\u2028", "files", "jobs", "replicas", "checks", "workflows",
    "where", "and", "or", "not", "in", "has any", "has", "is missing", "like", "matches", "between", "order by", "limit",
    "latest 1 per", "by", "show", "summarize", "count(*)", "sum(size)", "union", "minus", "intersect", "upstream of",
    "produced by", "within 1..3 steps", "as of", "as of commit", "2026-05-01", "2026-13", "2026-3-1", "now", "7 days", "5",
    "1e999", "9" * 30, "0.1", "2 GiB", "true", "kind", "size", "name", "job.id", "meta.x", "`a``b`", '"raw"', "'x'", "$p", "$q",
    "@saved", "@saved(a = 1)", "/re(/", "/[/", "exposure-id", "١٢", "Größe", "\U0001f52d", "x.y.z", "-", "a..b", "..", "desc",
    "as", "of", "the content of", "*", "-- ", "; DROP TABLE files", "\udcff", "”", "≤", "null", "fıles", "lıKe", "iſ",
]  # fmt: skip


def noise(random: Random, examples: list[str]) -> str:
    """One input."""
    match random.randrange(4):
        case 0:
            raw = random.randbytes(random.randrange(60))
            return raw.decode(random.choice(["latin-1", "utf-8"]), "surrogateescape")
        case 1:
            return random.choice(["", " "]).join(random.choices(_PIECES, k=random.randrange(1, 25)))
        case 2:
            return _knocked(random, random.choice(examples))
        case _:
            words = random.choice(examples).split(" ")
            for _ in range(random.randrange(1, 4)):
                words.insert(random.randrange(len(words) + 1), random.choice(_PIECES))
            return " ".join(words)


def _knocked(random: Random, text: str) -> str:
    for _ in range(random.randrange(1, 4)):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.randrange(4))
        text = text[:start] + random.choice(["", random.choice(_PIECES), chr(random.randrange(0x300))]) + text[end:]
    return text


def complaint(text: str, vocabulary: Vocabulary) -> str | None:
    """What is wrong with the answer to ``text``: anything but a statement, or an error that knows its place and can be
    looked at. None: nothing.
    """
    try:
        compile_query(text, vocabulary, {"p": "5"}, NOW)
    except QueryTooLarge:
        return None if len(text) > MAX_LENGTH or "(" in text or "-" in text else "too large?"
    except LocatedError as error:
        start, end = error.span
        if not 0 <= start <= end <= len(error.text) + 1:  # the caret of what is missing stands behind the end
            return f"the place {error.span} is outside of the text"
        lines = error.report().split("\n")
        if len(lines) not in (3, 4) or lines[2].strip("^ ") or "^" not in lines[2]:
            return f"not a message, the text and a caret: {lines}"
        return next((f"obeyed by a terminal: {line!r}" for line in lines if _obeyed(line)), None)
    except QueryError as error:
        return f"an error without a place: {error}"
    return None


def _obeyed(line: str) -> bool:
    return any(unicodedata.category(each) in ("Cc", "Cs") or each in "\u202e\u2066\u2028" for each in line)
