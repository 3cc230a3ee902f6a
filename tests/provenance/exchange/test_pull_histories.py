"""Random histories of three stores that pull from and push to each other, beside a plain account of them.

The account knows nothing of segments, segments' origins or places in an order: it reads commit documents as JSON, sorts
them, and goes through what was said.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.metadata import from_text
from provenance.metadata_rows import add_metadata
from provenance.publishing import publication
from provenance.reading.views import Reading
from provenance.segments.batch import Batch
from provenance.store import Store

NAMES = ("laptop", "cluster", "colleague")
AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)
"""When rows say that things happened: always the same, so that only commits decide what was said last."""
STATES = ("planned", "running", "succeeded", "failed")
FILLED = ("metadata", "workflow_states", "replicas", "files", "workflows")
OVER_THEM = ("current_metadata", "workflow_statuses", "replica_states", "file_states")
EVENTS = ("registered", "verified", "missing", "replaced", "quarantined", "reinstated")

who = st.integers(0, 2)
values = st.sampled_from(["a", "b", "c", None])
says = st.tuples(st.just("say"), who, st.integers(0, 1), values, st.sampled_from(STATES), st.sampled_from(EVENTS))
merges = st.tuples(st.sampled_from(["pull", "push"]), who, st.integers(1, 2))
compactions = st.tuples(st.just("compact"), who)
histories = st.lists(says | says | merges | compactions, max_size=16)
clocks = st.lists(st.sampled_from([0, 0, -7_200_000_000, 7_200_000_000, 3]), min_size=3, max_size=3)


class World:
    """Three stores with clocks of their own (microseconds off), and what was said in which commit."""

    def __init__(self, folder: Path, clocks: list[int]) -> None:
        self.stores = [Store.open(folder / name) for name in NAMES]
        self.off = clocks
        self.microseconds = 0
        self.said: dict[tuple[str, int], tuple[int, str | None, str, str]] = {}
        self.knew: dict[tuple[str, int], set[tuple[str, int]]] = {}
        self.known: list[set[tuple[str, int]]] = [set(), set(), set()]
        self.answers: dict[tuple[int, int], object] = {}

    @contextmanager
    def clock_of(self, index: int) -> Iterator[None]:
        """Commits are dated by the clock of one store; every second one has the time of the one before."""
        self.microseconds += 1
        now = AT + dt.timedelta(microseconds=self.microseconds // 2 + self.off[index])
        clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda zone: now), UTC=dt.UTC, timedelta=dt.timedelta)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(publication, "dt", clock)
            yield

    def say(self, index: int, thing: int, value: str | None, state: str, event: str) -> None:
        store = self.stores[index]
        batch = Batch()
        written = None if value is None else from_text(value)
        add_metadata(batch, "file", 1, thing, "key", written, origin="set", author="x", at=AT, withdrawn=value is None)
        batch.add("workflow_states", run=thing, state=state, at=AT)
        batch.add("replicas", source=1, file=thing, url="file:///x", site="local", event=event, at=AT)
        batch.add("files", source=len(self.said), file=index, name=f"{value}-{state}", origin="raw", kind="file")
        batch.add("workflows", run=len(self.said) + 10, run_id=str(len(self.said)), name=f"w{thing}", planned=AT)
        with self.clock_of(index):
            made = store.commit(CommitKind.METADATA, batch)
        assert made is not None
        fact = (store.store_id, made.number)
        self.said[fact] = (thing, value, state, event)
        self.knew[fact] = set(self.known[index])
        self.known[index].add(fact)

    def merge(self, index: int, other: int) -> bool:
        self.remember(index)
        with self.clock_of(index):
            report = pull(self.stores[index], self.stores[other])
        new = self.known[other] - self.known[index]
        assert (report.commit is not None) == bool(new)
        assert report.rows.get("files", 0) == len(new)
        self.known[index] |= new
        return bool(new)

    def compact(self, index: int) -> None:
        self.remember(index)
        with self.clock_of(index):
            self.stores[index].compact()

    def remember(self, index: int) -> None:
        """What the newest commit shows now it has to show for ever."""
        number = self.stores[index].snapshot().number
        self.answers.setdefault((index, number), everything(self.stores[index]))

    def everybody_pulls(self) -> None:
        for _ in range(4):
            if not [pair for pair in permutations(range(3), 2) if self.merge(*pair)]:
                return
        pytest.fail("stores that have everything still pull from each other")


def everything(store: Store, number: int | None = None, *, commit_numbers: bool = True) -> object:
    """All rows of the tables that are filled here and of the views over them, as text, sorted."""
    snapshot = store.snapshot() if number is None else store.snapshot().at(number)
    shown: dict[str, list[str]] = {}
    with Reading(store, snapshot) as reading:
        for name in (*FILLED, *OVER_THEM):
            has_number = name in (*FILLED, "current_metadata")
            columns = "*" if commit_numbers or not has_number else "* EXCLUDE (commit_number)"
            columns = "* EXCLUDE (here)" if name == "replica_states" else columns  # which paths are its own differs
            shown[name] = sorted(map(repr, reading.rows(f"SELECT {columns} FROM {name}")))
    return shown


def documents(store: Store, maker: str) -> list[bytes]:
    """The documents of the commits of ``maker`` that a store has, in order."""
    if maker == store.store_id:
        return [path.read_bytes() for path in sorted((store.root / "commits").glob("*.json"))]
    return [
        line
        for path in sorted((store.root / "foreign" / maker).glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def last_said(world: World) -> Callable[[Callable[[tuple[Any, ...]], Any]], dict[int, Any]]:
    """What was said last of each thing: by the time in the commit documents, then by store, then by number."""
    order = []
    for store in world.stores:
        for data in documents(store, store.store_id):
            document = json.loads(data)
            order.append((document["time"], document["store"], document["number"]))
    facts = [world.said[store, number] for _, store, number in sorted(order) if (store, number) in world.said]
    # Whoever knew something when it said something else said the latter later.
    places = {(store, number): place for place, (_, store, number) in enumerate(sorted(order))}
    assert all(places[known] < places[fact] for fact, knew in world.knew.items() for known in knew)
    return lambda of: {fact[0]: of(fact) for fact in facts}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, clocks=clocks)
def test_stores_that_have_everything_answer_alike(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Any, ...]], clocks: list[int]
) -> None:
    world = World(tmp_path_factory.mktemp("world"), clocks)
    for kind, index, *rest in history:
        if kind == "say":
            world.say(index, *rest)
        elif kind == "compact":
            world.compact(index)
        else:
            other = (index + rest[0]) % 3
            world.merge(*((index, other) if kind == "pull" else (other, index)))
    for index in range(3):
        world.remember(index)
    world.everybody_pulls()
    reopened = [Store.open(store.root) for store in world.stores]
    shown = [everything(store, commit_numbers=False) for store in reopened]
    assert shown[0] == shown[1] == shown[2]
    last = last_said(world)
    for store in reopened:
        with Reading(store, store.snapshot()) as reading:
            current: dict[int, str] = dict(reading.rows("SELECT number, written FROM current_metadata"))
            statuses: dict[int, str] = dict(reading.rows("SELECT run, status FROM workflow_statuses"))
            numbers = reading.rows("SELECT count(*), count(DISTINCT source) FROM files")
        assert current == {thing: value for thing, value in last(lambda fact: fact[1]).items() if value is not None}
        assert statuses == last(lambda fact: fact[2])
        assert numbers == [(len(world.said), len(world.said))]
    for (index, number), before in world.answers.items():
        assert everything(reopened[index], number) == before
    for maker in world.stores:
        own = documents(maker, maker.store_id)
        facts = [number for store, number in world.said if store == maker.store_id]
        for store in reopened:
            if store.store_id != maker.store_id:
                assert documents(store, maker.store_id) == own[: max(facts, default=0)]


def test_what_is_as_of_a_commit_are_the_rows_up_to_its_number(tmp_path: Path) -> None:
    world = World(tmp_path, [0, 3, 0])
    for index in (0, 1, 0, 1, 2):
        world.say(index, 0, "a", "running", "registered")
    world.merge(0, 1)
    world.say(0, 0, "b", "failed", "missing")
    world.merge(0, 2)
    world.compact(0)
    store = world.stores[0]
    for number in range(store.snapshot().number + 1):
        for table in ("metadata", "files"):
            asked = f"SELECT * FROM {table} ORDER BY ALL"
            below = f"SELECT * FROM {table} WHERE commit_number <= {number} ORDER BY ALL"
            assert store.rows(asked, tables=[table], snapshot=store.snapshot().at(number)) == store.rows(
                below, tables=[table]
            )
    assert store.rows("SELECT DISTINCT commit_number FROM files ORDER BY 1", tables=["files"]) == [
        (number,) for number in (1, 2, 3, 4, 5)
    ]
