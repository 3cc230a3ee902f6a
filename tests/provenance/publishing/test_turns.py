"""Turns spare writers work, and keep nobody from writing."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from provenance.history.commits import CommitKind
from provenance.publishing import publication, turns
from provenance.publishing.turns import alone, turn
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.held import is_held


@contextmanager
def held(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def commit(store: Store, run: int) -> None:
    batch = Batch()
    batch.add("job_edges", run=run)
    store.commit(CommitKind.PLAN, batch)


def test_one_at_a_time_has_a_turn(store: Store) -> None:
    inside: list[int] = []
    undisturbed: list[bool] = []
    begin = threading.Barrier(3)

    def take_turns(number: int) -> None:
        begin.wait()
        for _ in range(10):
            with turn(store.storage):
                inside.append(number)
                time.sleep(0.002)
                undisturbed.append(inside == [number])
                inside.clear()

    threads = [threading.Thread(target=take_turns, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert undisturbed == [True] * 30


class Writer(threading.Thread):
    """Somebody who wants a turn, and says so in ``order`` when it comes."""

    def __init__(self, store: Store, name: str, order: list[str], *, soon: bool = False) -> None:
        super().__init__(name=name)
        self._store, self._order, self._soon = store, order, soon

    def run(self) -> None:
        with turn(self._store.storage, soon=self._soon):
            self._order.append(self.name)

    def start_and_wait_at(self, place: Path) -> None:
        assert not is_held(place)
        self.start()
        while not is_held(place):
            time.sleep(0.001)


@pytest.fixture
def line(store: Store) -> list[Path]:
    """The places at which writers wait, from the door to the end of the line."""
    door = store.root / "segments"
    store.storage.prepare("segments", ["a", "b", "c"])
    return [door, *(door / name for name in "abc")]


def test_turns_come_in_the_order_of_arrival(store: Store, line: list[Path]) -> None:
    order: list[str] = []
    writers = [Writer(store, f"at place {number}", order) for number in range(4)]
    with turn(store.storage):
        for writer, place in zip(writers, line, strict=True):
            writer.start_and_wait_at(place)
        order.append("first")
    with turn(store.storage):
        order.append("first again")
    for writer in writers:
        writer.join()
    assert order == ["first", *(writer.name for writer in writers), "first again"]
    assert not any(is_held(place) for place in (*line, store.root / "commits"))


def test_more_than_have_a_place_all_come_to_a_turn(store: Store, line: list[Path]) -> None:
    order: list[str] = []
    writers = [Writer(store, str(number), order) for number in range(12)]
    with turn(store.storage):
        for writer in writers:
            writer.start()
        while not all(is_held(place) for place in line):
            time.sleep(0.001)
        assert not order
    for writer in writers:
        writer.join()
    assert sorted(order, key=int) == [writer.name for writer in writers]


def test_what_is_to_be_soon_does_not_wait_behind_the_line(store: Store, line: list[Path]) -> None:
    order: list[str] = []
    writer = Writer(store, "in the line", order)
    with held(line[0]):
        writer.start_and_wait_at(line[1])
        with turn(store.storage, soon=True):
            assert is_held(store.root / "commits")
            assert not order
    writer.join()
    assert order == ["in the line"]


def test_what_one_does_alone_others_leave(store: Store) -> None:
    with alone(store.storage) as ours:
        assert ours
        with alone(Store.open(store.root).storage) as others:
            assert not others
    with alone(store.storage) as again:
        assert again


@pytest.mark.parametrize("folder", ["commits", "segments", "segments/c"])
def test_whoever_keeps_a_place_is_not_waited_for(
    store: Store, line: list[Path], monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(turns, "_TURN_SECONDS", 0.1)
    monkeypatch.setattr(turns, "_LINE_SECONDS", 0.1)
    with held(store.root / folder), ExitStack() as at_door:
        if folder == "segments/c":
            at_door.enter_context(held(store.root / "segments"))
        begun = time.monotonic()
        commit(store, 1)
        assert 0.1 <= time.monotonic() - begun < 2
    assert store.snapshot().number == 1


class Clock:
    """Stands for the module ``time``: nobody sleeps, and what others do meanwhile is done when it is time."""

    def __init__(self, *events: tuple[float, Callable[[], object]]) -> None:
        self.now = 0.0
        self._events = sorted(events, key=lambda event: event[0])

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self._events and self._events[0][0] <= self.now:
            self._events.pop(0)[1]()


@pytest.fixture
def waited(store: Store, line: list[Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., float]:
    """How long somebody waits for a turn, by a clock: places are ``kept``, others publish at some seconds."""
    room = store.root / "commits"

    def wait(*kept: Path, published_at: Sequence[float] = (), free_at: float | None = None) -> float:
        with ExitStack() as places:
            for place in kept:
                places.enter_context(held(place))
            published = [(at, partial(os.utime, room, (0, at + 1))) for at in published_at]
            clock = Clock(*published, *([(free_at, places.close)] if free_at is not None else []))
            monkeypatch.setattr(turns, "time", clock)
            with turn(store.storage):
                return clock.now

    return wait


def test_behind_a_writer_that_was_stopped_the_next_waits_for_three_seconds(
    store: Store, waited: Callable[..., float]
) -> None:
    assert 3 <= waited(store.root / "commits") < 3.1


def test_behind_somebody_in_the_line_who_was_stopped_others_wait_for_four_seconds(
    store: Store, line: list[Path], waited: Callable[..., float]
) -> None:
    assert 4 <= waited(line[0]) < 4.1
    for place in line[1:]:
        assert 4 <= waited(store.root / "commits", line[0], place) < 4.1


def test_as_long_as_others_get_on_they_are_waited_for(
    store: Store, line: list[Path], waited: Callable[..., float]
) -> None:
    assert 9 <= waited(store.root / "commits", *line, published_at=[2, 4, 6, 8], free_at=9) < 9.1
    assert 8.8 <= waited(store.root / "commits", published_at=[2.9, 5.8]) < 8.9


def test_those_behind_a_writer_that_was_stopped_go_on_one_after_the_other(
    store: Store, line: list[Path], waited: Callable[..., float]
) -> None:
    """What the first of them publishes, keeping the door, does not make the next wait for another three seconds."""
    room, door = store.root / "commits", line[0]
    assert 3.5 <= waited(door, published_at=[3.4], free_at=3.5) < 3.6
    with held(room):
        assert 3.5 <= waited(door, published_at=[3.4], free_at=3.5) < 3.6
        with turn(store.storage):
            assert is_held(door)
        assert not is_held(door)


def test_a_turn_within_a_turn_is_the_same(store: Store) -> None:
    begun = time.monotonic()
    with turn(store.storage):
        commit(Store.open(store.root), 1)
    assert time.monotonic() - begun < turns._TURN_SECONDS
    assert not turns._having.turns


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EBADF])
def test_without_locks_everybody_goes_on_at_once(store: Store, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("somebody waited"))
    commit(store, 1)
    assert store.snapshot().number == 1


def test_who_has_lost_waits_at_random_and_not_for_long(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = publication.publish
    slept: list[float] = []

    def overtaken(storage: object, made: object) -> bool:
        monkeypatch.setattr(publication, "publish", publish)
        commit(Store.open(store.root), 2)
        return publish(storage, made)  # type: ignore[arg-type]

    monkeypatch.setattr(publication, "publish", overtaken)
    monkeypatch.setattr(publication, "after_a_lost_race", slept.append)
    commit(store, 1)
    assert len(slept) == 1
    assert 0 < slept[0] < 10
    begun = time.monotonic()
    turns.after_a_lost_race(1000.0)
    assert time.monotonic() - begun < 1
    assert store.rows("SELECT run FROM job_edges ORDER BY commit_number", tables=["job_edges"]) == [(2,), (1,)]
