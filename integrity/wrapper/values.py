"""Values of a document, checked: a message names the key, what was expected and what was found."""

from integrity.wrapper.errors import UnusableError
from integrity.wrapper.notation import to_bytes

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

MAX_SECONDS = 10**9  # more than thirty years; nan and infinity are no spans either


def expect(document: "Mapping[str, Any]", key: str, value: str) -> None:
    """Raise UnusableError unless a key has this value."""
    if document.get(key) != value:
        raise UnusableError("%s: expected %r, found %r" % (key, value, document.get(key)))


def typed(document: "Mapping[str, Any]", key: str, kind: "Any") -> "Any":
    """The value of a key that must be there, of type ``kind``. Raises UnusableError."""
    value = document.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UnusableError(
            "%s: expected a value of type %s, found %r" % (key, getattr(kind, "__name__", "number"), value)
        )
    return value


def optional(document: "Mapping[str, Any]", key: str, kind: "Any", default: "Any") -> "Any":
    """The value of a key, of type ``kind``; ``default`` where there is none or null. Raises UnusableError."""
    return default if document.get(key) is None else typed(document, key, kind)


def flag(document: "Mapping[str, Any]", key: str, shown: str) -> bool:
    """Whether a key is true; it may be missing. ``shown`` names it. Raises UnusableError."""
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise UnusableError("%s: expected true or false, found %r" % (shown, value))
    return bool(value)


def entries_of(document: "Mapping[str, Any]", key: str) -> "list[Mapping[str, Any]]":
    """The objects in the list of a key that may be missing. Raises UnusableError."""
    entries = optional(document, key, list, [])
    if not all(isinstance(entry, dict) for entry in entries):
        raise UnusableError("%s: expected a list of objects" % key)
    return list(entries)


def argument(value: "Any", key: str) -> bytes:
    """The bytes of a text that the kernel takes: without NUL. Raises UnusableError."""
    if not isinstance(value, str) or "\0" in value:
        raise UnusableError("%s: expected text without a NUL character, found %r" % (key, value))
    try:
        return to_bytes(value)
    except UnicodeEncodeError:
        raise UnusableError("%s: %r holds a surrogate that stands for no byte" % (key, value)) from None


def checked_path(text: str, key: str) -> bytes:
    """The bytes of a path; ``key`` is named where it is none. Raises UnusableError."""
    if not text:
        raise UnusableError("%s: expected a path, found an empty text" % key)
    return argument(text, key)


def arguments(document: "Mapping[str, Any]", key: str, shown: str) -> "list[bytes]":
    """An executable and its arguments; ``shown`` names them. Raises UnusableError."""
    found = [argument(value, shown) for value in typed(document, key, list)]
    if not found or not found[0]:
        raise UnusableError("%s: expected the executable and its arguments, found %r" % (shown, document[key]))
    return found


def seconds(document: "Mapping[str, Any]", key: str) -> "float | None":
    """A time span of more than nothing, or None. Raises UnusableError."""
    value = optional(document, key, (int, float), None)
    if value is None:
        return None
    if not 0 < value < MAX_SECONDS:
        raise UnusableError("%s: expected more than 0 and fewer than %d seconds, found %r" % (key, MAX_SECONDS, value))
    return float(value)


def fewer_than(document: "Mapping[str, Any]", key: str, kind: "Any", bound: int, default: "Any") -> "Any":
    """A number, from nothing on (what is less counts as nothing) and below ``bound``. Raises UnusableError."""
    value = optional(document, key, kind, default)
    if not value < bound:
        raise UnusableError("%s: expected a number below %d, found %r" % (key, bound, value))
    return max(0, value)


def known_keys(document: "Mapping[str, Any]", key: str, known: "Collection[str]") -> "Mapping[str, Any]":
    """The object of a key that may be missing. Raises UnusableError for keys in it that this wrapper does not know:
    who asks for a limit or a step must not believe to have it.
    """
    found: "Mapping[str, Any]" = optional(document, key, dict, {})
    for name in found:
        if name not in known:
            raise UnusableError("%s: expected any of %s, found %r" % (key, ", ".join(known), name))
    return found
