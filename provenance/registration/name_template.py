"""Logical names from a template: ``{site}/{name}`` for each file that is registered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from provenance.errors import StoreError
from provenance.metadata import Value, forms

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class NameTemplateError(StoreError):
    """A template for names that asks for what a file does not have."""


def fill(
    template: str, name: str, *, place: str, site: str, sha256: bytes | None, metadata: Mapping[str, Value]
) -> str:
    """The name that ``template`` gives to a file that is usually called ``name`` and lies at ``place``.

    ``{name}``, ``{stem}`` (the last part of it without its ending), ``{sha256}`` and ``{KEY}`` of the metadata stand
    for themselves; ``{site}`` is the key of that name, or else the site where the copy is. Raises NameTemplateError.
    """
    values: dict[str, str | None] = {"site": site}
    values |= {key: _text(value) for key, value in metadata.items()}
    values |= {"name": name, "stem": PurePosixPath(name).stem, "sha256": None if sha256 is None else sha256.hex()}

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match.group(1))
        if value is None:
            there = ", ".join(sorted(key for key, text in values.items() if text is not None))
            raise NameTemplateError(
                f"--name {template!r}: no {match.group()} here, of {place}", hint=f"there are: {there}"
            )
        return value

    filled = _PLACEHOLDER.sub(value_of, template)
    if not filled:
        raise NameTemplateError(f"--name {template!r} gives an empty name to {place}")
    return filled


def _text(value: Value) -> str | None:
    return None if isinstance(value, tuple) else forms(value).text
