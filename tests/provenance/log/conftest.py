"""A store with a signed history: rows registered, merged, and added to since, with a log of all but the last commit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provenance.history.canonical import SEAL, sealed
from provenance.history.commits import CommitKind, commit_name
from provenance.segments.batch import Batch
from provenance.store import Store

Change = Callable[[dict[str, Any]], None]


def files(source: int, *numbers: int) -> Batch:
    batch = Batch()
    for number in numbers:
        name = f"file-{number}.dat"
        batch.add("files", source=source, file=number, name=name, sha256=number.to_bytes(32, "big"), size_bytes=number)
    return batch


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store.open(tmp_path_factory.mktemp("logged") / ".pirene")
    for number in range(1, 6):
        store.commit(CommitKind.REGISTER, files(number, number, number + 100))
    store.project()
    store.compact()
    store.commit(CommitKind.REGISTER, files(7, 7))
    store.project()
    store.commit(CommitKind.REGISTER, files(8, 8))
    return store.root


@pytest.fixture(scope="session")
def long_made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("long") / ".pirene"
    for first in range(1, 251, 50):
        store = Store.open(root)
        for number in range(first, first + 50):
            store.commit(CommitKind.REGISTER, files(number, number))
    return root


@pytest.fixture
def long(long_made_once: Path, tmp_path: Path) -> Store:
    """250 commits and more by five processes, each of a file; the log has come to commit 192."""
    shutil.copytree(long_made_once, tmp_path / ".pirene")
    return Store.open(tmp_path / ".pirene")


@pytest.fixture
def logged(made_once: Path, tmp_path: Path) -> Store:
    """Commits 1 to 5, a compaction, 7 and 8; the log has seven of them."""
    shutil.copytree(made_once, tmp_path / ".pirene")
    return Store.open(tmp_path / ".pirene")


def rewrite(store: Store, number: int, change: Change) -> None:
    """Change a commit and seal it again, as somebody would who knows the format and has no key."""
    path = store.root / commit_name(number)
    document = json.loads(path.read_bytes())
    del document[SEAL]
    change(document)
    path.chmod(0o644)
    path.write_bytes(sealed(document))
