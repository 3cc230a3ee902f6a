"""`pirene log` says of what is wrong where it is, what was expected, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integrity.log.note import SigningKey
from provenance.errors import ReadFailedError
from provenance.evidence.history import new_checkpoint
from provenance.history.commits import CommitKind
from provenance.log.keys import key_folder
from provenance.storage.interface import Stored
from provenance.storage.local import LocalStorage
from provenance.store import Store
from tests.provenance.command_line import Ended, pirene_ended
from tests.provenance.log.conftest import files

STRANGER = SigningKey.generate("pirene/stranger@elsewhere")


@pytest.fixture
def logged(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / ".pirene")
    for number in (1, 2, 3):
        store.commit(CommitKind.REGISTER, files(number, number))
    store.project()
    return store


def log(store: Store, *arguments: str) -> Ended:
    return pirene_ended("--store", str(store.root), "log", *arguments)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no proof: expected c2sp.org/tlog-proof@v1 and an empty line before a checkpoint"),
        ("é\n\nx".encode(), "no proof: it is not ASCII"),
        (b"\xff", "no proof: it is not ASCII"),
        (b"{", "no envelope: "),
    ],
)
def test_what_is_no_proof_is_named(logged: Store, tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    done = log(logged, "verify", str(path))
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith(f"pirene: {path}: {what}")


def test_a_checkpoint_that_is_none_is_named(logged: Store, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(b"x")
    done = log(logged, "verify", "--since", str(path))
    assert done.exit_code == 4
    assert done.stderr.startswith(f"pirene: {path}: no signed note: expected text, an empty line, and lines with sig")


def test_a_checkpoint_of_another_store_is_named(logged: Store, tmp_path: Path) -> None:
    another = Store.open(tmp_path / "another")
    another.commit(CommitKind.REGISTER, files(1, 1))
    path = tmp_path / "given"
    path.write_bytes(new_checkpoint(another))
    done = log(logged, "verify", "--since", str(path))
    assert (done.exit_code, done.stdout) == (4, "")
    first, hint = done.stderr.splitlines()
    assert first.startswith(f"pirene: {path}: the checkpoint is one of pirene/{another.store_id}, this store is ")
    assert "name the store that it was exported from with --store" in hint


def test_a_key_that_is_not_trusted_is_named_with_the_file(logged: Store, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(new_checkpoint(logged))
    done = log(logged, "verify", "--since", str(path), "--key", STRANGER.verifier().text)
    assert done.exit_code == 4
    first, hint = done.stderr.splitlines()
    assert first.startswith(f"pirene: {path}: signed by pirene/")
    assert "`pirene log trust` it here" in hint


@pytest.mark.parametrize("damage", ["garbage\n", None])
def test_a_private_key_that_is_damaged_is_no_reason_not_to_check(
    logged: Store,
    damage: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """None: its bytes are right, and others may read them."""
    shutil.copytree(key_folder().path, tmp_path / "config/pirene")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    own = key_folder()
    public = own.signing_key("anna").verifier()
    own.signing_path.chmod(0o644)
    if damage is not None:
        own.signing_path.write_text(damage)
        own.signing_path.chmod(0o600)
    done = log(logged, "check")
    assert done.exit_code == 3
    assert "incomplete: commits/000000000003.json: expected a signature of a key that you trust" in done.stdout
    said = f"what your own key signed counts as unverified unless its public half is in {own.trusted_path}: "
    assert said + str(own.signing_path) in caplog.text
    own.trust(public, "mine")
    assert log(logged, "check").exit_code == 0
    (logged.root / "commits/000000000002.json").chmod(0o600)
    (logged.root / "commits/000000000002.json").write_bytes(b"")
    assert log(logged, "check").exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "say what to verify: PROOF, or --since FILE"),
        (("{path}", "--since", "{path}"), "PROOF ({path}) and --since are two questions: ask one at a time"),
        (("{path}", "--key", ""), "neither a file nor a key: '': expected NAME+ID+KEY, as `pirene log key` shows it"),
        (("{path}", "--key", "x+y"), "neither a file nor a key: 'x+y': expected NAME+ID+KEY"),
    ],
)
def test_what_was_not_asked_rightly(logged: Store, tmp_path: Path, arguments: tuple[str, ...], what: str) -> None:
    path = tmp_path / "given"
    path.write_bytes(b"")
    done = log(logged, "verify", *(one.format(path=path) for one in arguments))
    assert done.exit_code == 2
    assert what.format(path=path) in done.stderr


def test_advice_names_the_command_and_not_an_option_that_means_another_thing_here(logged: Store) -> None:
    """`log check --rebuild` takes the log over as it is: not what somebody with an old catalog should do."""
    logged.commit(CommitKind.REGISTER, files(4, 4))  # the catalog does not know it
    (segment, *_) = (logged.root / "segments" / "files").iterdir()
    segment.chmod(0o644)
    segment.write_bytes(segment.read_bytes()[:-1])
    done = log(logged, "check")
    assert done.exit_code == 4
    assert "a copy of the store, or try `pirene store check --repair`\n" in done.stdout
    assert "  `pirene store check --rebuild` makes it anew\n" in done.stdout


def refusing(method: Callable[..., object], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system does not say what is in a folder."""
    name = method.__name__

    def refused(storage: LocalStorage, asked: str = "") -> object:
        if asked == folder or (name == "stored" and folder.startswith(asked)):
            raise ReadFailedError(f"{storage.where(folder)}: Permission denied", hint="see to it")
        return method(storage, asked)

    monkeypatch.setattr(LocalStorage, name, refused)


@pytest.mark.parametrize("folder", ["log", "commits"])
def test_a_folder_that_cannot_be_read_is_incomplete_and_reported(
    logged: Store, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if folder == "log":
        refusing(LocalStorage.stored, folder, monkeypatch)
    refusing(LocalStorage.names, folder, monkeypatch)
    done = log(logged, "check")
    assert done.exit_code == 3, done
    assert f"incomplete: {folder}: expected the " in done.stdout
    assert "Permission denied" in done.stdout
    assert "tampered" not in done.stdout


def test_what_can_be_read_beside_an_unreadable_folder_is_compared(
    logged: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LocalStorage.stored

    def stored(storage: LocalStorage, folder: str) -> Iterator[Stored]:
        if folder == "log":
            raise ReadFailedError(f"{storage.where(folder)}: Permission denied")
        return real(storage, folder)

    monkeypatch.setattr(LocalStorage, "stored", stored)
    path = logged.root / "commits" / "000000000002.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"author":null', b'"author":"x"'))
    done = log(logged, "check")
    assert done.exit_code == 4
    assert "tampered: commits/000000000002.json" in done.stdout
    assert "incomplete: log: expected the files of the log, found" in done.stdout
