"""The root command: finds commands by name, loads only the one that is asked for, and turns exceptions into exit codes.

Exit codes: 0 good; 1 the thing asked about is bad; 2 bad usage or input; 3 incomplete; 4 tampering; 70 a bug in Pirene;
130 interrupted. No other module decides on one: errors carry theirs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import click

from integrity.errors import IntegrityError
from planner.errors import FileError, PlannerError
from provenance.commands.context import Invocation
from provenance.errors import StoreError
from query.errors import QueryError
from query.terminal_text import harmless, harmless_lines

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

BAD_USAGE = 2
COMPLETE = "_PIRENE_COMPLETE"  # set by the script that a shell runs on Tab: see `click.shell_completion`
BUG = 70
INTERRUPTED = 130
_INTERRUPTED_QUERY = "Query interrupted"
"""What DuckDB makes of Ctrl-C in a statement that `provenance.segments.database.Connection` does not see to, each of
which takes milliseconds: a RuntimeError of these words, in place of KeyboardInterrupt.
"""
_OBJECTS_BETWEEN_COLLECTIONS = 50_000  # of the youngest: a few megabytes

# Name -> where the command is, and its line in `pirene --help`: listing commands must not import them.
COMMANDS: dict[str, tuple[str, str]] = {
    "exec": (
        "planner.commands.exec_command:exec_command",
        "Run one command, verified and recorded, without a workflow.",
    ),
    "run": ("planner.commands.run:run", "Plan and run a workflow, or go on with a run."),
    "plan": ("planner.commands.plan:plan", "Plan a workflow without running it."),
    "explain": ("planner.commands.explain:explain", "Say why each job of a plan runs or not."),
    "status": ("planner.commands.status:status", "Say where a run is."),
    "analyze": ("planner.commands.analyze:analyze", "Say why a run failed."),
    "remove": ("planner.commands.remove:remove", "Take a run off the pool."),
    "chaos": ("planner.commands.chaos:chaos", "Try out whether damage to a run's files would be noticed."),
    "query": ("provenance.commands.query:query", "Ask the store."),
    "sql": ("provenance.commands.sql:sql", "Ask the store in SQL."),
    "fields": ("provenance.commands.fields:fields", "List what can be asked: fields and metadata keys."),
    "files": ("provenance.commands.files:files", "Register files, or retire them."),
    "meta": ("provenance.commands.meta:meta", "Show, set or withdraw metadata."),
    "lineage": ("provenance.commands.lineage:lineage", "Show where a file came from and what depends on it."),
    "verify": ("provenance.commands.verify:verify", "Check files against what the store knows of them."),
    "audit": ("provenance.commands.audit:audit", "Report on the integrity of data."),
    "scrub": ("provenance.commands.scrub:scrub", "Check copies over time, or a sample of them."),
    "log": ("provenance.commands.log:log", "Prove that nothing in the store was changed."),
    "export": ("provenance.commands.export:export", "Hand provenance to other tools."),
    "store": ("provenance.commands.store:store", "Look after the store."),
    "pull": ("provenance.commands.exchange:pull", "Bring to the store what another has."),
    "push": ("provenance.commands.exchange:push", "Bring to another store what this one has."),
}


def _set_store(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).store = value


def _set_verbose(context: click.Context, parameter: click.Parameter, value: int) -> None:
    if value:
        context.ensure_object(Invocation).verbose = value


def _set_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).quiet = True


def _shared_options() -> list[click.Option]:
    """The options that stand before or after any command alike."""
    return [
        click.Option(
            ["--store"],
            metavar="PLACE",
            expose_value=False,
            callback=_set_store,
            help="The store: a folder or s3://BUCKET/PREFIX (default: nearest .pirene/).",
        ),
        click.Option(["-v", "--verbose"], count=True, expose_value=False, callback=_set_verbose, help="Say more."),
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_set_quiet, help="Say less."),
    ]


def _share_options(command: click.Command) -> None:
    """Give a command (and the commands of a group) the shared options, where it has not taken their letters itself."""
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params.extend(option for option in _shared_options() if not taken & set(option.opts))
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _share_options(child)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run, not when they are listed."""

    _loaded: dict[str, click.Command] | None = None

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order of the documentation."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command called ``name``; None if there is none."""
        self._loaded = self._loaded or {}
        if name in self._loaded:
            return self._loaded[name]
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        _share_options(command)
        self._loaded[name] = command
        return command

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands from COMMANDS alone, and options."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, context, incomplete)]

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with a suggestion for a name that is not known."""
        name = arguments[0] if arguments else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {close[0]}?" if close else " `pirene --help` lists the commands."
            context.fail(f"no such command: {harmless(name)}.{hint}")
        return super().resolve_command(context, arguments)

    def invoke(self, context: click.Context) -> object:
        """As click does it, except that a reader who goes away (`| head`) is no failure: click would end with 1."""
        try:
            return super().invoke(context)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, from COMMANDS alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"pirene {version('pirene')}")
        context.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, params=_shared_options())
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
@click.pass_context
def root(context: click.Context) -> None:
    """Run workflows whose data can be trusted, found and explained."""
    context.ensure_object(Invocation)


def fail(message: str, hint: str | None, exit_code: int) -> NoReturn:
    """End with one clear line (and what to do) on stderr. Below that line a message may show the place in a file."""
    click.echo(f"pirene: {harmless_lines(message)}", err=True)
    if hint:
        click.echo(harmless_lines(hint), err=True)
    sys.exit(exit_code)


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what leaves a command into an exit code; the only place that does."""
    try:
        yield
    except click.exceptions.Exit as exit_request:
        sys.exit(exit_request.exit_code)
    except click.ClickException as usage:
        usage.show()
        sys.exit(usage.exit_code)
    except (click.Abort, KeyboardInterrupt):
        fail("interrupted", None, INTERRUPTED)
    except QueryError as error:
        # Where in a query something is wrong is shown in it; where the query stands, if it was in a file, is a note.
        fail("\n".join([*getattr(error, "__notes__", ()), error.report()]), None, error.exit_code)
    except FileError as error:
        fail(str(error), error.hint, error.exit_code)
    except (IntegrityError, StoreError, PlannerError) as error:
        fail(harmless(str(error)), error.hint, error.exit_code)
    except MemoryError:
        fail("there is not enough memory for this", None, BAD_USAGE)
    except OSError as error:
        # Disk full, no permission: the system's own words, with the path, are what the user can act on.
        where = f"{error.filename}: " if error.filename else ""
        fail(harmless(f"{where}{error.strerror or error}"), None, BAD_USAGE)
    except Exception as error:
        if type(error) is RuntimeError and str(error) == _INTERRUPTED_QUERY:
            fail("interrupted", None, INTERRUPTED)
        # The process boundary: what is left is a bug, and is called one.
        if os.environ.get("PIRENE_DEBUG"):
            raise
        fail(
            harmless(f"internal error: {type(error).__name__}: {error}"),
            "Set PIRENE_DEBUG=1 for the traceback; please report it.",
            BUG,
        )


def collect_garbage_rarely() -> None:
    """Look for garbage cycles rarely: imports and plans are many objects and no garbage.

    Python's own thresholds suit long-lived servers: they cost a query a tenth of its time and a plan more.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])


def leave(code: int) -> NoReturn:
    """End the process now, without its tear-down.

    All that matters is on disk, synced; what is left are native libraries whose threads race with their own
    destructors: seen were an abort after all was said and done ("terminate called without an active exception"), and
    complaints on stderr.
    """
    try:
        with contextlib.suppress(BrokenPipeError):  # nobody reads any more: nothing is wrong
            sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or BAD_USAGE  # what was to be said could not be said whole
    os._exit(code)


def open_standard_streams() -> None:
    """Where the caller closed 0, 1 or 2, connect them to nothing: no file of ours may be taken for one of them."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    # A terminal of another encoding gets escapes for what it cannot show.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _complete() -> int:
    """Answer a shell that asks what may come next; whatever goes wrong, its line of input is left alone."""
    if not os.environ.get("PIRENE_DEBUG"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        root(prog_name="pirene", complete_var=COMPLETE)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception:  # the process boundary: a bug here must not end up on the line that somebody writes
        if os.environ.get("PIRENE_DEBUG"):
            raise
    return 0


def main() -> NoReturn:
    """Entry point of the command ``pirene``."""
    collect_garbage_rarely()
    open_standard_streams()
    if os.environ.get(COMPLETE):
        leave(_complete())
    try:
        with exit_codes():
            result = root(standalone_mode=False)
            sys.exit(result if isinstance(result, int) else 0)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0)


if __name__ == "__main__":
    main()
