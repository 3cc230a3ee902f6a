"""How fast and how long is read; told by a clock that the test turns."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from integrity.audit import Expectation, audit
from integrity.digest import hash_path
from integrity.pace import Pace, StoppedError


class Nobody:
    def names(self, sha256: bytes) -> list[str]:
        return []


class Clock:
    """Stands in for the module ``time``; nobody waits for it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr("integrity.pace.time", one)

    def wait(event: threading.Event, seconds: float | None = None) -> bool:
        one.now += seconds or 0.0
        return event.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    return one


def test_reading_takes_as_long_as_the_bandwidth_says(clock: Clock) -> None:
    pace = Pace(bytes_per_second=1000)
    for _ in range(10):
        pace(500)
    assert (pace.read_bytes, pace.seconds) == (5000, pytest.approx(5.0))
    clock.now += 60
    pace(1000)
    assert pace.seconds == pytest.approx(66.0), "a pause leaves no room for a burst"


def test_without_a_bandwidth_nobody_waits(clock: Clock) -> None:
    pace = Pace()
    pace(10**15)
    assert (pace.read_bytes, pace.seconds, pace.is_over) == (10**15, 0.0, False)


def test_when_the_time_is_up_nothing_more_is_begun(clock: Clock, tmp_path: Path) -> None:
    """What was begun is read to its end, and is a look like any other."""
    paths = [tmp_path / str(number) for number in range(40)]
    for path in paths:
        path.write_bytes(b"x" * 10)
    expectations = [Expectation(path.name, f"file://{path}", path, hash_path(path).sha256) for path in paths]
    pace = Pace(bytes_per_second=10, seconds=8.5)
    looks = list(audit(expectations, Nobody(), workers=1, pace=pace))
    assert 9 <= len(looks) <= 11
    assert [look.expectation.name for look in looks] == [str(number) for number in range(len(looks))]
    assert all(look.compared and look.finding is None for look in looks)


def test_who_stops_does_not_wait_for_a_large_file(tmp_path: Path) -> None:
    """At this bandwidth the file would take a day."""
    (tmp_path / "large").write_bytes(bytes(1 << 20))
    pace = Pace(bytes_per_second=10)
    errors: list[BaseException] = []

    def read() -> None:
        with pytest.raises(StoppedError) as info:
            hash_path(tmp_path / "large", watch=pace)
        errors.append(info.value)

    reader = threading.Thread(target=read)
    reader.start()
    pace.stop()
    reader.join(60)
    assert len(errors) == 1
    assert pace.is_over


def test_looks_that_nobody_waits_for_end(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(1 << 20))
    small = tmp_path / "small"
    small.write_bytes(b"")
    expectations = [
        Expectation(one.name, f"file://{one}", one, hash_path(one).sha256) for one in (small, path, path, path)
    ]
    looks = audit(expectations, Nobody(), workers=2, pace=Pace(bytes_per_second=10))
    assert next(looks).finding is None
    looks.close()  # type: ignore[attr-defined]
