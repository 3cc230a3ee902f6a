"""An event log of HTCondor, read as it grows.

A reader of our own, because the bindings' one does not notice that a log was begun anew, which DAGMan does whenever it
is submitted, and because a log must also be readable where HTCondor does not answer or is not configured. An event is
a header, lines that are indented, and a line "...". What a writer has not ended yet is left for later; what was cut
off in the middle, on a full disk, is passed over.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER = re.compile(rb"([0-9]{3}) \(([0-9]+)\.(-?[0-9]+)\.-?[0-9]+\) (\S+(?: [0-9][0-9:.]*Z?)?) ?(.*)")
_START = re.compile(rb"^(?=[0-9]{3} \([0-9]+\.)", re.MULTILINE)
_END = b"\n...\n"
_CHUNK_BYTES = 1 << 20
_LONGEST_EVENT_BYTES = 1 << 20  # more than that without an end is no event
_KNOWN_BY_BYTES = 512  # the beginning of a log: cluster and time of the first event tell logs apart
_LEGACY = re.compile(r"([0-9]{2})/([0-9]{2}) (.*)")
_OUT_OF_ORDER = dt.timedelta(minutes=1)  # no more than that: several processes write, each when it has the lock


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event. ``number`` is its type's (ULogEventNumber), ``title`` the rest of the header, ``lines`` what follows,
    without indentation and empty lines.
    """

    number: int
    cluster: int
    at: dt.datetime
    title: str
    lines: tuple[str, ...]


class EventLog:
    """A log on disk, read on from where the last reading ended, and from its beginning when it was begun anew.

    ``begun_anew`` says whether the last reading found another log than the one before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._beginning = b""
        self._times = _Times()
        self.begun_anew = False

    def news(self) -> Iterator[LogEvent]:
        """Events that were not read yet, in the order of the log; none if there is no log. Raises OSError."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        with open(descriptor, "rb", buffering=0) as log:  # noqa: PTH123 - opened already
            self._find_place(descriptor)
            log.seek(self._offset)
            rest = b""
            while chunk := log.read(_CHUNK_BYTES):
                *blocks, rest = (rest + chunk).split(_END)
                for block in blocks:
                    self._offset += len(block) + len(_END)
                    yield from self._events(block)
                if len(rest) > _LONGEST_EVENT_BYTES:
                    self._offset, rest = self._offset + len(rest), b""

    def _find_place(self, descriptor: int) -> None:
        """Go back to the beginning if this is not the log that was read last time."""
        found = os.pread(descriptor, _KNOWN_BY_BYTES, 0)
        size = os.fstat(descriptor).st_size
        self.begun_anew = size < self._offset or not found.startswith(self._beginning)
        if self.begun_anew:
            self._offset = 0
        self._beginning = found[: self._offset or _KNOWN_BY_BYTES]

    def _events(self, block: bytes) -> Iterator[LogEvent]:
        """Usually one; more, if the end of an event never came to the disk."""
        for text in _START.split(block):
            match = _HEADER.match(text)
            if match is None:
                continue
            number, cluster, _, when, title = match.groups()
            at = self._times.read(when.decode("ascii", "replace"))
            if at is not None:
                lines = text[match.end() :].decode("utf-8", "replace").split("\n")
                yield LogEvent(
                    int(number),
                    int(cluster),
                    at,
                    title.decode("utf-8", "replace"),
                    tuple(stripped for line in lines if (stripped := line.strip())),
                )


class _Times:
    """Times of events: local time of the submit host, unless it was configured to write UTC."""

    def __init__(self) -> None:
        self._text = ""
        self._at: dt.datetime | None = None

    def read(self, text: str) -> dt.datetime | None:
        """The time in UTC; None if it is none. Logs are in order, which tells the two hours apart that are called the
        same when clocks are set back.
        """
        if text != self._text:
            self._text, self._at = text, self._utc(text)
        return self._at

    def _utc(self, text: str) -> dt.datetime | None:
        written = _without_year(legacy) if (legacy := _LEGACY.fullmatch(text)) else _iso(text)
        if written is None:
            return None
        at = written.astimezone(dt.UTC)
        if self._at is not None and written.tzinfo is None and self._at - at > _OUT_OF_ORDER:
            at = written.replace(fold=1).astimezone(dt.UTC)
        return at


def _iso(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _without_year(match: re.Match[str]) -> dt.datetime | None:
    """The time of the format that HTCondor calls LEGACY: this year's, or last year's if that is still to come."""
    tomorrow = dt.datetime.now().astimezone() + dt.timedelta(days=1)
    for year in (tomorrow.year, tomorrow.year - 1):
        written = _iso(f"{year}-{match[1]}-{match[2]} {match[3]}")
        if written is not None and written.astimezone() <= tomorrow:
            return written
    return None
