"""Which of a file's bytes the system has in memory when somebody begins to read them: mincore(2), asked by tests."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import pytest

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def pages_in_memory(descriptor: int) -> int:
    """How many pages of an open file the system has in memory."""
    size = os.fstat(descriptor).st_size
    seen = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
    address = _LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    assert address != ctypes.c_void_p(-1).value, os.strerror(ctypes.get_errno())
    try:
        assert _LIBC.mincore(address, size, seen) == 0, os.strerror(ctypes.get_errno())
    finally:
        _LIBC.munmap(address, size)
    return sum(page & 1 for page in seen.raw)


class FirstReads:
    """How many pages of each file were in memory when it was first read by `os.readv`, which is how files are hashed;
    by path.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages: dict[str, int] = {}
        readv = os.readv

        def seen(descriptor: int, buffers: list[memoryview]) -> int:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            self.pages.setdefault(str(path), pages_in_memory(descriptor))
            return readv(descriptor, buffers)

        monkeypatch.setattr(os, "readv", seen)
