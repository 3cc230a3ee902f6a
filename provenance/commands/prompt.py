"""`pirene query` without a query, on a terminal: asks for one after the other, with history and completion.

The only module that imports prompt_toolkit: one query on the command line must start quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from integrity.errors import IntegrityError
from provenance.answers.completion import complete
from provenance.errors import StoreError
from provenance.store import Store
from provenance.user_folders import state_folder
from query.errors import QueryError

_LEAVE = ("exit", "quit", "q")


class QueryCompleter(Completer):
    """Suggests what fits in front of the cursor."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Words in place of the partial one."""
        for each in complete(self._store, document.text_before_cursor):
            yield Completion(each.word, start_position=-len(each.partial), display_meta=each.meaning)


def ask_repeatedly(store: Store, ask: Callable[[str], None], say: Callable[[str], None]) -> None:
    """Read queries and ``ask`` them until the end of input (Ctrl-D) or `exit`. What is wrong with one is said with
    ``say``, and the next is read; Ctrl-C gives up a line, or an answer that takes too long.
    """
    session: PromptSession[str] = PromptSession(
        history=_history(),
        completer=ThreadedCompleter(QueryCompleter(store)),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
    )
    say("Tab completes, Ctrl-R searches what was asked before, Ctrl-D ends. For example: files where size > 2 GiB")
    while True:
        try:
            text = session.prompt("query> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.lower() in _LEAVE:
            return
        if text:
            _answer(text, ask, say)


def _answer(text: str, ask: Callable[[str], None], say: Callable[[str], None]) -> None:
    try:
        ask(text)
    except KeyboardInterrupt:
        say("interrupted")
    except QueryError as error:
        say(error.report())
    except (StoreError, IntegrityError) as error:
        say("\n".join(filter(None, (str(error), error.hint))))


def _history() -> History:
    """What was asked before, in a file of the user's; nowhere if there can be none."""
    try:
        folder = state_folder("query")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "history"
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
