"""What Tab offers from a store, and that it only looks."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest

from provenance.answers import completion
from provenance.answers.completion import complete, existing_store
from provenance.answers.saved_queries import save
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.metadata import from_json
from provenance.metadata_rows import add_metadata
from provenance.segments.batch import Batch
from provenance.store import Store

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)


@pytest.fixture
def known(store: Store) -> Store:
    batch = Batch()
    batch.add("files", source=1, file=1, name="raw_1.fits", origin="raw", created=AT)
    values = {"kind": "raw", "kinds": ["flat", "it's"], "status": 'a "quoted" one', "exposure id": 7, "note": "x\ny"}
    values |= {"a``b": "``", "``": "x", "evil\x1b[31m": 1, "evil\nkey": 1}
    for key, value in values.items():
        add_metadata(batch, "file", 1, 1, key, from_json(value), origin="set", author="me", at=AT)
    add_metadata(batch, "job", 1, 1, "step", from_json("isr"), origin="set", author="me", at=AT)
    store.commit(CommitKind.METADATA, batch)
    save(store, "good_raw", "files where kind = $k")
    save(store, "lab/raw-1", "files")
    return store


def words(store: Store | None, text: str) -> list[str]:
    return [each.word for each in complete(store, text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("files where ki", ["kind", "kinds"]),
        ("files where exp", ["`exposure id`"]),
        ("files where `exp", ["`exposure id`"]),
        ("files where evi", []),
        ("files where meta.s", ["meta.status"]),
        ("files where job.st", ["job.status", "job.started", "job.`step`"]),
        ("jobs where workflow.na", ["workflow.name"]),
        ('files where kind = "', ['"raw"']),
        ("files where kind = '", ["'raw'"]),
        ('files where kinds has any ("flat", "i', ['"it\'s"']),
        ("files where kinds has any ('flat', 'i", []),
        ('files where meta.status = "', ['"a \\"quoted\\" one"']),
        ('files where note = "', ['"x\\ny"']),
        ("files where note = '", []),
        ('files where status = "d', ['"damaged"']),
        ('files where name = "raw', ['"raw_1.fits"']),
        ('files where job.`step` = "', ['"isr"']),
        ("@g", ["@good_raw"]),
        ("@", ["@good_raw", "@lab/raw-1"]),
        ("@lab/r", ["@lab/raw-1"]),
        ("files union @lab/raw-", ["@lab/raw-1"]),
        ('files where `a````b` = "', ['"``"']),
        ('files where `````` = "', ['"x"']),
        ("files or", ["order by"]),
        ("files where kind = raw kind", []),
    ],
)
def test_what_a_store_offers(text: str, expected: list[str], known: Store) -> None:
    assert words(known, text) == expected


def test_the_whole_query_comes_with_the_word(known: Store) -> None:
    (found,) = complete(known, 'files where kind = "r')
    assert (found.text, found.partial) == ('files where kind = "raw"', '"r')


def test_without_a_store_the_language_is_offered_and_none_is_made(tmp_path: Path) -> None:
    place = tmp_path / "none"
    assert existing_store(place) is None
    assert words(None, "files wh") == ["where"]
    assert words(None, "files where dig") == ["digest_origin"]
    assert not place.exists()


def test_queries_saved_in_other_stores_are_offered(known: Store, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other")
    save(other, "good_science", "files")
    pull(known, other)
    assert words(known, "files minus @good_") == ["@good_raw", "@good_science"]


def test_it_only_reads(known: Store) -> None:
    before = {path: path.stat().st_mtime_ns for path in known.root.rglob("*")}
    assert words(existing_store(known.root), "files where ki") == ["kind", "kinds"]
    assert {path: path.stat().st_mtime_ns for path in known.root.rglob("*")} == before


def test_a_damaged_store_offers_nothing_and_says_nothing(known: Store) -> None:
    for path in (known.root / "segments").rglob("*.parquet"):
        path.write_bytes(b"no parquet")
    found = words(existing_store(known.root), "files where s")
    assert "kind" not in found
    (known.root / "store.json").write_text("{}")
    assert existing_store(known.root) is None


def test_a_look_that_takes_too_long_is_given_up(known: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    forever = "SELECT count(*)::VARCHAR FROM range(1000000000000) AS a(x) WHERE x % 7 = 3 AND $1 <> '' GROUP BY ALL"
    monkeypatch.setattr(completion, "_KEYS", forever)
    assert words(known, "files where sha") == ["sha256"]
    monkeypatch.setattr(completion, "_PATIENCE_SECONDS", 0)  # the first interrupts come before the statement does
    assert words(known, "files where sha") == ["sha256"]
    assert not [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
