"""The wrapper's SHA-256: one digest, whoever makes it, and OpenSSL only where its loading is worth it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrity.wrapper import sha256 as module

ROOT = Path(__file__).resolve().parents[2]


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_both_give_the_same_digest(blocks: list[bytes]) -> None:
    light, heavy = module._light(), module.by_openssl()
    for block in blocks:
        light.update(memoryview(block))
        heavy.update(memoryview(block))
    expected = hashlib.new("sha256", b"".join(blocks)).hexdigest()
    assert light.hexdigest() == heavy.hexdigest() == module.digest_of(b"".join(blocks)) == expected


def in_a_new_process(code: str) -> str:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("sizes", "loaded"), [([1000] * 5, False), ([1 << 20], False), ([(1 << 20) + 1], True), ([1 << 19] * 3, True)]
)
def test_openssl_is_loaded_for_more_than_a_mebibyte_in_all(sizes: list[int], loaded: bool) -> None:
    code = (
        "from integrity.wrapper.sha256 import sha256\n"
        f"for size in {sizes}: sha256(size)\n"
        "print('_hashlib' in sys.modules)"
    )
    assert in_a_new_process(code) == f"{loaded}\n"


def test_a_python_without_its_own_has_openssls() -> None:
    code = (
        "sys.modules['_sha2'] = sys.modules['_sha256'] = None\n"
        "from integrity.wrapper.sha256 import digest_of\n"
        "print(digest_of(b'abc'))"
    )
    # FIPS 180-4, the example of one block.
    assert in_a_new_process(code) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
