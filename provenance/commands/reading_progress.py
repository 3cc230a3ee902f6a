"""How far the reading of many files is, on a terminal; and interrupts, which must never leave it open what was done."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from provenance.commands.context import Invocation


class ReadingProgress:
    """A line on a terminal with the bytes and files that were read; nothing in a pipe, nor with ``-q``."""

    def __init__(self, invocation: Invocation) -> None:
        self._shown = sys.stderr.isatty() and not invocation.quiet
        self._bar: ProgressBar[int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    def __call__(self, files: int, all_files: int, size_bytes: int, all_bytes: int) -> None:
        """Show how far it is: in bytes, or in files where no bytes are known before (folders that are one file)."""
        if not self._shown:
            return
        done, total = (size_bytes, all_bytes) if all_bytes else (files, all_files)
        if self._bar is None:
            self._bar = click.progressbar(
                length=total,
                label="reading",
                file=sys.stderr,
                item_show_func=lambda text: str(text),
                width=24,
            )
            self._bar.render_progress()
        text = f"{_size(size_bytes)} of {_size(max(all_bytes, size_bytes))}, {files} of {all_files} files"
        self._bar.update(min(done, total) - self._bar.pos, text)  # type: ignore[arg-type]


def _size(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.4g} TB"


class PointOfNoReturn:
    """What is done inside is done whole: an interrupt waits until it is, and is raised then.

    ``passed``: it was done. Only for the main thread, which is the one that interrupts go to.
    """

    def __init__(self) -> None:
        self.passed = False
        self._interrupted = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        self.passed = error is None
        if self._interrupted and error is None and callable(self._before):
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
