"""Erased text in what has not become rows: records in quarantine, which go with it, and those on their way in."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.erasure.erasing import remove_all
from provenance.errors import NOT_THERE, NotWrittenError, WriteFailedError, read_failed
from provenance.ingest.quarantine import FOLDER as QUARANTINE

if TYPE_CHECKING:
    from provenance.store import Store

SHORTEST_TEXT = 8
"""Characters of an erased text that quarantine and spool are searched for: a shorter one stands everywhere."""


def quarantined_with(store: Store, texts: Collection[str]) -> tuple[str, ...]:
    """Files of quarantine that hold one of these texts, each with the notes that say why it is there."""
    if not texts:
        return ()
    names = [stored.name for stored in store.storage.stored(QUARANTINE)]
    wanted = _as_bytes(texts)
    held = {_kept_as(name) for name in names if _holds(_quarantined(store, name), wanted)}
    return tuple(name for name in names if _kept_as(name) in held)


def _quarantined(store: Store, name: str) -> bytes:
    try:
        return store.storage.read(name)
    except NOT_THERE:
        return b""  # somebody else has erased it meanwhile


def _kept_as(name: str) -> str:
    """What a file of quarantine, or a note, is about: ``quarantine/SHA256.record``."""
    return ".".join(name.split(".")[:2])


def remove_quarantined(store: Store, names: Iterable[str]) -> None:
    """Remove what `quarantined_with` found. Raises NotWrittenError if it stays: no commit was made yet."""
    # Notes first: without them the bytes are found again by what they hold, and so this can be repeated.
    try:
        remove_all(store, sorted(names, key=lambda name: (name == _kept_as(name), name)))
    except WriteFailedError as error:
        raise NotWrittenError(str(error), hint="see to it that it can, then do it again") from error


def spooled_with(store: Store, texts: Collection[str]) -> tuple[str, ...]:
    """Paths of files on their way in that hold one of these texts: their commands are alive, or will be taken up."""
    if not texts:
        return ()
    files = (path for path in sorted((store.root / "spool").rglob("*")) if path.is_file())
    wanted = _as_bytes(texts)
    return tuple(str(path) for path in files if _holds(_bytes(path), wanted))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # it was taken in meanwhile
    except OSError as error:
        raise read_failed(str(path), error) from error


def _as_bytes(texts: Iterable[str]) -> list[bytes]:
    """These texts in all of their forms."""
    return [form.encode("utf-8", "surrogatepass") for text in texts for form in forms(text)]


def _holds(data: bytes, wanted: Iterable[bytes]) -> bool:
    return any(each in data for each in wanted)


def forms(text: str) -> set[str]:
    """A text as it is and as JSON writes it."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
