"""Options that belong together, which a command gets as one value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def option_group(kind: type[Any], options: Sequence[Decorator]) -> Decorator:
    """Give a command these options of click's. It gets them as one parameter, ``options``: a ``kind``, which is a
    dataclass with a field for each of them. What they cannot be together it refuses itself, as it is made.
    """
    names = [field.name for field in dataclasses.fields(kind)]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_options(*args: Any, **kwargs: Any) -> Any:
            given = kind(**{name: kwargs.pop(name) for name in names})
            return command(*args, options=given, **kwargs)

        decorated: Callable[..., Any] = with_options
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate
