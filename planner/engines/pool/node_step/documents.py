"""JSON objects in files that are there whole or not at all."""

import os

from integrity.wrapper.json_text import parse, unparse

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Dict

    Document = Dict[str, Any]


def read_document(path: bytes) -> "Document | None":
    """A JSON object; None where there is none, or one that a crash has cut off."""
    try:
        with open(path, "rb") as file:
            document = parse(file.read().decode("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def write_document(path: bytes, document: "Mapping[str, Any]") -> None:
    """Write a JSON object."""
    write_whole(path, in_json(document))


def in_json(document: "Mapping[str, Any]") -> bytes:
    """A JSON object as documents hold it."""
    return unparse(document).encode("ascii")


def write_whole(path: bytes, data: bytes) -> None:
    """Write a file under its name by a rename; the folder is made."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = b"%s.%d.tmp" % (path, os.getpid())
    with open(temporary, "wb") as file:
        file.write(data)
    os.rename(temporary, path)
