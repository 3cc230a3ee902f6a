"""The wrapper's command line: ``--job FILE|- --record FILE``."""

import json
import os
import sys

from integrity.wrapper.errors import EXIT_UNUSABLE, UnusableError
from integrity.wrapper.notation import reason, to_text
from integrity.wrapper.run import complain, run_attempt

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any, NoReturn


def read_job(name: bytes) -> "dict[str, Any]":
    """The description in a file, or on standard input for ``-``. Raises UnusableError."""
    try:
        with open(0 if name == b"-" else name, "rb") as file:
            document = json.loads(file.read().decode("utf-8"))
    except OSError as error:
        raise UnusableError("cannot read %r: %s" % (to_text(name), reason(error))) from error
    except (ValueError, RecursionError) as error:
        raise UnusableError("%r is not a JSON document: %s" % (to_text(name), error)) from error
    if not isinstance(document, dict):
        raise UnusableError("%r: expected a JSON object, found %s" % (to_text(name), type(document).__name__))
    return document


def main(arguments: "list[bytes]") -> int:
    """The command line: ``--job FILE|- --record FILE``, in either order."""
    options = {arguments[i]: arguments[i + 1] for i in range(0, len(arguments) - 1, 2)}
    if len(arguments) != 4 or set(options) != {b"--job", b"--record"}:
        return complain("usage: kickstart.py --job FILE|- --record FILE", EXIT_UNUSABLE)
    try:
        description = read_job(options[b"--job"])
    except UnusableError as error:
        return complain(str(error), EXIT_UNUSABLE)
    return run_attempt(description, options[b"--record"])


def open_standard_descriptors() -> None:
    """Fill 0, 1 and 2 where they are closed, so that no file of ours is taken for one of them."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)


def start() -> "NoReturn":
    """Be the wrapper that this process was started as."""
    open_standard_descriptors()
    sys.exit(main([os.fsencode(argument) for argument in sys.argv[1:]]))
