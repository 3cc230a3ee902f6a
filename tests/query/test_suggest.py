"""What is offered behind the start of a query."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.parse import TERMINALS
from query.suggest import wanted
from query.vocabulary import Entity

EXAMPLES = (Path(__file__).with_name("golden") / "examples.txt").read_text(encoding="utf-8").splitlines()
QUOTED = re.compile(r'"[^"]*"')


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_word_of_the_examples_is_offered_where_it_stands(text: str) -> None:
    bare = QUOTED.sub(lambda match: "_" * len(match[0]), text)
    places = 0
    for word in TERMINALS:
        for match in re.finditer(rf"(?<![\w.@]){re.escape(word).removesuffix('s')}s?(?![\w.])", bare):
            for written in (match.start(), match.start() + 2):
                found = wanted(text[:written])
                assert found is not None, text[:written]
                rest = text[len(found.before) :]
                offered = [each for each in found.words if rest.startswith(each.removesuffix("s").removesuffix(" ("))]
                assert offered or found.names, (word, text[:written])
                places += 1
    assert places


@pytest.mark.parametrize(
    ("text", "partial", "entity", "names", "value_of"),
    [
        ("files where ki", "ki", Entity.FILES, True, None),
        ("files where kind = ", "", Entity.FILES, True, "kind"),
        ('files where kind = "r', '"r', Entity.FILES, False, "kind"),
        ("files where kind in ('a', 'r", "'r", Entity.FILES, False, "kind"),
        ('files where tags has any ("a", "', '"', Entity.FILES, False, "tags"),
        ('files where name like "', '"', Entity.FILES, False, "name"),
        ('files where `exposure id` = "', '"', Entity.FILES, False, "`exposure id`"),
        ("files where `expo", "`expo", Entity.FILES, True, None),
        ("files where job.st", "job.st", Entity.FILES, True, None),
        ("jobs where consuming (files where n", "n", Entity.FILES, True, None),
        ("jobs where consuming (files where size in (1, 2)) and n", "n", Entity.JOBS, True, None),
        ('files where name = "jobs (" and n', "n", Entity.FILES, True, None),
        ("workflow order by na", "na", Entity.WORKFLOWS, True, None),
        ("files summarize count(*) as n", "n", Entity.FILES, False, None),
        ("files where size > 2 G", "G", Entity.FILES, False, None),
        ("@good(ki", "ki", Entity.FILES, False, None),
        ("@lab/ra", "@lab/ra", Entity.FILES, False, None),
        ("files minus @lab-1.", "@lab-1.", Entity.FILES, False, None),
        ('files where `a``b` = "', '"', Entity.FILES, False, "`a``b`"),
        ('files where job.`a``b` in ("', '"', Entity.FILES, False, "job.`a``b`"),
    ],
)
def test_what_is_wanted(text: str, partial: str, entity: Entity, names: bool, value_of: str | None) -> None:
    found = wanted(text)
    assert found is not None
    assert (found.before + found.partial, found.partial) == (text, partial)
    assert (found.entity, found.names, found.value_of) == (entity, names, value_of)


@pytest.mark.parametrize(
    "text",
    [
        "files where = ",
        "fıles where k",
        "fil es x",
        'files "',
        "files where 'a",
        "files" * 10_000,
    ],
)
def test_where_nothing_can_come(text: str) -> None:
    assert wanted(text) is None


def test_words_of_several_words() -> None:
    for text, word in [("files up", "upstream of ("), ("files upstream o", "upstream of ("), ("files order ", "order by"),
                       ("files as ", "as of"), ("files where with the con", "with the content of (")]:  # fmt: skip
        found = wanted(text)
        assert found is not None and word in found.words and word.startswith(found.partial)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30) | st.lists(st.sampled_from([*TERMINALS, *"()=<.,'\"`$@", "a", "1", " "])).map(" ".join))
def test_any_text_is_divided_without_loss(text: str) -> None:
    found = wanted(text)
    assert found is None or found.before + found.partial == text
