"""Functions of the C library, without the module ``ctypes``: importing that takes 4 ms, a quarter of a start.

``_ctypes`` is what CPython makes that module of, the same from 3.6 on.
"""

import errno
import os

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def c_function(name: str, takes: str) -> "Callable[..., int]":
    """A function that gives an int, less than 0 for an error: that raises OSError, with what errno says.

    ``takes`` has a letter for each argument: those of the module ``struct``, and z for bytes, to which it gets a
    pointer (a NUL follows them). Raises OSError, with ENOSYS, where the library has no such function, or this Python no
    way to call it: as a kernel does that has no such system call.
    """
    try:
        import _ctypes
    except ImportError as error:
        raise OSError(errno.ENOSYS, "%s cannot be called: this Python has no ctypes" % name) from error

    class Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = _c_type("i")

    try:
        library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # this process, with all that is loaded
        function = Function(_ctypes.dlsym(library, name))
    except OSError as error:
        raise OSError(errno.ENOSYS, "the C library has no %s" % name) from error
    function.argtypes = [_c_type(letter) for letter in takes]

    def call(*given: "int | bytes") -> int:
        found = int(function(*given))
        if found < 0:
            number = _ctypes.get_errno()
            raise OSError(number, "%s: %s" % (name, os.strerror(number)))
        return found

    return call


def _c_type(letter: str) -> "Any":
    from _ctypes import _SimpleCData

    return type(letter, (_SimpleCData,), {"_type_": letter})
