"""Metadata from where a file lies: ``{site}/{year}/{name}`` reads `hyytiala/1997/flux.csv`.

Each placeholder stands for at least one character and no slash; what stands between them must be there as it is. The
whole path must fit: a template that fitted the end of any path would read the names of home folders as sites. Nothing
is guessed: a path that fits in two ways, as ``{a}_{b}`` does to `x_y_z`, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from provenance.errors import StoreError
from provenance.metadata import Value, from_text, require_unicode
from provenance.storable import storable

NAME = "name"
"""The placeholder for the file's own name (or a part of it): to the store that is a field already, and no key."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class PathTemplateError(StoreError):
    """A template that is none, or a path that does not fit it."""


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A template, ready to read paths."""

    text: str
    _shortest: re.Pattern[str]
    _longest: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> PathTemplate:
        """Raises PathTemplateError. A slash at the start or the end says nothing."""
        text = text.strip("/")
        parts = _PLACEHOLDER.split(text)
        literals, keys = parts[::2], parts[1::2]
        if not keys:
            raise PathTemplateError(
                f"path template {text!r}: no {{key}} in it", hint="for example: '{site}/{year}/{name}'"
            )
        for literal in literals:
            if "{" in literal or "}" in literal:
                raise PathTemplateError(f"path template {text!r}: a brace that is not part of a {{key}}")
        for key in keys:
            if not key:
                raise PathTemplateError(f"path template {text!r}: {{}} names no key")
            if keys.count(key) > 1:
                raise PathTemplateError(f"path template {text!r}: {{{key}}} stands there twice")
            require_unicode(key, f"path template {text!r}: the key")
        if "" in literals[1:-1]:
            raise PathTemplateError(f"path template {text!r}: nothing divides two placeholders")
        return cls(text, _pattern(literals, "+?"), _pattern(literals, "+"))

    def read(self, path: str) -> Mapping[str, Value]:
        """The keys and values that ``path`` has. Raises PathTemplateError, saying how the path does not fit."""
        shortest = self._shortest.fullmatch(path)
        longest = self._longest.fullmatch(path)
        if shortest is None or longest is None:
            raise PathTemplateError(
                f"{path} does not fit the path template {self.text!r}{self._difference(path)}",
                hint="the template is for the path below the folder that was named, else for the path as it was named",
            )
        keys = _PLACEHOLDER.findall(self.text)
        if shortest.groups() != longest.groups():
            ways = " or ".join(
                ", ".join(f"{key}={value}" for key, value in zip(keys, match.groups(), strict=True))
                for match in (shortest, longest)
            )
            raise PathTemplateError(f"{path} fits the path template {self.text!r} in two ways: {ways}")
        values = dict(zip(keys, shortest.groups(), strict=True))
        values.pop(NAME, None)
        return {key: from_text(storable(value)) for key, value in values.items()}

    def _difference(self, path: str) -> str:
        expected, found = self.text.split("/"), path.split("/")
        if len(expected) != len(found):
            return f": it has {len(found)} parts, the template {len(expected)}"
        for part, name in zip(expected, found, strict=True):
            if not _pattern(_PLACEHOLDER.split(part)[::2], "+").fullmatch(name):
                return f": {name!r} is not {part!r}"
        return ""


def _pattern(literals: list[str], repeat: str) -> re.Pattern[str]:
    return re.compile(f"([^/]{repeat})".join(re.escape(literal) for literal in literals))
