"""A key as a query says it is that key to the parser, whatever is in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query import names, tree
from query.context import Context
from query.parse import WORDS, parse
from query.resolved import Metadata
from query.spelling import spelled
from query.vocabulary import Entity

keys = (
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
    | st.lists(st.sampled_from([*WORDS, "a", "B1", "job", "meta", "name", "ä"]), min_size=1, max_size=3).map(".".join)
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys)
def test_any_key_is_itself_in_a_query(small: Any, now: Any, key: str) -> None:
    for text in ("files where {} = 1", "files order by {} desc limit 1", "files show {} as x", "files latest per {}"):
        written = text.format(spelled(key, small.table(Entity.FILES)))
        query = parse(written).query
        (name,) = [node for node in _nodes(query) if isinstance(node, tree.Name)]
        found = names.field(Context(written, small, {}, now, "no match"), Entity.FILES, name)
        assert isinstance(found, Metadata) and (found.path, found.key) == ((), key)


def _nodes(query: tree.Query) -> list[tree.Node]:
    from query.rewrite import nodes

    return list(nodes(query))


@pytest.mark.parametrize(
    ("key", "written"),
    [("kind", "kind"), ("qc.score", "qc.score"), ("status", "meta.status"), ("exposure id", "`exposure id`"),
     ("job.id", "`job.id`"), ("a`b", "`a``b`"), ("Order", "`Order`"), ("2mass", "`2mass`")],
)  # fmt: skip
def test_only_what_needs_it_is_quoted(key: str, written: str, small: Any) -> None:
    assert spelled(key, small.table(Entity.FILES)) == written
