"""Runs a command for which no file can be locked, as on a file system without locks: ``without_locks.py COMMAND...``

A filter of system calls (seccomp, see seccomp(2)) that every process below the command inherits answers ENOLCK to
flock(2) and to the lock commands of fcntl(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": (72, 73), "aarch64": (25, 32)}
"""Of fcntl and flock."""
LOCK_COMMANDS = (6, 7, 37, 38)
"""F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW."""
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER_OFFSET, _SECOND_ARGUMENT_OFFSET = 0, 24


def instructions() -> list[tuple[int, int, int, int]]:
    """The filter: (code, jump if true, jump if false, operand), jumps counted from the next one."""
    fcntl, flock = NUMBERS[platform.machine()]
    refuse = (_RETURN, 0, 0, _ERRNO | errno.ENOLCK)
    compared = [(_JUMP_IF_EQUAL, len(LOCK_COMMANDS) - place, 0, command) for place, command in enumerate(LOCK_COMMANDS)]
    return [
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_IF_EQUAL, len(compared) + 3, 0, flock),
        (_JUMP_IF_EQUAL, 0, len(compared) + 1, fcntl),
        (_LOAD, 0, 0, _SECOND_ARGUMENT_OFFSET),
        *compared,
        (_RETURN, 0, 0, _ALLOW),
        refuse,
    ]


def refuse_locks() -> None:
    """For this process and all that it starts."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions())
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "no filter of system calls could be set")


if __name__ == "__main__":
    refuse_locks()
    os.execvp(sys.argv[1], sys.argv[1:])
