"""Functions of the C library: what they are given arrives, and an error is raised as the system says it."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper import private_copies, processes
from integrity.wrapper.attempt import Attempt, made
from integrity.wrapper.description import Job
from integrity.wrapper.libc import c_function
from integrity.wrapper.private_copies import PrivateCopies
from integrity.wrapper.stop import Stop


def test_numbers_and_bytes_arrive_and_what_comes_back_is_a_number() -> None:
    assert c_function("atoi", "z")(b"1234567") == 1234567
    memory = c_function("memfd_create", "zI")(b"a name", 0)
    try:
        assert str(Path(f"/proc/self/fd/{memory}").readlink()).startswith("/memfd:a name")
    finally:
        os.close(memory)


def test_an_error_is_raised() -> None:
    with pytest.raises(OSError, match="prctl: Invalid argument") as caught:
        c_function("prctl", "iLLLL")(9999, 0, 0, 0, 0)
    assert caught.value.errno == errno.EINVAL


def test_a_function_that_there_is_not() -> None:
    with pytest.raises(OSError, match="the C library has no such_function") as caught:
        c_function("such_function", "i")
    assert caught.value.errno == errno.ENOSYS


def test_a_python_without_ctypes_starts_no_command(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could say then when all of it has ended."""
    monkeypatch.setitem(sys.modules, "_ctypes", None)
    monkeypatch.setattr(processes, "_loaded", [])
    record = made(Attempt(Job(bench.describe(["touch", "ran"])), Stop()))
    assert record["failure"] == (
        "all that the command starts could not be waited for: prctl cannot be called: this Python has no ctypes"
    )
    assert not (bench.work / "ran").exists()


def test_where_nothing_can_be_sealed_an_input_is_used_in_place(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a Python before 3.8 and a C library before 2.27; the record says so."""
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(private_copies, "c_function", lambda name, takes: c_function("no_" + name, takes))
    protection = {"level": "seal", "arguments": True, "folder": str(bench.folder / "private")}
    path = bench.file("in", b"x")
    job = Job(bench.describe(["cat", str(path)], inputs=[bench.input(path)], protection=protection))
    assert PrivateCopies(job, lambda: None).take(job.inputs[0]) is None
