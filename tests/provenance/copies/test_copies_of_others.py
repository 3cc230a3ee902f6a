"""Paths that came by a pull: perhaps of another machine, so what is at them here decides, and is nobody else's news."""

from __future__ import annotations

from pathlib import Path

import pytest

from provenance.audits.audits import audit_store
from provenance.audits.verification import NothingThereError, verify
from provenance.copies.replicas import by_path, file_url
from provenance.exchange.pull import pull
from provenance.reading.views import fetch
from provenance.registration.raw_files import add_files
from provenance.store import Store


class Two:
    """A cluster and a laptop, on both of which there is a path ``path``; the cluster has registered it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "data" / "x.txt"
        self.path.parent.mkdir()
        self.path.write_text("of the cluster")
        self.cluster, self.laptop = Store.open(folder / "cluster"), Store.open(folder / "laptop")
        add_files(self.cluster, [self.path])
        pull(self.laptop, self.cluster)

    def on_the_laptop(self, text: str | None) -> None:
        """The path as the laptop has it."""
        self.path.unlink()
        if text is not None:
            self.path.write_text(text)

    def states(self, store: Store) -> list[tuple[str, str]]:
        """(status of the file, state of its copy) for each file at the path, the oldest first."""
        return fetch(
            store,
            "SELECT s.status, r.state FROM replica_rows r JOIN file_states s USING (source, file) ORDER BY r.registered",
        )


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_a_shared_path_is_the_same_file(two: Two) -> None:
    assert by_path(two.laptop, [two.path])[two.path].name == "x.txt"
    assert [each.verdict for each in verify(two.laptop, [two.path])] == ["ok"]
    (again,) = add_files(two.laptop, [two.path]).files
    assert not again.new
    # It has been looked at here now, so what befalls it is news for the cluster too.
    two.on_the_laptop(None)
    assert audit_store(two.laptop).verdict == "damaged"
    pull(two.cluster, two.laptop)
    assert two.states(two.cluster) == two.states(two.laptop) == [("gone", "missing")]


def test_other_bytes_at_that_path_here_are_another_file_and_replace_nothing(two: Two) -> None:
    two.on_the_laptop("of the laptop")
    assert by_path(two.laptop, [two.path]) == {}
    (result,) = verify(two.laptop, [two.path])
    assert (result.verdict, result.name) == ("unknown", None)
    (own,) = add_files(two.laptop, [two.path]).files
    assert own.new
    assert two.states(two.laptop) == [("ok", "ok"), ("ok", "ok")]
    (again,) = add_files(two.laptop, [two.path]).files
    assert again.file == own.file
    assert not again.new
    assert [each.verdict for each in verify(two.laptop, [two.path])] == ["ok"]
    pull(two.cluster, two.laptop)
    assert two.states(two.cluster) == [("ok", "ok"), ("ok", "ok")]
    # On the cluster the path is still the cluster's.
    two.on_the_laptop("of the cluster")
    assert by_path(two.cluster, [two.path])[two.path].sha256 != own.sha256
    assert by_path(two.laptop, [two.path])[two.path].sha256 == own.sha256


def test_nothing_at_that_path_here_is_no_loss(two: Two) -> None:
    two.on_the_laptop(None)
    with pytest.raises(NothingThereError):
        verify(two.laptop, [two.path])
    report = audit_store(two.laptop)
    assert (report.verdict, report.coverage.replicas) == ("incomplete", 0)
    assert report.findings == ()
    assert two.states(two.laptop) == [("ok", "ok")]


def test_urls_that_are_no_paths_are_the_same_for_everybody(two: Two) -> None:
    rows = fetch(two.laptop, "SELECT url, here FROM replica_states")
    assert rows == [(file_url(two.path), False)]
    assert fetch(two.cluster, "SELECT here FROM replica_states") == [(True,)]
