"""What commands that ask a store have in common: opening it, and rows and documents on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from provenance.answers.output import OutputColumn, Row
    from provenance.commands.context import Invocation
    from provenance.store import Store
    from query.vocabulary import FieldType


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a listing that is no answer of the language."""

    name: str
    type: FieldType | Literal["metadata value"]


def open_store(invocation: Invocation) -> Store:
    """The store that is meant, to write to; made if it is not there."""
    from provenance.store import Store

    return Store.open(invocation.store)


def existing_store(invocation: Invocation) -> Store:
    """The store that is meant, which has to be there: there is nothing to say of a new one. Raises NotAStoreError."""
    from provenance.store import Store

    return Store.open_existing(invocation.store)


def standard_output() -> BinaryIO:
    """Standard output, for bytes."""
    return sys.stdout.buffer


def print_rows(
    invocation: Invocation, columns: Sequence[OutputColumn], rows: Iterable[Row], output_format: str, *, nothing: str
) -> None:
    """Print rows; where a person looks and there are none, say ``nothing`` on stderr."""
    from provenance.answers.output import write_rows
    from query.context import amount

    count = 0

    def counted() -> Iterable[Row]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    write_rows(columns, counted(), output_format, standard_output())
    if not count and output_format == "table":
        invocation.note(nothing)
    invocation.detail(amount(count, "rows"))


def print_document(document: object) -> None:
    """Print one JSON document."""
    from provenance.answers.output import write_document

    write_document(document, standard_output())


def write_new(data: bytes, output: Path | None) -> None:
    """Write bytes to a file that is made for them, or else to standard output. FileExistsError: it is there."""
    if output is None:
        standard_output().write(data)
        return
    with output.open("xb") as file:
        file.write(data)
