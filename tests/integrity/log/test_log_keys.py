"""Keys of a user: made once whoever asks first, for their eyes only, replaced without losing what they signed."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integrity.errors import KeyFileError
from integrity.log.keys import KeyFolder, key_name
from integrity.log.note import SigningKey, VerifierKey, opened, signed_note


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path / "config" / "pirene")


def names(keys: KeyFolder) -> list[str]:
    return sorted(path.name for path in keys.path.iterdir())


def test_a_key_is_made_on_first_use_and_stays(keys: KeyFolder) -> None:
    assert keys.trusted() == ()
    key = keys.signing_key("anna")
    assert keys.signing_key("anybody") == key
    assert key.name.startswith("pirene/anna@")
    assert stat.S_IMODE(keys.signing_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o700
    assert names(keys) == ["signing-key"]
    assert keys.trusted() == (key.verifier(),)
    assert SigningKey.parse(keys.signing_path.read_text().strip()) == key


def test_many_who_make_one_at_once_get_the_same(keys: KeyFolder) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keys.signing_key("anna"), range(32)))
    assert len({key.seed for key in made}) == 1
    assert names(keys) == ["signing-key"]


def test_what_a_replaced_key_signed_stays_signed(keys: KeyFolder) -> None:
    old = keys.signing_key("anna")
    note = signed_note("x\n", [old])
    new = keys.rotate("anna")
    assert new.seed != old.seed
    assert keys.signing_key("anna") == new
    assert keys.trusted() == (new.verifier(), old.verifier())
    assert opened(note, keys.trusted())[1] == (old.verifier(),)
    assert old.text not in keys.trusted_path.read_text()
    assert stat.S_IMODE(keys.signing_path.stat().st_mode) == 0o600
    assert names(keys) == ["signing-key", "trusted-keys"]


def test_a_list_that_people_write(keys: KeyFolder) -> None:
    one, other = (SigningKey.generate(name).verifier() for name in ("one", "other"))
    keys.path.mkdir(parents=True, mode=0o700)
    keys.trusted_path.touch(0o644)
    keys.trusted_path.write_text(f"# colleagues\n\n  {one.text}   # next door")
    assert keys.trust(other, "a\nb")
    assert not keys.trust(other, "again")
    assert not keys.trust(one, "again")
    assert keys.trusted() == (one, other)
    assert keys.trusted_path.read_text().splitlines()[-1] == f"{other.text}  # a b"
    keys.trusted_path.write_text(f"{one.text}\n{other.text[:-3]}\n")
    with pytest.raises(KeyFileError, match=r"trusted-keys, line 2: no public key"):
        keys.trusted()
    keys.trusted_path.write_bytes(b"\xff")
    with pytest.raises(KeyFileError, match="not UTF-8"):
        keys.trusted()


def test_names_may_have_what_begins_a_comment_elsewhere(keys: KeyFolder) -> None:
    odd, other = (SigningKey.generate(name).verifier() for name in ("lab#7/anna", "other"))
    assert keys.trust(odd, "#1 of two")
    assert keys.trust(other, "")
    assert not keys.trust(odd, "again")
    assert keys.trusted() == (odd, other)
    keys.trusted_path.write_text(f"# {odd.text}\n{other.text}\t#{odd.text}\n")
    assert keys.trusted() == (other,)
    before = keys.trusted_path.read_bytes()
    with pytest.raises(KeyFileError, match="takes it for a comment"):
        keys.trust(SigningKey.generate("#x").verifier(), "why")
    assert keys.trusted_path.read_bytes() == before


def test_what_is_no_unicode_does_not_come_on_the_list(keys: KeyFolder) -> None:
    with pytest.raises(KeyFileError, match=r"Unicode \(UTF-8\), this is not"):
        keys.trust(VerifierKey("a", bytes(32)), "\udcff")
    assert keys.trusted() == ()


def test_many_who_replace_keys_at_once_lose_none(keys: KeyFolder) -> None:
    """Each key that anybody was given may have signed: it stays trusted."""
    others = [SigningKey.generate(f"other{number}").verifier() for number in range(8)]
    first = keys.signing_key("anna")
    with ThreadPoolExecutor(8) as pool:
        added = [pool.submit(keys.trust, key, "why") for key in others for _ in range(2)]
        made = list(pool.map(lambda _: keys.rotate("anna"), range(16)))
    assert sorted(one.result() for one in added) == [False] * 8 + [True] * 8
    trusted = keys.trusted()
    assert {one.verifier() for one in (first, *made)} | set(others) == set(trusted)
    assert len(keys.trusted_path.read_text().splitlines()) == 16 + 8


def test_many_who_replace_a_key_that_is_not_there_lose_none(keys: KeyFolder) -> None:
    with ThreadPoolExecutor(8) as pool:
        rotated = [pool.submit(keys.rotate if number % 2 else keys.signing_key, "anna") for number in range(16)]
        made = [one.result() for one in rotated]
    assert {one.verifier() for one in made} == set(keys.trusted())


def test_an_editor_that_replaces_the_list_meanwhile(keys: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key does not go to the list that was there, which nobody reads any more."""
    one, other = (SigningKey.generate(name).verifier() for name in ("one", "other"))
    keys.trust(one, "")
    locked = fcntl.flock

    def replaced(descriptor: int, operation: int) -> None:
        locked(descriptor, operation)
        monkeypatch.setattr(fcntl, "flock", locked)
        edited = keys.path / "edited"
        edited.touch(0o644)
        edited.write_text(f"{one.text}  # edited\n")
        edited.replace(keys.trusted_path)

    monkeypatch.setattr(fcntl, "flock", replaced)
    assert keys.trust(other, "")
    assert keys.trusted() == (one, other)
    assert "# edited" in keys.trusted_path.read_text()


def test_keys_are_trusted_where_nothing_can_be_locked(keys: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(failure, os.strerror(failure))

    monkeypatch.setattr(fcntl, "flock", refuse)
    failure = errno.ENOLCK
    assert keys.trust(VerifierKey("a", bytes(32)), "")
    failure = errno.EIO
    with pytest.raises(KeyFileError, match="trusted-keys: Input/output error"):
        keys.trust(VerifierKey("b", bytes(32)), "")
    assert keys.trusted() == (VerifierKey("a", bytes(32)),)


@pytest.mark.parametrize("mode", [0o020, 0o002])
@pytest.mark.parametrize("of", ["trusted-keys", "."])
def test_a_list_that_others_may_write_is_not_used(keys: KeyFolder, of: str, mode: int) -> None:
    keys.trust(VerifierKey("a", bytes(32)), "")
    path = keys.path / of
    path.chmod(0o700 | mode)
    with pytest.raises(
        KeyFileError, match=rf"others may write the list of trusted keys \(mode 07{mode:02o}\)"
    ) as error:
        keys.trusted()
    assert error.value.hint is not None
    assert f"chmod go-w {path}" in error.value.hint
    before = keys.trusted_path.read_bytes()
    with pytest.raises(KeyFileError, match="others may write"):
        keys.trust(VerifierKey("b", bytes(32)), "")
    assert keys.trusted_path.read_bytes() == before
    path.chmod(0o700)
    assert keys.trusted() == (VerifierKey("a", bytes(32)),)


@pytest.mark.parametrize("of", ["trusted-keys", "."])
def test_a_list_of_another_user_is_not_used(keys: KeyFolder, monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    keys.trust(VerifierKey("a", bytes(32)), "")
    if os.geteuid() == 0:
        os.chown(keys.path / of, 4321, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(KeyFileError, match="is another user's"):
        keys.trusted()
    with pytest.raises(KeyFileError, match="is another user's"):
        keys.trust(VerifierKey("b", bytes(32)), "")


def test_a_key_that_others_may_read_is_not_used(keys: KeyFolder) -> None:
    keys.signing_key("anna")
    keys.signing_path.chmod(0o640)
    with pytest.raises(KeyFileError, match=r"others may read this private key \(mode 0640\)") as error:
        keys.signing_key("anna")
    assert error.value.hint is not None
    assert f"chmod 600 {keys.signing_path}" in error.value.hint


def test_a_damaged_key_is_not_replaced(keys: KeyFolder) -> None:
    text = keys.signing_key("anna").text
    for damaged in (text[:-8], text.replace("PRIVATE", "PUBLIC"), "", text + "\n" + text):
        keys.signing_path.write_text(damaged)
        with pytest.raises(KeyFileError, match="no private key") as error:
            keys.signing_key("anna")
        assert text[-40:] not in f"{error.value} {error.value.hint}"
        assert keys.signing_path.read_text() == damaged


def test_a_place_that_takes_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keys = KeyFolder(tmp_path / "file" / "pirene")
    with pytest.raises(KeyFileError, match="file/pirene/signing-key: Not a directory"):
        keys.signing_key("anna")
    with pytest.raises(KeyFileError, match="Not a directory"):
        keys.trust(VerifierKey("a", bytes(32)), "why")


def test_names_have_what_any_name_may_have() -> None:
    for user in ("anna maria", "a+b", "ünal", "x/../y", ""):
        SigningKey.generate(key_name(user))
