"""The wrapper's command line: one job, or a list of tasks."""

import os
import sys

from integrity.wrapper.errors import EXIT_UNUSABLE, UnusableError
from integrity.wrapper.json_text import parse
from integrity.wrapper.notation import reason, to_text
from integrity.wrapper.run import complain, run_attempt

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any, NoReturn

USAGE = "usage: kickstart.py --job FILE|- --record FILE | --tasks FILE|- [--cores N]"


def read_all(name: bytes) -> bytes:
    """All of a file, or of standard input for ``-``. Raises UnusableError."""
    try:
        with open(0 if name == b"-" else name, "rb") as file:
            return file.read()
    except OSError as error:
        raise UnusableError("cannot read %r: %s" % (to_text(name), reason(error))) from error


def read_job(name: bytes) -> "dict[str, Any]":
    """The description in a file, or on standard input for ``-``. Raises UnusableError."""
    try:
        document = parse(read_all(name).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnusableError("%r is not a JSON document: %s" % (to_text(name), error)) from error
    if not isinstance(document, dict):
        raise UnusableError("%r: expected a JSON object, found %s" % (to_text(name), type(document).__name__))
    return document


def run_tasks(name: bytes, cores: bytes) -> int:
    """Run the tasks in a file, so many at a time."""
    from integrity.wrapper.tasks import TaskList, read_tasks  # a single job has no use for it

    if not cores.isdigit() or int(cores) < 1:
        raise UnusableError("--cores: expected a number from 1, found %r" % to_text(cores))
    return TaskList(read_tasks(read_all(name)), int(cores)).run()


def main(arguments: "list[bytes]") -> int:
    """The command line: pairs of options and values in any order."""
    options = {arguments[i]: arguments[i + 1] for i in range(0, len(arguments) - 1, 2)}
    try:
        if len(arguments) == 2 * len(options) and set(options) == {b"--job", b"--record"}:
            return run_attempt(read_job(options[b"--job"]), options[b"--record"])
        if len(arguments) == 2 * len(options) and {b"--tasks"} <= set(options) <= {b"--tasks", b"--cores"}:
            return run_tasks(options[b"--tasks"], options.get(b"--cores", b"1"))
    except UnusableError as error:
        return complain(str(error), EXIT_UNUSABLE)
    return complain(USAGE, EXIT_UNUSABLE)


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
