"""What a place does not hand out is told from what it does not have, alike by every storage, and is no damage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from provenance.check.findings import Kind
from provenance.check.mending import check_and_mend
from provenance.check.whole import check_store
from provenance.commands.context import Invocation
from provenance.commands.store_check import check
from provenance.errors import NOT_THERE, ReadFailedError
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.ingest.quarantine import quarantine
from provenance.location import find
from provenance.segments.batch import Batch
from provenance.storage import s3_client
from provenance.store import Store
from tests.servers.faulty_proxy import Fault, faulty_proxy
from tests.servers.s3 import BUCKET, S3Server

LOOP = "a link to itself"
FAULTS = (LOOP, Fault.BROKEN, Fault.FORBIDDEN, Fault.REPLY_CUT, Fault.STALLED)
FILES = ("store.json", "commits/*2.json", "segments/queries/*", "checkpoints/*", "foreign/*/*", "quarantine/*.json")
"""Of every kind that a check reads, one."""


@dataclass
class Unhelpful:
    """A store whose place does not hand out the file, or list the folder, that it was told not to."""

    store: Store
    refuse: Callable[[str], None]

    def one(self, pattern: str) -> str:
        folder = pattern.partition("/")[0]
        names = [stored.name for stored in self.store.storage.stored(folder if "/" in pattern else "")]
        return next(name for name in names if Path(name).match(pattern))


@pytest.fixture(params=FAULTS, ids=lambda fault: getattr(fault, "name", fault))
def unhelpful(request: pytest.FixtureRequest) -> Iterator[Unhelpful]:
    yield from _unhelpful(request, request.param)


@pytest.fixture(params=(LOOP, Fault.BROKEN), ids=lambda fault: getattr(fault, "name", fault))
def refusing(request: pytest.FixtureRequest) -> Iterator[Unhelpful]:
    yield from _unhelpful(request, request.param)


def _unhelpful(request: pytest.FixtureRequest, fault: Fault | str) -> Iterator[Unhelpful]:
    tmp_path: Path = request.getfixturevalue("tmp_path")
    if not isinstance(fault, Fault):
        root = tmp_path / "a store"

        def refuse(name: str) -> None:
            (root / name).rename(tmp_path / "aside")
            (root / name).symlink_to(root / name)

        yield Unhelpful(_filled(root, tmp_path), refuse)
        return
    server: S3Server = request.getfixturevalue("seaweedfs")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.01)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    with faulty_proxy(server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        url = f"s3://{BUCKET}/{os.urandom(6).hex()}"

        def refuse_at_server(name: str) -> None:
            if fault is Fault.STALLED:  # whoever asks from now on
                monkeypatch.setattr(s3_client, "_ANSWER_SECONDS", 2)
                monkeypatch.setattr(s3_client, "_ATTEMPTS", 2)
            key = f"{url.removeprefix(f's3://{BUCKET}/')}/{name}"
            proxy.fault = lambda method, path: (
                fault
                if method == "GET" and (path.endswith(f"/{key}") or f"prefix={key}/&" in f"{unquote(path)}&")
                else Fault.NONE
            )

        yield Unhelpful(_filled(url, tmp_path), refuse_at_server)


def saved(version: int) -> Batch:
    """A fact that refers to no other."""
    batch = Batch()
    batch.add("queries", name="q", version=version, query="files")
    return batch


def _filled(place: str | Path, tmp_path: Path) -> Store:
    other = Store.open(tmp_path / "another store")
    other.commit(CommitKind.INGEST, saved(9))
    store = Store.open(place)
    store.commit(CommitKind.INGEST, saved(1))
    store.commit(CommitKind.INGEST, saved(2))
    pull(store, other)
    store.sum_up()
    quarantine(store, b"no record", "record", "it is none")
    return store


def test_what_is_refused_is_told_from_what_is_not_there(unhelpful: Unhelpful) -> None:
    storage = unhelpful.store.storage
    name = unhelpful.one("segments/queries/*")
    whole = storage.read(name)
    assert storage.read(name, len(whole)) == whole
    assert storage.read(name, len(whole) - 3) == whole[:-2]
    unhelpful.refuse(name)
    storage = find(storage.location)
    with pytest.raises(ReadFailedError, match=storage.location) as caught:
        storage.read(name)
    assert "\n" not in str(caught.value)
    assert caught.value.hint or "says 500" in str(caught.value)
    for absent in ("commits/000000000099.json", "commits/000000000001.json/below"):
        with pytest.raises(NOT_THERE):
            storage.read(absent)
    assert list(storage.stored("nowhere")) == []


def test_a_folder_that_is_not_listed_is_told(refusing: Unhelpful) -> None:
    storage = refusing.store.storage
    assert "000000000001.json" in storage.names("commits")
    refusing.refuse("commits")
    with pytest.raises(ReadFailedError, match=storage.location):
        storage.names("commits")
    with pytest.raises(ReadFailedError, match=storage.location):
        list(Store.open(storage.location).all_commits())


@pytest.mark.parametrize("pattern", FILES)
def test_a_check_names_it_goes_on_and_is_incomplete(refusing: Unhelpful, pattern: str) -> None:
    name = refusing.one(pattern)
    place = refusing.store.storage.location
    assert check_store(find(place)).verdict.exit_code == 0
    refusing.refuse(name)
    report = check_and_mend(find(place), repair=True)
    unread = [finding for finding in report.findings if finding.kind is Kind.UNREADABLE]
    assert any(name.startswith(finding.path) for finding in unread), report.findings
    assert all(place not in finding.found for finding in unread)
    assert {finding.kind for finding in report.findings} <= {Kind.UNREADABLE, Kind.UNCHECKED, Kind.QUARANTINED}
    assert report.verdict.exit_code == 3
    result = CliRunner().invoke(check, obj=Invocation(store=place), catch_exceptions=False)
    assert result.exit_code == 3
    assert all(f"unreadable: {finding.path}\n" in result.stdout for finding in unread)
    assert "incomplete: " in result.stdout.splitlines()[-1]


def test_what_is_derived_is_passed_over(refusing: Unhelpful) -> None:
    refusing.refuse(refusing.one("checkpoints/*"))
    newest = Store.open(refusing.store.storage.location)
    assert newest.rows("SELECT count(*) FROM queries", tables=["queries"]) == [(3,)]


def test_what_is_asked_for_and_refused_is_said_and_is_no_damage(refusing: Unhelpful) -> None:
    name = refusing.one("segments/queries/*")
    refusing.refuse(name)
    with pytest.raises(ReadFailedError, match=refusing.store.storage.location):
        Store.open(refusing.store.storage.location).rows("SELECT count(*) FROM queries", tables=["queries"])
    with pytest.raises(ReadFailedError, match=refusing.store.storage.location):
        Store.open(refusing.store.storage.location).compact()
