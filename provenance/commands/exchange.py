"""`pirene pull` and `pirene push`: merge two stores by bringing to the one what the other has."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from provenance.commands.context import Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from provenance.exchange.pull import Begin, PullReport
    from provenance.history.commits import Commit
    from provenance.history.erased import Erased
    from provenance.store import Store


def _options(command: Command) -> Command:
    decorate: tuple[Callable[[Any], Any], ...] = (
        click.option("--dry-run", is_flag=True, help="Say what would come, and leave everything as it is."),
        click.option("--accept-future", is_flag=True, help="Also commits dated more than a day ahead of this clock."),
        click.option(
            "--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True
        ),
    )
    for option in reversed(decorate):
        command = option(command)
    return command


@click.command()
@click.argument("other", metavar="STORE")
@_options
@pass_invocation
def pull(invocation: Invocation, other: str, dry_run: bool, accept_future: bool, output_format: str) -> None:
    """Bring what STORE has, and what it pulled itself, to this store.

    STORE is a folder (a store, or one with a `.pirene` in it) or a URL. Nothing comes twice, and commits of others
    stay as they are. What was asked as of an earlier commit is answered as before.
    """
    from provenance.commands.printing import open_store
    from provenance.store import Store

    source = Store.existing(other)  # before this one is made, if it is not there
    _merge(invocation, open_store(invocation), source, True, dry_run, accept_future, output_format)


@click.command()
@click.argument("other", metavar="STORE")
@_options
@pass_invocation
def push(invocation: Invocation, other: str, dry_run: bool, accept_future: bool, output_format: str) -> None:
    """Bring what this store has, and what it pulled itself, to STORE, which is written to.

    It is what `pirene pull` does there. STORE must be there: where it is not, `pirene --store STORE pull` of this one
    makes it.
    """
    from provenance.commands.printing import existing_store
    from provenance.store import Store

    _merge(invocation, Store.existing(other), existing_store(invocation), False, dry_run, accept_future, output_format)


def _merge(
    invocation: Invocation,
    into: Store,
    source: Store,
    pulls: bool,
    dry_run: bool,
    accept_future: bool,
    output_format: str,
) -> None:
    from provenance.commands.printing import print_document
    from provenance.exchange.pull import pull as pull_commits

    with _progress(invocation) as begin:
        report = pull_commits(into, source, dry_run=dry_run, accept_future=accept_future, begin=begin)
    if report.commit is not None:
        into.project()
    if output_format == "json":
        print_document(_document(report, into, source, dry_run))
        return
    place = (source if pulls else into).storage.location
    invocation.note(_sentence(report, f"{'from' if pulls else 'to'} {place}", dry_run))
    for line in (*_unverified(report), *_announced(report)):
        invocation.note(line)


def _document(report: PullReport, into: Store, source: Store, dry_run: bool) -> dict[str, object]:
    return {
        "from": source.storage.location,
        "to": into.storage.location,
        "dry_run": dry_run,
        "commit": report.commit,
        "commits": report.commits,
        "unverified": report.unverified,
        "stores": [{"store": chain.store, "first": chain.first, "last": chain.last} for chain in report.chains],
        "runs": report.rows.get("workflows", 0),
        "files": report.rows.get("files", 0),
        "rows": report.rows,
        "erasures": [
            {"store": commit.store, "commit": commit.number, "reason": erased.reason, "rows": sum(erased.rows.values())}
            for commit, erased in _erasures(report)
        ],
        "segments": report.segments,
        "size_bytes": report.size_bytes,
    }


def _erasures(report: PullReport) -> list[tuple[Commit, Erased]]:
    """What others have erased, as commits that came say."""
    every = (commit for chain in report.chains for commit in chain.erasures)
    return [(commit, commit.erased) for commit in every if commit.erased is not None]


def _unverified(report: PullReport) -> Iterator[str]:
    from query.context import amount

    if report.unverified:
        said = "without a signature of a key that you trust, or a root over those before"
        yield f"{amount(report.unverified, 'commits')} {said}: `pirene log check`"


def _announced(report: PullReport) -> Iterator[str]:
    """What others have erased, and what that means where it was pulled before."""
    from query.context import amount

    for commit, erased in _erasures(report):
        taken = f"{amount(sum(erased.rows.values()), 'rows')} and the output of {amount(erased.cleared, 'attempts')}"
        yield f"commit {commit.number} of store {commit.store} erased {taken}: {erased.reason}"
    if _erasures(report):
        yield "what was pulled of that before is kept until `pirene store erase` takes it away"


def _sentence(report: PullReport, way: str, dry_run: bool) -> str:
    from query.context import amount

    if not report.chains:
        return f"nothing new {way}"
    what = (
        f"{amount(report.commits, 'commits')} of {amount(len(report.chains), 'stores')} {way}: "
        f"{amount(report.rows.get('workflows', 0), 'runs')}, {amount(report.rows.get('files', 0), 'files')}, "
        f"{amount(report.size_bytes, 'bytes')}"
    )
    return f"{what}; nothing was done" if dry_run else f"{what} (commit {report.commit})"


@contextlib.contextmanager
def _progress(invocation: Invocation) -> Iterator[Begin | None]:
    """A progress bar over bytes where a person looks."""
    if invocation.quiet or not sys.stderr.isatty():
        yield None
        return
    with contextlib.ExitStack() as bars:

        def begin(size_bytes: int) -> Callable[[int], object]:
            bars.close()  # the pull was overtaken by another and looks again
            bar = bars.enter_context(
                click.progressbar(length=size_bytes, label="segments", file=sys.stderr, show_pos=True)
            )
            return bar.update

        yield begin
