"""`pirene export`: hand provenance to other tools."""

from __future__ import annotations

from pathlib import Path

import click

from provenance.commands.context import Invocation, pass_invocation


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--as", "form", type=click.Choice(("intoto",)), required=True, help="For which tools.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a new file.")
@pass_invocation
def export(invocation: Invocation, run: str, form: str, output: Path | None) -> None:
    """Hand the provenance of a run to other tools.

    \b
    --as intoto  an in-toto Statement with SLSA provenance of the run's outputs, in a DSSE envelope
                 that is signed with your key; `pirene log verify` checks it, and so do in-toto's tools
    """
    from provenance.answers.runs import find_run
    from provenance.commands.printing import existing_store, write_new
    from provenance.evidence.attestation import attested

    store = existing_store(invocation)
    write_new(attested(store, find_run(store, run)), output)
