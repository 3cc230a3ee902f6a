"""`${VAR}` in catalogs and properties: environment variables. `$$` is a dollar; another dollar is itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from planner.errors import FileError
from planner.workflow import Place

_VARIABLE = re.compile(r"\$(?:\$|\{([^}]*)(\}?))")


def expander(environment: Mapping[str, str]) -> Callable[[str, Place], str]:
    """A function that replaces the variables in a text that stands at a place.

    It raises FileError for a variable that is not set and for a `${` that is not closed. What a variable holds is not
    looked at again. The place is that of the whole text.
    """

    def expand(text: str, place: Place) -> str:
        def replacement(match: re.Match[str]) -> str:
            name, closed = match[1], match[2]
            if name is None:
                return "$"
            if not closed:
                raise FileError(place, f"'${{' without '}}' in {text!r}", hint="a dollar is written $$")
            if name not in environment:
                hint = f"set {name}; a dollar that starts no variable is written $$"
                raise FileError(place, f"environment variable {name!r} is not set", hint=hint)
            return environment[name]

        return _VARIABLE.sub(replacement, text)

    return expand
