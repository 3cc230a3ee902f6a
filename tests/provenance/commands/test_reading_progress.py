"""Interrupts while something is done that must be done whole."""

from __future__ import annotations

import os
import signal

import pytest

from provenance.commands.reading_progress import PointOfNoReturn


def test_an_interrupt_waits_until_all_is_done() -> None:
    point, done = PointOfNoReturn(), []
    with pytest.raises(KeyboardInterrupt), point:
        os.kill(os.getpid(), signal.SIGINT)
        done.append("all")
    assert done == ["all"]
    assert point.passed
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_failed_was_not_done() -> None:
    point = PointOfNoReturn()
    with pytest.raises(ZeroDivisionError), point:
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError
    assert not point.passed


def test_whoever_ignores_interrupts_goes_on_doing_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        point = PointOfNoReturn()
        with point:
            os.kill(os.getpid(), signal.SIGINT)
        assert point.passed
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
