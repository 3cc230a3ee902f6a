"""Progress of long work: a bar on stderr where a person looks at it, nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from provenance.commands.context import Invocation


@contextmanager
def progress_bar(invocation: Invocation, label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar for work of this length while the context lasts; what it hands out is told of each part that is done."""
    if invocation.quiet or not length or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
