"""Turns spare writers work, and keep nobody from writing."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


def test_who_is_at_the_door_comes_before_who_has_had_a_turn(store: Store) -> None:
    order: list[str] = []

    def other() -> None:
        with turn(store.storage):
            order.append("other")

    thread = threading.Thread(target=other)
    with turn(store.storage):
        order.append("first")
        thread.start()
        while not is_held(store.root / "segments"):
            time.sleep(0.001)
    with turn(store.storage):
        order.append("first")
    thread.join()
    assert order == ["first", "other", "first"]


def test_what_one_does_alone_others_leave(store: Store) -> None:
    with alone(store.storage) as ours:
        assert ours
        with alone(Store.open(store.root).storage) as others:
            assert not others
    with alone(store.storage) as again:
        assert again


@pytest.mark.parametrize("folder", ["commits", "segments"])
def test_whoever_keeps_a_turn_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.1)
    with held(store.root / folder):
        begun = time.monotonic()
        commit(store, 1)
        assert 0.1 <= time.monotonic() - begun < 2
    assert store.snapshot().number == 1


def test_as_long_as_others_get_on_they_are_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.2)
    done = threading.Event()

    def get_on() -> None:
        with held(store.root / "commits"):
            begin.set()
            for number in range(10):
                time.sleep(0.05)
                (store.root / "commits" / f"{number}.tmp").touch()
            done.set()

    begin = threading.Event()
    thread = threading.Thread(target=get_on)
    thread.start()
    begin.wait()
    with turn(store.storage):
        assert done.is_set()
    thread.join()


class Clock:
    """Stands for the module ``time``: nobody sleeps, and what others do meanwhile is done when it is time."""

    def __init__(self, folder: Path, others_publish_every: float) -> None:
        self.now = 0.0
        self._folder = folder
        self._every = others_publish_every

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        before, self.now = self.now, self.now + seconds
        if before // self._every != self.now // self._every:
            os.utime(self._folder, (0, self.now))


@pytest.mark.parametrize(
    ("others_publish_every", "at_least", "at_most"),
    [
        pytest.param(1000.0, 3.0, 3.1, id="nobody-gets-on"),
        pytest.param(2.9, 4.0, 4.1, id="those-who-gave-up-publish"),
    ],
)
def test_behind_a_writer_that_was_stopped_nobody_waits_longer_than_four_seconds(
    store: Store, monkeypatch: pytest.MonkeyPatch, others_publish_every: float, at_least: float, at_most: float
) -> None:
    commits = store.root / "commits"
    with held(commits), held(store.root / "segments"):
        clock = Clock(commits, others_publish_every)
        monkeypatch.setattr(turns, "time", clock)
        with turn(store.storage):
            assert at_least <= clock.now <= at_most


def test_patience_that_was_lost_at_the_door_is_not_found_again_in_the_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = store.root / "commits"
    clock = Clock(commits, 1000.0)
    monkeypatch.setattr(turns, "time", clock)
    with held(commits), ExitStack() as at_door:
        at_door.enter_context(held(store.root / "segments"))
        sleep = clock.sleep

        def until_the_door_is_free(seconds: float) -> None:
            sleep(seconds)
            if clock.now > 2:
                at_door.close()

        monkeypatch.setattr(clock, "sleep", until_the_door_is_free)
        with turn(store.storage):
            assert 3 <= clock.now < 3.1


def test_a_turn_within_a_turn_is_the_same(store: Store) -> None:
    begun = time.monotonic()
    with turn(store.storage):
        commit(Store.open(store.root), 1)
    assert time.monotonic() - begun < turns._PATIENCE_SECONDS
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
