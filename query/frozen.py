"""Frozen, slotted dataclasses whose methods are written once, here, and not generated for each class.

`dataclass` writes and compiles up to six methods a class. With the seventy kinds of node of the two trees that was a
fifth of what a small query takes. `dataclasses.fields`, `replace` and patterns work with these as with any.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Any, ClassVar, NoReturn, TypeVar, dataclass_transform

_Class = TypeVar("_Class", bound="type[Frozen]")


class Frozen:
    """Equal if of one class and equal in all fields that take part in comparisons."""

    __slots__ = ()
    _positional: ClassVar[tuple[str, ...]] = ()
    _names: ClassVar[frozenset[str]] = frozenset()
    _compared: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, object]] = {}

    def __init__(self, *values: object, **named: object) -> None:
        content = {**self._defaults, **dict(zip(self._positional, values, strict=False)), **named}
        if len(values) > len(self._positional) or content.keys() != self._names:
            raise TypeError(f"{type(self).__name__} has {sorted(self._names)}, found {len(values)} and {sorted(named)}")
        for name, value in content.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash((type(self), self._content()))

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in self._compared]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def _content(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self._compared])


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: _Class) -> _Class:
    """A frozen, slotted dataclass that takes its methods from `Frozen`."""
    made: Any = dataclass(init=False, eq=False, repr=False, slots=True)(cls)
    described = fields(made)
    made._positional = tuple(each.name for each in described if not each.kw_only)
    made._names = frozenset(each.name for each in described)
    made._compared = tuple(each.name for each in described if each.compare)
    made._defaults = {each.name: each.default for each in described if each.default is not MISSING}
    return made  # type: ignore[no-any-return]
