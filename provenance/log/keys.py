"""The user's keys, applied: which key commits are signed with here, and which are trusted.

A commit that cannot be signed is made all the same, unsigned: what happened is worth more recorded than not. That is
said once.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace

from integrity.errors import KeyFileError, OwnKeyError
from integrity.log.keys import KeyFolder
from integrity.log.note import Signature, SigningKey, VerifierKey
from provenance.history.commits import Commit, document_of
from provenance.history.entry import signed_text
from provenance.user_folders import config_folder
from provenance.users import current_user
from query.terminal_text import harmless

_lock = threading.Lock()
_known: dict[tuple[str, str], SigningKey | None] = {}
"""The key in each place that was asked for; None: there can be none, which was said."""


def key_folder() -> KeyFolder:
    """Where this user's keys are. Raises KeyFileError: they have no home."""
    try:
        return KeyFolder(config_folder())
    except OSError as error:
        raise KeyFileError(str(error), hint="XDG_CONFIG_HOME names a folder for keys") from error


def trusted_keys() -> tuple[VerifierKey, ...]:
    """The keys that this user trusts. Raises KeyFileError."""
    return key_folder().trusted()


def trusted_as_known() -> tuple[VerifierKey, ...]:
    """The same for those who go on without the user's own key if its file is damaged, which is logged as a warning."""
    folder = key_folder()
    try:
        return folder.trusted()
    except OwnKeyError as error:
        listed = folder.trusted(with_own=False)
        said = f"what your own key signed counts as unverified unless its public half is in {folder.trusted_path}"
        warn(f"{said}: {_with_advice(error)}")
        return listed


def trusted_or_none() -> tuple[VerifierKey, ...]:
    """The same for those who go on without any: none where the list cannot be known, which is logged as a warning."""
    try:
        return trusted_as_known()
    except KeyFileError as error:
        warn(f"signatures are not verified: {_with_advice(error)}")
        return ()


def own_key() -> SigningKey | None:
    """The key to sign with, made on first use; None: there can be none, which is logged as a warning, once."""
    place = os.environ.get("XDG_CONFIG_HOME", ""), os.environ.get("HOME", "")
    with _lock:
        if place not in _known:
            try:
                _known[place] = key_folder().signing_key(current_user())
            except KeyFileError as error:
                _known[place] = None
                warn(f"commits are not signed: {_with_advice(error)}")
        return _known[place]


def signed(commit: Commit) -> Commit:
    """The commit with the signature of this user; without one if there can be none."""
    key = own_key()
    if key is None:
        return commit
    text = signed_text(document_of(commit))
    return replace(commit, signature=Signature.of(text.encode(), key).text)


def _with_advice(error: KeyFileError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def warn(message: str) -> None:
    """Log a warning: the work goes on without what could not be done."""
    import logging  # late: it takes as long as all other imports of this module

    logging.getLogger(__name__).warning("%s", harmless(message))
