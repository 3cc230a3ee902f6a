"""`pirene lineage`: where a file came from, and what depends on it."""

from __future__ import annotations

import shutil
import subprocess

import click

from provenance.commands.context import Invocation, pass_invocation
from provenance.errors import StoreError


@click.command()
@click.argument("what", metavar="NAME|DIGEST|PATH")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(("table", "json", "dot", "svg")),
    default="table",
    show_default=True,
    help="A tree for people, a graph for programs, or a picture.",
)
@pass_invocation
def lineage(invocation: Invocation, what: str, output_format: str) -> None:
    """Show where a file came from and what depends on it.

    A name that several files have shows all of them; a path or an id (`pirene query 'files show id, name'`) means one.
    """
    from provenance.answers.designators import find_files
    from provenance.answers.lineage import lineage as graph_of
    from provenance.answers.lineage_text import dot_lines, tree_lines
    from provenance.commands.printing import existing_store, print_document, standard_output

    store = existing_store(invocation)
    found = find_files(store, what)
    if len(found) > 1:
        invocation.note(f"note: {len(found)} files are meant by {what!r}; ids: {', '.join(ref.id for ref in found)}")
    graph = graph_of(store, found)
    match output_format:
        case "json":
            print_document(graph.document())
        case "dot":
            click.echo("\n".join(dot_lines(graph)))
        case "svg":
            standard_output().write(_svg("\n".join(dot_lines(graph))))
        case _:
            for line in tree_lines(graph):
                click.echo(line)


def _svg(dot: str) -> bytes:
    """The picture that Graphviz makes of a graph."""
    program = shutil.which("dot")
    if program is None:
        raise StoreError(
            "--format svg needs Graphviz, whose program `dot` is not there", hint="install it, or use --format dot"
        )
    done = subprocess.run([program, "-Tsvg"], input=dot.encode(), capture_output=True, check=False)
    if done.returncode:
        raise StoreError(f"{program} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout
