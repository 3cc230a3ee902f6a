"""The second opinion: what the store answers against what a plain evaluator thinks, on made-up stores and questions.

Both have to agree on rows, on their order, on what is shown, and on whether a question makes sense at all. Most answers
have to be some rows, not none and not all: two programs agree easily about nothing.

`make fuzz` asks other questions, of other stores, for as long as one likes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from provenance.errors import StoreError
from query.errors import QueryError
from tests.query.oracle.agreement import difference
from tests.query.oracle.answer import Oracle
from tests.query.oracle.coverage import asked
from tests.query.oracle.facts import World
from tests.query.oracle.pools import NOW
from tests.query.oracle.questions import Questioner, as_of
from tests.query.oracle.scalars import Refused
from tests.query.oracle.stores import Asked, Asking, tell
from tests.query.oracle.worlds import make_world

STORES = 25
QUESTIONS = 200  # of each store
SHARE = 0.6  # of answers have to be neither nothing nor everything
PARTS = 5  # of the work, for several workers

Open = Callable[[int], tuple[Asking, Oracle]]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Open]:
    """Tells the world of a seed to a store: (the store, the oracle). Every other store has wide tables."""
    opened: list[Asking] = []

    def one(number: int) -> tuple[Asking, Oracle]:
        world = make_world(number)
        asking = Asking(tell(world, tmp_path / str(number) / ".pirene"), world, widened=number % 2 == 1)
        if asking.widened:
            asking.widen()
        opened.append(asking)
        return asking, Oracle(world, NOW)

    yield one
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def world_2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asking, Oracle]]:
    """One store for many tests."""
    world = make_world(2)
    asking = Asking(tell(world, tmp_path_factory.mktemp("world") / ".pirene"), world, widened=False)
    yield asking, Oracle(world, NOW)
    asking.close()


class Tally:
    """What became of questions."""

    def __init__(self) -> None:
        self.kinds = Counter[str]()
        self.asked: set[tuple[int, str, str]] = set()

    def compare(self, number: int, text: str, given: dict[str, Any], oracle: Oracle, ask: Callable[[], Asked]) -> None:
        """Ask both; fails where they do not agree."""
        self.asked.add((number, text, repr(given)))
        try:
            expected = oracle.answer(text, given)
        except Refused as refusal:
            self.refused(f"{text} {given}: the oracle refuses ({refusal})", ask)
            return
        try:
            found = ask()
        except (QueryError, StoreError) as error:
            raise AssertionError(f"{text} {given}: expected an answer, found: {error}") from error
        assert difference(expected, found) is None, f"{text} {given}: {difference(expected, found)}"
        kind = "none" if expected.chosen == 0 else "all" if expected.chosen == expected.total else "some"
        self.kinds[kind] += 1

    def refused(self, reason: str, ask: Callable[[], Asked]) -> None:
        """What the oracle refuses has to be refused."""
        try:
            found = ask()
        except (QueryError, StoreError):
            self.kinds["refused"] += 1
            return
        raise AssertionError(f"{reason}, and there is an answer: {found}")

    @property
    def share(self) -> float:
        return self.kinds["some"] / (self.kinds.total() - self.kinds["refused"])


def questions(asking: Asking, oracle: Oracle) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Questions about a store as it is now. Each comes from a number: drawn choice by choice, every other one would
    have been asked before.
    """
    state = oracle.state(len(asking.world.commits))
    return st.integers(0, (1 << 64) - 1).map(lambda number: Questioner(state, Random(number).choice).question())


def ask_much(tally: Tally, number: int, asking: Asking, oracle: Oracle, count: int) -> None:
    """Ask one store ``count`` questions that Hypothesis makes up, always the same ones."""
    newest = len(asking.world.commits)

    @seed(number)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(questions(asking, oracle))
    def agree(question: tuple[str, dict[str, Any]]) -> None:
        text, parameters = question
        tally.compare(number, text, parameters, oracle, lambda: asking.ask(text, parameters, newest))

    agree()


def ask_at_the_door(tally: Tally, number: int, asking: Asking, oracle: Oracle, count: int) -> None:
    """Ask as everybody does, about the past too, and of wide tables where there are some."""
    random = Random(number)
    times = [told.made for told in asking.world.commits if told.made is not None]
    for _ in range(count):
        past, more = ("", {}) if random.random() < 0.4 else as_of(random.choice, len(times), times)
        text, parameters = Questioner(oracle.state(len(times)), random.choice).question()
        text, parameters = text + past, {**parameters, **more}
        tally.compare(
            number, text, parameters, oracle,
            lambda text=text, parameters=parameters: asking.ask_at_the_door(text, parameters),
        )  # fmt: skip


@pytest.mark.parametrize("part", range(PARTS))
def test_the_store_answers_as_the_oracle_does(part: int, told: Open, record_property: Any) -> None:
    tally = Tally()
    began = time.process_time()
    for number in range(part, STORES, PARTS):
        asking, oracle = told(number)
        ask_much(tally, number, asking, oracle, QUESTIONS)
        ask_at_the_door(tally, number, asking, oracle, 8)
    record_property(
        "measured",
        f"oracle, part {part}: {len(tally.asked)} different questions to {STORES // PARTS} stores, "
        f"{dict(tally.kinds)}, {tally.share:.0%} neither nothing nor everything, {time.process_time() - began:.0f} s",
    )
    assert len(tally.asked) >= STORES // PARTS * 200
    assert tally.share >= SHARE


ORDERED = ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "not between")
EXPECTED = {
    **dict.fromkeys(("text", "key of text"), (*ORDERED, "like", "not like", "matches", "not matches")),
    **dict.fromkeys(("number", "size", "duration", "time"), (*ORDERED, "in a..b", "not in a..b")),
    **dict.fromkeys(("key of number", "key of time"), (*ORDERED, "in a..b", "not in a..b")),
    "key of mixed values": (*ORDERED, "in a..b", "not in a..b", "like", "not like"),
    "key of truth": ("=", "!=", "is missing"),
    "digest": ("=", "!=", "in", "not in", "like"),
    **dict.fromkeys(
        ("texts", "key of lists", "key of lists and single values"),
        ("has", "not has", "has any", "not has any", "has all", "not has all", "is missing", "is present"),
    ),
}
"""What is asked of what kind of field; of each, some rows have no value."""


def test_every_operator_is_asked_of_every_kind_of_field() -> None:
    """As those above are made up: half as many meet all pairs."""
    found: set[tuple[str, str]] = set()
    for number in range(STORES):
        state = Oracle(world := make_world(number), NOW).state(len(world.commits))
        random = Random(number)
        for _ in range(QUESTIONS // 2):
            found |= asked(Questioner(state, random.choice).question()[0], state)
    expected = {(operator, kind) for kind, operators in EXPECTED.items() for operator in operators}
    assert expected - found == set()


WRONG_ONCE = [
    "files latest 1 per loose",  # rows whose value is a list were a group of their own
    "files where mixed is present latest 2 per kind, loose summarize count(*) by kind",
    "files where kind + 1 > 5",  # said nothing, and found nothing
    "files where tags * 2 > 5 order by -tags",
    "files where taken - kind > 1 day",
    "files order by kind % 2",
    "files summarize max(3)",  # ended with a traceback
    "jobs summarize min(10 - -7) by status",
    "files summarize count(*) by run order by run desc",  # numbers were ordered as text
    "files summarize count(*) as n by run limit 3 order by n desc",  # the first three of those that were ordered last
    "files summarize count(*) by run limit 2 limit 5",
    "files show created + run * 20000000000 s as later",  # a time in the year 27377, which no output could hold
    "files where created + run * 20000000000 s > now",
    "files summarize count(*) by n",  # an integer of 54 bits came before the double just below it
    "files summarize median(n), sum(n) by kind",  # NaN was the greatest number for a median, and NaN for a sum
]


@pytest.mark.parametrize("text", WRONG_ONCE)
def test_what_was_wrong_once(text: str, world_2: tuple[Asking, Oracle]) -> None:
    asking, oracle = world_2
    Tally().compare(2, text, {}, oracle, lambda: asking.ask(text, {}, len(asking.world.commits)))


def test_a_disagreement_is_found(told: Open) -> None:
    """The comparison can fail: another row, another order, another value, a question that only one refuses."""
    asking, _ = told(0)
    wrong = World(asking.world.commits[:2])
    for text in (
        "files",
        "files show name",
        "files summarize count(*)",
        "files where taken is present",
        "@nothing_to_say",
    ):
        with pytest.raises(AssertionError):
            Tally().compare(
                0, text, {}, Oracle(wrong, NOW), lambda text=text: asking.ask(text, {}, len(asking.world.commits))
            )  # type: ignore[misc]
