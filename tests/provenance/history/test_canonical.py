"""Seals: any bit of a sealed document that flips is noticed; documents have one form."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import DamagedStoreError
from provenance.history.canonical import canonical, seal_holds, sealed
from provenance.history.commits import decode
from provenance.location import identify
from provenance.store import Store

# Texts that look like a seal, or end as one begins, must not be taken for it.
texts = st.text(max_size=8) | st.sampled_from(['"seal":""', '","seal":"' + "0" * 64 + '"', "\\", "seal"])
keys = texts.filter(lambda text: text != "seal")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(keys, values, max_size=4)


def test_the_bytes_of_a_sealed_document_are_pinned() -> None:
    # printf '{"a":"é","seal":"","z":1}' | sha256sum
    digest = hashlib.sha256('{"a":"é","seal":"","z":1}'.encode()).hexdigest()
    assert digest == "4c4f061a6043963eb437c1843d9ef90a73a590d24b9752e0431f6623bb8be4a0"
    assert sealed({"z": 1, "a": "é"}) == f'{{"a":"é","seal":"{digest}","z":1}}'.encode()


@given(documents)
def test_a_sealed_document_is_the_document_and_its_seal(document: dict[str, Any]) -> None:
    data = sealed(document)
    assert seal_holds(data)
    found = json.loads(data)
    seal = found.pop("seal")
    assert found == document
    assert canonical(found | {"seal": seal}) == data


@given(documents, st.data())
def test_every_flipped_bit_breaks_the_seal(document: dict[str, Any], data: st.DataObject) -> None:
    whole = sealed(document)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    assert not seal_holds(bytes(damaged))


def test_a_seal_inside_of_a_document_would_be_taken_for_its_own() -> None:
    with pytest.raises(ValueError, match="an object inside of this document has a key 'seal'"):
        sealed({"a": [{"seal": ""}]})


def test_a_document_without_a_seal_does_not_hold() -> None:
    assert not seal_holds(b'{"a":1}')
    assert not seal_holds(b"")


def test_a_damaged_identity_and_a_damaged_commit_are_refused_wherever_they_are_read(store: Store) -> None:
    path = store.root / "store.json"
    path.chmod(0o644)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"created":"20', b'"created":"21'))
    with pytest.raises(DamagedStoreError, match="not the bytes that were sealed"):
        identify(store.storage)
    damaged = sealed({"format": 1}).replace(b'"format":1', b'"format":0')
    with pytest.raises(DamagedStoreError, match="no commit"):
        decode(damaged, "x")
