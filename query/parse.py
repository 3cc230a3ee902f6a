"""Text to syntax tree: limits first, then the grammar, then our own nodes; and what is wrong, in the user's words."""

from __future__ import annotations

import functools
import re

from query import limits, parser_tables, syntax_nodes
from query.errors import QuerySyntaxError, QueryTooLarge, Span, did_you_mean
from query.lalr import END, Leaf, Parser, Unexpected
from query.tree import Statement

MAX_LENGTH = 256 * 1024  # characters: a longer query is a list that belongs into a parameter
MAX_DEPTH = 100  # nested parentheses; Python's own stack ends at about 300 of them
MAX_TOKENS = 20_000  # of values in lists, mostly: `query.limits` bounds what each of them may do
_AS_PARAMETER = "hand long lists over as a parameter: x in $list"
_BEFORE = 200  # characters before a mistake that say what it is: patterns below look at them more than once

_SKIPPED_OR_BRACKET = re.compile(
    # What is quoted is never looked at twice: a quote without a partner would cost its length for each quote within it.
    r"""(?P<skip>"(?:\\.|[^"\\])*+"?|'(?:\\.|[^'\\])*+'?|`(?:``|[^`])*+`?|\#[^\n]*|matches\s*/(?:\\.|[^/\\\n])++/)"""
    r"""|(?P<bracket>[()])|(?P<word>[\w$@]+|[^\w\s])""",
    re.DOTALL | re.IGNORECASE,
)

_ENTITIES = ("files", "jobs", "workflows", "replicas", "checks")
_CLAUSES = ("where", "latest", "order by", "limit", "show", "summarize", "union", "intersect", "minus", "as of")
_PREDICATES = ("and", "or", "not", "in", "between", "like", "matches", "is", "missing", "present", "has", "any", "all")
_RELATIONS = (
    "upstream of", "downstream of", "inputs of", "outputs of", "produced by", "consumed by", "producing", "consuming",
    "part of", "containing", "with the content of",
)  # fmt: skip
_BARE_RELATION = re.compile(rf"\b(?:{'|'.join(_RELATIONS)})\b(?!\s*\()".replace(" ", r"\s+"), re.IGNORECASE)
_WORDS = (*_ENTITIES, *_CLAUSES, *_PREDICATES, *_RELATIONS, "per", "by", "within", "steps")
WORDS = (
    *_WORDS, *(entity.removesuffix("s") for entity in _ENTITIES), "step", "asc", "desc", "as", "commit", "now", "true",
    "false",
)  # fmt: skip
"""All words of the language; some are several words."""


def parse(text: str) -> Statement:
    """The tree of a whole query. Raises QuerySyntaxError with a place, QueryTooLarge beyond the limits."""
    _check_size(text)
    try:
        parsed = _parser().parse(text)
    except Unexpected as error:
        raise _explained(text, error.leaf, error.expected) from None
    statement = syntax_nodes.statement(parsed, text)
    limits.check(statement)
    return statement


def has_comments(text: str) -> bool:
    """Whether a query has comments, which its tree does not keep."""
    return any(match["skip"] and match["skip"].startswith("#") for match in _SKIPPED_OR_BRACKET.finditer(text))


def expected_after(text: str) -> frozenset[str] | None:
    """The terminals that can come after ``text``; None if it is the start of no query."""
    return _parser().expected_after(text)


@functools.cache
def _parser() -> Parser:
    return parser_tables.load()


def _check_size(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise QueryTooLarge(f"the query has {len(text):,} characters; the limit is {MAX_LENGTH:,}", hint=_AS_PARAMETER)
    depth = 0
    for tokens, match in enumerate(_SKIPPED_OR_BRACKET.finditer(text), start=1):
        if tokens > MAX_TOKENS:
            raise QueryTooLarge(
                f"the query has more than {MAX_TOKENS:,} words and signs (at character {match.start() + 1})",
                hint=_AS_PARAMETER,
            )
        if match["bracket"] == "(":
            depth += 1
            if depth > MAX_DEPTH:
                raise QueryTooLarge(
                    f"parentheses are nested deeper than {MAX_DEPTH} (at character {match.start() + 1})",
                    hint="`and` and `or` take any number of conditions without parentheses",
                )
        elif match["bracket"] == ")":
            depth -= 1


def _explained(text: str, leaf: Leaf, expected: frozenset[str]) -> QuerySyntaxError:
    """What is wrong at the place where the parser stopped, and what to write instead."""
    if leaf.type == END:
        return _at_end(text, expected)
    from query import lookalikes  # only when something is wrong: the good way must start fast

    start = leaf.span[0]
    lookalike = lookalikes.around(text, start)
    if lookalike is not None:
        return QuerySyntaxError(lookalike[0], text=text, span=lookalike[1], hint=lookalike[2])
    written = str(leaf) or _word_at(text, start)
    span = (start, start + max(len(written), 1))
    message, hint = _special_case(text, span, written)
    if hint is None:
        near = (
            did_you_mean(written, (word for word in _WORDS if _allowed(word, expected))) if written.isalpha() else None
        )
        hint = f"did you mean {near}?" if near else _expectation(text, start, expected)
    return QuerySyntaxError(message, text=text, span=span, hint=hint)


def _at_end(text: str, expected: frozenset[str]) -> QuerySyntaxError:
    end = len(text.rstrip())
    if not text.strip():
        return QuerySyntaxError(
            "the query is empty", text=text, span=(0, 1), hint='write for example: files where kind = "raw"'
        )
    return QuerySyntaxError(
        "the query ends too early", text=text, span=(end, end + 1), hint=_expectation(text, end, expected)
    )


def _word_at(text: str, start: int) -> str:
    match = re.compile(r"\w+|\S").match(text, start)
    return match[0] if match else ""


def _special_case(text: str, span: Span, written: str) -> tuple[str, str | None]:
    """Mistakes that deserve their own words. The hint is None where the expected words say it."""
    before = text[max(0, span[0] - _BEFORE) : span[0]].rstrip()
    nearby = _BARE_RELATION.finditer(text, max(0, span[0] - _BEFORE), span[0] + _BEFORE)
    relation = next((found[0] for found in nearby if found.start() <= span[0] < found.end()), None)
    if relation is not None:
        return f"{relation} takes a query in parentheses", "put parentheses around the query that follows"
    if re.search(r"\bas\s+of\s+(commit\s+)?\S+$", before, re.IGNORECASE):
        return f"unexpected {written} after `as of`", "`as of` ends a whole query: write it last"
    if written in ('"', "'", "`"):
        return (
            f"this {written} has no partner",
            f"close it with another {written}; inside a text write it as \\{written}",
        )
    if written in ("“", "”", "„", "‘", "’", "«", "»"):
        return f"{written} quotes nothing here", 'a text is written in straight quotes: "raw"'
    if written.lower() in ("null", "none") and re.search(r"\bis(\s+not)?$", before, re.IGNORECASE):
        return f"unexpected {written}", "write is missing or is present"
    if written in ("&", "|", "!", "&&", "||"):
        return f"{written} is no operator here", "write and, or, not"
    if written in ("=", "==", "<", "<=", ">", ">=", "!=", "<>") and re.search(r"[<>=]\s*[^\s<>=]+$", before):
        return f"comparisons do not chain: {written}", "write a between 1 and 2, or a > 1 and a < 2"
    if written.lower() in ("union", "intersect", "minus") and re.search(
        r"\b(union|intersect|minus)\b", before, re.IGNORECASE
    ):
        return f"{written} after another set operator", "put parentheses around one of them"
    if written == "(" and re.search(r"\b(in|has|any|all)\s*\($|\.\.\s*$", before + " (", re.IGNORECASE) is not None:
        return "a nested list", None
    if re.search(r"\bin\s*\($", before, re.IGNORECASE) and written.lower().rstrip("s") + "s" in _ENTITIES:
        return "`in` takes values, not a query", "write the relation, for example: produced by (jobs where …)"
    if re.search(r"(\bin\b|\.\.)\s*[(\w\s,.\"]*$", before, re.IGNORECASE) and written in "+-*/%":
        return f"no arithmetic in a list or range: {written}", "write x between A and B, which takes any expression"
    if not before and written.lower() == "select":
        return "this is SQL, not a query", "write for example: files where size > 1 GiB"
    if not before:
        near = did_you_mean(written, _ENTITIES)
        if near is not None:
            return f"a query starts with what it asks for, not with {written}", f"did you mean {near}?"
        return (
            f"a query starts with what it asks for, not with {written}",
            "start with files, jobs, workflows, replicas or checks",
        )
    return f"unexpected {written}", None


_TERMINALS = {
    "where": "_WHERE", "latest": "_LATEST", "order by": "_ORDER", "limit": "_LIMIT", "show": "_SHOW", "and": "_AND",
    "summarize": "_SUMMARIZE", "union": "_UNION", "intersect": "_INTERSECT", "minus": "_MINUS_KW", "as of": "_AS_OF",
    "or": "_OR", "not": "NOT", "in": "_IN", "between": "_BETWEEN", "like": "_LIKE", "matches": "_MATCHES", "is": "_IS",
    "missing": "MISSING", "present": "PRESENT", "has": "_HAS", "any": "ANY", "all": "ALL", "per": "_PER", "by": "_BY",
    "within": "_WITHIN", "steps": "_STEPS",
}  # fmt: skip
TERMINALS = {
    **dict.fromkeys(_ENTITIES, "ENTITY"), **_TERMINALS, "asc": "ASC", "desc": "DESC", "as": "_AS", "now": "NOW",
    "commit": "_COMMIT", "true": "TRUE", "false": "FALSE", **{f"{word} (": "REL" for word in _RELATIONS},
}  # fmt: skip
"""Words that can be written, each with its terminal."""
_SIGNS = {"(": "LPAR", ")": "RPAR", "=": "EQ", "a number": "INT", "a name": "NAME", "step": "_STEP"}


def _allowed(word: str, expected: frozenset[str]) -> bool:
    if word in _ENTITIES:
        return "ENTITY" in expected
    return _TERMINALS.get(word, "REL") in expected


def _expectation(text: str, start: int, expected: frozenset[str]) -> str | None:
    """What could stand at ``start``, for a person: the few things that make sense, not all forty terminals."""
    if {"NAME", "STRING"} <= expected:
        return "a field or a value is expected here"
    if {"DATE", "PERIOD"} <= expected and "STRING" not in expected:
        return "a date, a time, `commit` and a number, or $name is expected here: as of 2026-05-01, as of commit 42"
    if "STRING" in expected and ("LPAR" in expected or "INT" in expected):
        return 'a value is expected here, such as "raw", 42, 2 GiB, 2026-05-01 or $name'
    if "STRING" in expected:
        return "a text in quotes is expected here"
    if {"INT", "PARAM"} <= expected:
        return "a whole number or $name is expected here"
    if "NAME" in expected and "QNAME" in expected:
        return "the name of a field is expected here; quote it with backticks if it is a word of the language"
    if "ENTITY" in expected:
        return "a query is expected here, which starts with files, jobs, workflows, replicas or checks"
    if "_CMP" in expected or "CMP" in expected:
        return "a comparison is expected here: = != < <= > >= in between like matches is has"
    words = [word for word in _TERMINALS if _TERMINALS[word] in expected]
    words += [sign for sign, terminal in _SIGNS.items() if terminal in expected]
    return f"expected here: {', '.join(words)}" if words else None
