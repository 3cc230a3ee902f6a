"""Keys of a user: made once whoever asks first, for their eyes only, replaced without losing what they signed."""

from __future__ import annotations

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
    keys.path.mkdir(parents=True)
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
