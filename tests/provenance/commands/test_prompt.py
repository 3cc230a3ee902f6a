"""The prompt of `pirene query`: reads queries, answers each, outlives what is wrong with one of them."""

from __future__ import annotations

import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from provenance.commands.prompt import QueryCompleter, ask_repeatedly
from provenance.errors import StoreError
from provenance.store import Store

Keys = Callable[[str], tuple[list[str], list[str]]]


@pytest.fixture
def typed(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """What is asked and what is said when these keys are pressed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def ask(text: str) -> None:
        if text == "stop":
            raise KeyboardInterrupt
        if text == "endless":
            press = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
            press.start()
            store.rows("SELECT count(*) FROM range(1000000000000) WHERE hash(range) % 7 = 3", tables=())
        if text == "damage":
            raise StoreError("something is damaged", hint="mend it")
        list(store.query(text).rows())
        asked.append(text)

    asked: list[str] = []
    said: list[str] = []
    with create_pipe_input() as keys:
        pipe: PipeInput = keys

        def press(text: str) -> tuple[list[str], list[str]]:
            with create_app_session(input=pipe, output=DummyOutput()):
                pipe.send_text(text)
                ask_repeatedly(store, ask, said.append)
            return asked, said[1:]

        yield press


def test_one_query_after_the_other_until_the_end(typed: Keys) -> None:
    assert typed("files\r\rjobs limit 1\r\x04") == (["files", "jobs limit 1"], [])
    assert typed("workflows\rexit\rfiles\r")[0] == ["files", "jobs limit 1", "workflows"]


def test_what_is_wrong_is_said_and_the_next_is_read(typed: Keys) -> None:
    asked, said = typed("fles\rdamage\rstop\rfiles\r\x04")
    assert asked == ["files"]
    assert said[0].splitlines()[-1] == "did you mean files?"
    assert said[1:] == ["something is damaged\nmend it", "interrupted"]


def test_interrupting_an_answer_gives_up_the_answer(typed: Keys) -> None:
    assert typed("endless\rfiles\r\x04") == (["files"], ["interrupted"])


def test_interrupting_a_line_gives_up_the_line(typed: Keys) -> None:
    assert typed("garbage\x03files\r\x04") == (["files"], [])


def test_the_history_is_kept_for_the_next_time_and_for_nobody_else(typed: Keys, tmp_path: Path) -> None:
    typed("files limit 1\r\x04")
    history = tmp_path / "state" / "pirene" / "query" / "history"
    assert "files limit 1" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert typed("\x10\r\x04")[0] == ["files limit 1", "files limit 1"]  # Ctrl-P: the one before


def test_nowhere_to_keep_a_history_is_no_reason_not_to_ask(
    typed: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert typed("files\r\x04")[0] == ["files"]


def test_suggestions_stand_in_place_of_the_partial_word(store: Store) -> None:
    document = Document("files where dig = 1", cursor_position=15)
    (found,) = QueryCompleter(store).get_completions(document, CompleteEvent())
    assert (found.text, found.start_position) == ("digest_origin", -3)
