from __future__ import annotations

import os
import pwd

import pytest

from provenance.users import current_user, name_of, owner_of


def test_names_where_the_system_knows_them(tmp_path):
    assert owner_of(tmp_path) == pwd.getpwuid(os.getuid()).pw_name
    assert owner_of(tmp_path / "nothing") is None


def test_numbers_where_it_does_not_as_in_many_containers(tmp_path, monkeypatch):
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    name_of.cache_clear()  # it may have been told the name, and must not be told the number for other tests
    try:
        assert current_user() == owner_of(tmp_path) == str(os.getuid())
    finally:
        name_of.cache_clear()


@pytest.mark.parametrize(("name", "said"), [("ada", "ada"), ("ünï", "ünï"), ("\udcff", r"\xff")])
def test_the_environment_speaks_first(monkeypatch, name, said):
    monkeypatch.setenv("LOGNAME", name)
    assert current_user() == said
