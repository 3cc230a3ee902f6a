"""No commit is pulled that its author did not sign so; those that nobody vouches for are, and are said to be so."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from integrity.errors import EvidenceError
from integrity.findings import Verdict
from integrity.log.note import Signature, SigningKey
from provenance.check.tampering import LogFinding, check_log
from provenance.exchange.pull import pull
from provenance.exchange.vouching import Unvouched
from provenance.history.commits import Commit, CommitKind, Segment, commit_name, document_of
from provenance.history.entry import signed_text
from provenance.log import keys
from provenance.log.state import log_state
from provenance.schema import Table
from provenance.segments.segment_files import merged
from provenance.storage.interface import Storage
from provenance.store import Store
from tests.provenance.command_line import Ended, pirene_ended
from tests.provenance.exchange.republishing import put, republish
from tests.provenance.log.conftest import files, rewrite

STRANGER = SigningKey.generate("pirene/stranger@elsewhere")


def say(store: Store, number: int) -> Commit:
    return store.commit(CommitKind.REGISTER, files(number, number)) or pytest.fail()


@pytest.fixture
def ours(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Store:
    """Five commits, of which the second and the third are signed by nobody."""
    store = Store.open(tmp_path / "theirs")
    say(store, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "own_key", lambda: None)
        say(store, 2)
        say(store, 3)
    say(store, 4)
    say(store, 5)
    return store


def command(store: Store, *arguments: str) -> Ended:
    return pirene_ended("--store", str(store.root), *arguments)


def files_of(store: Store) -> set[str]:
    return {path.name for path in store.root.rglob("*") if path.is_file()}


def edit_author(document: dict[str, object]) -> None:
    document["author"] = "somebody else"


def no_signature(document: dict[str, object]) -> None:
    document["signature"] = "nobody"


@pytest.mark.parametrize("change", [edit_author, no_signature])
@pytest.mark.parametrize("number", [1, 4, 5])
@pytest.mark.parametrize("verb", ["pull", "push"])
def test_what_its_author_did_not_sign_is_refused(
    ours: Store, theirs: Store, number: int, change: Callable[[dict[str, object]], None], verb: str
) -> None:
    rewrite(theirs, number, change)
    there = files_of(ours)
    done = command(ours, "pull", str(theirs.root)) if verb == "pull" else command(theirs, "push", str(ours.root))
    assert done.exit_code == 4, done.output
    assert f"{theirs.root}: commit {number} of store {theirs.store_id}: it is not what its author" in done.stderr
    assert f"pirene --store {theirs.root} log check" in done.stderr
    assert Store.open(ours.root).snapshot().number == 0
    assert files_of(ours) == there


def test_an_unsigned_commit_that_later_ones_contradict_is_refused(ours: Store, theirs: Store) -> None:
    """Nothing vouches for the second but the root that the third states, which is not signed either; the fourth is."""
    rewrite(theirs, 2, edit_author)
    with pytest.raises(EvidenceError, match=rf"commit 3 of store {theirs.store_id}: it was made after other commits"):
        pull(ours, theirs)
    document = json.loads((theirs.root / commit_name(3)).read_bytes())
    rewrite(theirs, 3, lambda one: one.update(log_root=None))
    assert document["signature"] is None
    with pytest.raises(EvidenceError, match=rf"commit 4 of store {theirs.store_id}: it was made after other commits"):
        pull(ours, theirs)
    assert ours.snapshot().number == 0


def test_roots_go_on_from_what_was_pulled_before(ours: Store, theirs: Store) -> None:
    pull(ours, theirs)
    made = say(theirs, 6)
    republish(theirs, replace(made, log_root="6" * 64))
    with pytest.raises(EvidenceError, match=r"commit 6 of store .*: it was made after other commits"):
        pull(ours, Store.open(theirs.root))
    put(theirs, made)
    assert pull(ours, Store.open(theirs.root)).commits == 1
    assert check_log(ours.storage).verdict is Verdict.INCOMPLETE  # two are unsigned


def test_what_nobody_vouches_for_is_taken_and_said(ours: Store, theirs: Store) -> None:
    """Unsigned ones, and one of a key that nobody has told to trust."""
    made = say(theirs, 6)
    unsigned = signed_text(document_of(replace(made, signature=None)))
    put(theirs, replace(made, signature=Signature.of(unsigned.encode(), STRANGER).text))
    assert (
        "3 commits without a signature of a key that you trust, or a root over those before"
        in command(ours, "pull", str(theirs.root), "--dry-run").stderr
    )
    done = command(ours, "pull", str(theirs.root), "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)["unverified"]) == (0, 3)
    report = check_log(ours.storage)
    found = [one.found for one in report.findings if one.verdict is Verdict.INCOMPLETE]
    assert found == ["1 of others", "none on 2 of 6 commits"]
    assert report.verdict is Verdict.INCOMPLETE


def unverified(store: Store) -> list[LogFinding]:
    report = check_log(store.storage)
    assert report.verdict is Verdict.INCOMPLETE
    return [one for one in report.findings if one.verdict is Verdict.INCOMPLETE]


def merge_unsigned(store: Store) -> None:
    """As somebody does who has no key, and puts other sizes in the place of those that were registered."""

    def forged(storage: Storage, table: Table, segments: Sequence[Segment]) -> pa.Table:
        rows = merged(storage, table, segments)
        at = rows.schema.get_field_index("size_bytes")
        return rows.set_column(at, rows.schema.field(at), pc.multiply(rows.column(at), 1000))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "own_key", lambda: None)
        patch.setattr("provenance.segments.segment_files.merged", forged)
        assert Store.open(store.root).compact()


def test_a_merge_that_nobody_signed_is_said_though_it_is_not_taken_over(ours: Store, tmp_path: Path) -> None:
    """It came last, and its rows are those that are copied."""
    theirs = Store.open(tmp_path / "signed")
    for number in (1, 2, 3):
        say(theirs, number)
    merge_unsigned(theirs)
    report = pull(ours, Store.open(theirs.root))
    assert (report.commits, report.unverified) == (3, 1)
    (found,) = unverified(ours)
    assert (found.path, found.found) == (commit_name(1), "none on 1 when they were pulled")
    assert "on all merges that pulled rows came through" in found.expected
    (said,) = log_state(ours, ours.snapshot(), "audit")[0].unverified
    assert said.startswith(f"{commit_name(1)}: expected signatures")


def test_who_pulls_further_is_told_of_the_merge_too(ours: Store, tmp_path: Path) -> None:
    """Of a pull that stays there, and of one that comes along because facts came after it."""
    theirs, third = Store.open(tmp_path / "signed"), Store.open(tmp_path / "third")
    say(theirs, 1)
    say(theirs, 2)
    merge_unsigned(theirs)
    pull(ours, Store.open(theirs.root))
    assert pull(third, ours).unverified == 1
    assert [found.path for found in unverified(third)] == [commit_name(1)]
    say(ours, 2)
    assert pull(third, ours).unverified == 1
    assert [found.path.partition("/")[0] for found in unverified(third)] == ["commits", "foreign"]


def test_a_signed_commit_that_does_not_say_what_was_before_it_is_unverified(ours: Store, theirs: Store) -> None:
    made = say(theirs, 6)
    republish(theirs, replace(made, log_root=None))
    assert pull(ours, Store.open(theirs.root)).unverified == 3
    found = [one.found for one in unverified(ours)]
    assert found == ["none on 2 of 6 commits", "none in 1 of 6 commits"]


def test_a_merge_that_is_not_what_its_author_signed_is_refused(ours: Store, theirs: Store) -> None:
    assert theirs.compact()
    rewrite(theirs, 6, edit_author)
    with pytest.raises(EvidenceError, match=r"commit 6 of store .*: it is not what its author signed"):
        pull(ours, Store.open(theirs.root))
    assert not ours.snapshot().number


def test_another_history_in_what_was_pulled_is_tampering(
    ours: Store, theirs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken by a version, or by somebody, who did not look."""
    rewrite(theirs, 2, edit_author)
    monkeypatch.setattr("provenance.exchange.pull.require_genuine", lambda *_: Unvouched(0, 0))
    pull(ours, theirs)
    report = check_log(ours.storage)
    assert report.verdict is Verdict.TAMPERED
    (found,) = [one for one in report.findings if one.verdict is Verdict.TAMPERED]
    assert found.path.startswith(f"foreign/{theirs.store_id}/000000000001-")
    assert found.expected.startswith("a history before commit 3 with the root")


def test_without_a_list_of_trusted_keys_nobody_vouches(
    ours: Store, theirs: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(theirs, 5, edit_author)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr("provenance.log.keys.config_folder", lambda: (_ for _ in ()).throw(OSError("no home")))
    assert pull(ours, theirs).unverified == 5
    assert "signatures are not verified: no home" in caplog.text
