"""Commands around that of a job: the environment variables in which Pegasus' wrapper is told of them.

A variable holds a command line. Its words are divided by blanks, and quotes keep blanks within one. What
pegasus-kickstart would put in place of `$NAME` and of backslashes is known on the worker only: both are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLES: Mapping[str, str] = {
    "setup": "KICKSTART_SETUP",
    "pre": "KICKSTART_PREJOB",
    "post": "KICKSTART_POSTJOB",
    "cleanup": "KICKSTART_CLEANUP",
}
"""The name of each step in a job description (docs/formats/invocation.md), and its variable."""
WITHOUT_EFFECT = frozenset({"KICKSTART_WRAPPER", "KICKSTART_PREPEND_PATH"})
"""Variables that would change what pegasus-kickstart runs."""

_PIECE = r"""[^\s'"\\$]|'[^']*'|"[^"\\$]*\""""
_WORD = re.compile(rf"(?:{_PIECE})+")
_LINE = re.compile(rf"\s*(?:(?:{_PIECE})+(?:\s+|\Z))+")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def words(line: str) -> tuple[str, ...]:
    """The words of a command line. Raises ValueError that says what was expected."""
    if not _LINE.fullmatch(line):
        raise ValueError(
            f"expected a command line without variables and backslashes, with quotes that are closed, found {line!r}"
        )
    return tuple(_QUOTED.sub(lambda quoted: quoted[1] or quoted[2] or "", word[0]) for word in _WORD.finditer(line))


def steps_of(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """The steps that the environment of a job asks for, in their order. Raises ValueError that names the variable."""
    steps = {}
    for step, variable in VARIABLES.items():
        if variable in environment:
            try:
                steps[step] = list(words(environment[variable]))
            except ValueError as error:
                raise ValueError(f"profile env.{variable}: {error}") from None
    return steps
