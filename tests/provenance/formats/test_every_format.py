"""Stores as each format wrote them, read by this version: the answers are those of then. The files never change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from provenance.answers.json_text import plain
from provenance.check.whole import check_store
from provenance.errors import UnsupportedStoreError
from provenance.history import formats
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from provenance.store import Store

HERE = Path(__file__).parent
FORMATS = sorted(path.name for path in HERE.iterdir() if path.name.isdecimal())


@pytest.fixture(params=FORMATS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, dict[str, object]]:
    """A copy of the store of a format, and what was answered when it was written: query -> rows."""
    folder = HERE / request.param
    shutil.copytree(folder / "store", tmp_path / ".pirene")
    return Store.open(tmp_path / ".pirene"), json.loads((folder / "answers.json").read_text("utf-8"))


def test_there_is_a_store_of_every_format() -> None:
    assert [str(number) for number in range(1, formats.newest() + 1)] == FORMATS


def test_it_answers_as_it_did(written: tuple[Store, dict[str, object]]) -> None:
    store, answers = written
    assert len(answers) >= 5
    for query, expected in answers.items():
        assert plain(list(store.query(query).objects())) == expected, query


def test_it_is_clean_and_takes_further_commits(written: tuple[Store, dict[str, object]]) -> None:
    store, _ = written
    assert check_store(store.storage).findings == ()
    batch = Batch()
    batch.add("queries", name="q", version=1)
    made = store.commit(CommitKind.METADATA, batch)
    assert made is not None
    assert check_store(store.storage).findings == ()


def test_a_store_and_a_commit_of_a_newer_format_are_refused(tmp_path: Path, rewritten: Callable[..., None]) -> None:
    for name in ("store.json", "commits/000000000003.json"):
        root = tmp_path / name.partition("/")[0] / ".pirene"
        shutil.copytree(HERE / "1" / "store", root, ignore=shutil.ignore_patterns("checkpoints"))
        rewritten(root / name, format=formats.newest() + 1)
        with pytest.raises(
            UnsupportedStoreError, match=f"format {formats.newest() + 1}; this version reads up to {formats.newest()}"
        ) as error:
            Store.open(root).snapshot()
        assert error.value.hint == "install a newer pirene"
        assert error.value.exit_code == 2


@pytest.fixture
def rewritten() -> Callable[..., None]:
    """Changes keys of a sealed document and seals it again."""
    from provenance.history.canonical import sealed

    def rewrite(path: Path, **changes: object) -> None:
        document = json.loads(path.read_bytes()) | changes
        del document["seal"]
        path.chmod(0o644)
        path.write_bytes(sealed(document))

    return rewrite
