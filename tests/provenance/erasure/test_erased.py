"""What commits say of erasures, and by what they are still known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from provenance.erasure.erasure import Target, erase
from provenance.errors import DamagedStoreError
from provenance.history import bounds
from provenance.history.canonical import sealed
from provenance.history.commits import Commit, CommitKind, decode, encode
from provenance.history.erased import Erased, ErasedRows
from provenance.store import Store
from tests.provenance.erasures import AT, erase_all, file


@pytest.mark.parametrize("change", ["nonce", "time", "kind"])
def test_a_commit_is_the_same_without_bounds_and_no_other(grown: Store, change: str) -> None:
    names: Sequence[Path] = sorted((grown.root / "commits").iterdir())
    documents = [name.read_bytes() for name in names]
    erase_all(grown)
    redacted = [name.read_bytes() for name in names]
    assert redacted != documents
    for position, document in enumerate(documents):
        assert bounds.same_commit(document, redacted[position])
        assert not bounds.same_commit(document, redacted[position - 1])
    altered = json.loads(documents[1])
    altered[change] = "something else"
    assert not bounds.same_commit(documents[1], json.dumps(altered).encode())


@pytest.mark.parametrize("path", ["store.json", "segments/files/../../store.json", "/etc/passwd"])
def test_a_commit_that_would_have_other_files_removed_is_none(grown: Store, path: str) -> None:
    erase(grown, Target((file(),)), "asked to")
    document = json.loads(encode(list(grown.commits())[-1]))
    del document["seal"]
    document["erased"]["gone"].append(path)
    with pytest.raises(DamagedStoreError, match="expected a list of segments/TABLE/NAME"):
        decode(sealed(document), "a commit")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rows", [["store", "files", "1", 1]]),
        ("rows", [["store", "files", 1, 0]]),
        ("rows", [[1, "files", 1, 1]]),
        ("rows", [["store", 1, 1, 1]]),
        ("rows", [["store", "files", 1]]),
        ("files", [["1]::BIGINT[]) --", 1]]),
        ("files", [[1 << 63, 1]]),
        ("files", [[True, 1]]),
        ("cleared", -1),
        ("reason", None),
        ("gone", [None]),
    ],
)
def test_what_somebody_else_says_of_an_erasure_is_read_with_care(grown: Store, key: str, value: Any) -> None:
    erase(grown, Target((file(),)), "asked to")
    document = json.loads(encode(list(grown.commits())[-1]))
    del document["seal"]
    document["erased"][key] = value
    with pytest.raises(DamagedStoreError):
        decode(sealed(document), "a commit")


def erasure(store: str, rows: dict[tuple[str, str, int], int]) -> Commit:
    erased = Erased("asked to", rows, 0, (), ())
    return Commit(store, 9, AT, CommitKind.ERASE, "0", (), records=0, records_root="", erased=erased)


def test_rows_are_left_as_their_holder_and_others_erased_them() -> None:
    one, two = ("maker", "files", 1), ("maker", "files", 2)
    commits = [
        erasure("maker", {one: 2}),
        erasure("holder", {one: 3, two: 1}),
        erasure("third", {("holder", "x", 1): 1}),
    ]
    there = ErasedRows.of("holder", commits)
    assert there.left("maker", "files", 1, 10) == range(5, 8)
    assert there.left("maker", "files", 2, 10) == range(9, 10)
    assert there.left("maker", "files", 3, 10) == range(10, 11)
    assert there.left("maker", "files", 1, 4) == range(2)
    assert there.left("holder", "x", 1, 4) == range(4, 5)
    assert not there.left("maker", "files", 2, 0)
