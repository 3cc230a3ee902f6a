"""What the nodes of both trees have in common, defined once and cheaply.

A frozen dataclass compiles six methods for every class. With seventy kinds of node that was most of the time that the
first query of a process took, so equality, hash and text are here, over the fields, and only the rest is generated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TypeVar, dataclass_transform

_Class = TypeVar("_Class")


class Record:
    """Equal if of one class and equal in all fields that take part in comparisons."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self), self._compared()))

    def __repr__(self) -> str:
        shown = [f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _compared(self) -> tuple[object, ...]:
        return tuple(getattr(self, each.name) for each in fields(self) if each.compare)  # type: ignore[arg-type]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def node(cls: type[_Class]) -> type[_Class]:
    """A frozen, slotted dataclass that takes equality, hash and text from `Record`."""
    return dataclass(frozen=True, slots=True, eq=False, repr=False)(cls)
