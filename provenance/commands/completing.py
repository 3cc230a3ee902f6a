"""What a shell offers on Tab: for queries what fits behind what was written, with keys and values of the store."""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_OBEYED = {"": "'\"$`\\!;|&<>()*?[]{}~#", "'": "'", '"': '"$`\\!'}
"""What a shell obeys without quotes, and within each kind of them."""


def complete_query(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whole queries that go on where ``incomplete`` ends: a shell takes a query in quotes for one word."""
    from click.shell_completion import CompletionItem

    from provenance.answers.completion import complete, existing_store

    invocation = context.find_object(Invocation)
    store = existing_store(invocation.store if invocation is not None else None)
    found = complete(store, incomplete)
    if len(found) == 1:
        # A shell closes the quotes behind a word that is the only one: several that start with it leave them open.
        whole = found[0].text
        further = complete(store, whole if whole.endswith(".") else f"{whole} ")
        found = further if len(further) > 1 else found
    obeyed = _OBEYED[_open_quote(os.environ.get("COMP_WORDS", ""))]
    # Shells put a suggestion into the line as it is: a value that closes the quotes would be a command when it is run.
    return [CompletionItem(each.text, help=each.meaning or None) for each in found if not set(obeyed) & set(each.text)]


def _open_quote(line: str) -> str:
    """The quote at the end of a line of a shell that has no partner yet; empty: there is none."""
    for quote in _OBEYED:
        with contextlib.suppress(ValueError):  # no closing quotation
            shlex.split(f"{line}x{quote}")  # x: a backslash at the end would make the quote a character
            return quote
    return ""


def complete_entity(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The words for what can be asked about."""
    from click.shell_completion import CompletionItem

    from provenance.commands.fields import ENTITIES

    return [CompletionItem(name) for name in ENTITIES if name.startswith(incomplete)]
