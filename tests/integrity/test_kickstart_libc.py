"""Functions of the C library: what they are given arrives, and an error is raised as the system says it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from integrity.wrapper.libc import c_function


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
    with pytest.raises(AttributeError, match="the C library has no such_function"):
        c_function("such_function", "i")
