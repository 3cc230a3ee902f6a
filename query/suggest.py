"""What can come next in a query that is being written: words of the language, and where names and values are wanted.

It knows the grammar, not the store: `provenance.answers.completion` fills in keys and values.
"""

from __future__ import annotations

import re
from typing import Literal

from query.backticks import QUOTED
from query.context import ENTITY_WORDS
from query.frozen import Frozen, frozen
from query.parse import TERMINALS, expected_after
from query.vocabulary import Entity

_PARTIAL = re.compile(r"""(?P<value>["'][^"']*)$|(?P<name>[\w.]*`(?:``|[^`])*|@[\w./-]*|\$?[\w.]*)$""")
_SKIPPED = re.compile(rf"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|{QUOTED}|#[^\n]*)""")
_SCOPES = re.compile(r"[()]|\b(?:files?|jobs?|workflows?|replicas?|checks?)\b", re.IGNORECASE)
_ASKED = re.compile(
    rf"""(?P<field>(?:[^\W\d]\w*|{QUOTED})(?:\.(?:[^\W\d]\w*|{QUOTED}))*)\s*
        (?:==?|!=|<>|\blike\b|(?:\bnot\s+)?\bin\s*\((?:[^()]*,)?|\bhas\b(?:\s+(?:any|all)\s*\((?:[^()]*,)?)?)\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_MOST = 20_000  # characters: nobody writes more by hand


@frozen
class Wanted(Frozen):
    """What fits behind ``before``, in place of ``partial``.

    ``words`` are those of the language; ``names``: fields and keys of ``entity``; ``saved``: names of saved queries;
    ``value_of``: values of this field, each in quotes.
    """

    before: str
    partial: str
    entity: Entity
    words: tuple[str, ...] = ()
    names: bool = False
    saved: bool = False
    value_of: str | None = None


def wanted(text: str) -> Wanted | None:
    """What can come at the end of ``text``; None where nothing can, because it is wrong before that."""
    if len(text) > _MOST:
        return None
    before, partial, kind = _divided(text)
    entity = _entity(before)
    if kind == "value":
        asked = _ASKED.search(before)
        return None if asked is None else Wanted(before, partial, entity, value_of=asked["field"])
    expected = expected_after(before)
    if expected is None:
        return None
    asked = _ASKED.search(before) if not partial and "STRING" in expected else None
    return Wanted(
        before,
        partial,
        entity,
        words=tuple(word for word, terminal in TERMINALS.items() if terminal in expected),
        names="NAME" in expected and not _is_new_name(before),
        saved="AT_NAME" in expected,
        value_of=None if asked is None else asked["field"],
    )


def _divided(text: str) -> tuple[str, str, Literal["value", "name"]]:
    """The text before the word that is being written, and the word."""
    bare = _SKIPPED.sub(lambda match: "_" * len(match[0]), text)
    begun = _begun_phrase(bare)
    if begun:
        return text[:-begun], text[-begun:], "name"
    match = _PARTIAL.search(bare)
    assert match is not None  # it matches the empty end
    return text[: match.start()], text[match.start() :], "value" if match["value"] else "name"


def _begun_phrase(bare: str) -> int:
    """How many characters at the end are the start of a phrase, with one of its words complete: `order b`."""
    for phrase in (word for word in TERMINALS if " " in word):
        for length in range(len(phrase), phrase.index(" "), -1):
            if bare[-length:].lower() == phrase[:length] and not bare[-length - 1 : -length].strip():
                return length
    return 0


def _is_new_name(before: str) -> bool:
    """Whether a name that stands here would be a new one: after `as`, a number (a unit) or in arguments."""
    return re.search(r"(\bas|\d|@[\w./-]+\s*\((?:[^()]*,)?)\s*$", before, re.IGNORECASE) is not None


def _entity(before: str) -> Entity:
    """What the innermost query that is still open asks about."""
    scopes: list[Entity | None] = [None]
    for match in _SCOPES.finditer(_SKIPPED.sub(" ", before)):
        if match[0] == "(":
            scopes.append(None)
        elif match[0] == ")":
            scopes[1:] = scopes[1:-1]
        elif scopes[-1] is None:
            scopes[-1] = ENTITY_WORDS.get(match[0].lower().removesuffix("s") + "s")  # none: `fıles` is a name
    return next((scope for scope in reversed(scopes) if scope is not None), Entity.FILES)
