"""What somebody does to a store who may write there, knows the format, and has no key that is trusted."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integrity.errors import EvidenceError
from integrity.findings import Verdict
from integrity.log.checkpoint import Checkpoint, opened_checkpoint
from integrity.log.note import SigningKey, VerifierKey
from integrity.log.tiles import TiledTree
from integrity.merkle import Tree, leaf_hash
from planner.cli import root as pirene_root
from provenance.check.tampering import LogReport, check_log
from provenance.errors import LogMisfitError
from provenance.evidence.history import continued, new_checkpoint
from provenance.evidence.proving import prove
from provenance.history.canonical import SEAL, sealed
from provenance.history.commits import CommitKind, commit_name, encode, read
from provenance.history.entry import entry
from provenance.history.foreign import path_of
from provenance.log import keys
from provenance.log.discrepancy import Gravity
from provenance.log.examination import Examination, examine
from provenance.log.files import CHECKPOINT, FOLDER, origin_of, tile_name
from provenance.log.growth import extend, rebuild
from provenance.store import Store
from tests.provenance.log.conftest import files, rewrite

FORGER = SigningKey.generate("pirene/forger@elsewhere")


def unsign(store: Store, number: int) -> None:
    rewrite(store, number, lambda document: document.update(signature=None, author="forger"))


def forge_log(store: Store, *, size: int = 8) -> None:
    """Tiles and checkpoint that fit the first commits as they are."""
    tree = TiledTree()
    for number in range(1, size + 1):
        tree.append(leaf_hash(entry(json.loads((store.root / commit_name(number)).read_bytes()))))
    shutil.rmtree(store.root / FOLDER)
    for tile, data in tree.made().items():
        path = store.root / tile_name(tile)
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    checkpoint = Checkpoint(origin_of(store.store_id), tree.size, tree.root())
    (store.root / CHECKPOINT).write_bytes(checkpoint.signed([FORGER]))


def files_of_log(store: Store) -> dict[str, bytes]:
    return {stored.name: store.storage.read(stored.name) for stored in store.storage.stored(FOLDER)}


@pytest.mark.parametrize("size", [7, 8])
def test_no_key_signs_a_log_that_somebody_put_there(logged: Store, size: int) -> None:
    unsign(logged, 1)
    forge_log(logged, size=size)
    forged = files_of_log(logged)
    with pytest.raises(EvidenceError, match="nothing is signed"):
        new_checkpoint(logged)
    with pytest.raises(EvidenceError, match="nothing is signed"):
        prove(logged, "file-1.dat")
    with pytest.raises(LogMisfitError):
        extend(Store.open(logged.root))
    assert files_of_log(logged) == forged


@pytest.mark.parametrize("size", [8, 10**6])
def test_no_key_signs_what_a_checkpoint_says(logged: Store, size: int) -> None:
    path = logged.root / CHECKPOINT
    path.chmod(0o644)
    path.write_bytes(Checkpoint(origin_of(logged.store_id), size, b"\x66" * 32).signed([FORGER]))
    with pytest.raises(EvidenceError, match="nothing is signed"):
        new_checkpoint(logged)
    with pytest.raises(LogMisfitError):
        extend(logged)


def unverified(report: LogReport) -> set[str]:
    return {one.path for one in report.findings if one.verdict is Verdict.INCOMPLETE}


def test_a_history_that_nobody_signed_is_not_clean(logged: Store) -> None:
    """All of it rewritten by somebody without a key, with the roots that fit, and without a log."""
    tree = Tree()
    for number in range(1, 9):
        root = tree.root().hex()

        def change(document: dict[str, Any], root: str = root) -> None:
            document.pop("logged", None)
            document.update(signature=None, author="forger", log_root=root)

        rewrite(logged, number, change)
        tree.append(leaf_hash(entry(json.loads((logged.root / commit_name(number)).read_bytes()))))
    shutil.rmtree(logged.root / FOLDER)
    (logged.root / "lake.sqlite").unlink()  # it knows who made the commits
    report = check_log(logged.storage)
    assert (report.verdict, report.verdict.exit_code) == (Verdict.INCOMPLETE, 3)
    assert unverified(report) >= {commit_name(number) for number in range(1, 9)}


def test_a_commit_after_damage_does_not_vouch_for_what_was_before(logged: Store) -> None:
    damaged = logged.root / commit_name(3)
    kept = damaged.read_bytes()
    damaged.chmod(0o644)
    damaged.write_bytes(b"{")
    (logged.root / "log" / "tile" / "0" / "000.p" / "7").unlink()
    store = Store.open(logged.root)
    last = read(store.storage, 8) or pytest.fail()
    commit = store.chain.vouched(replace(last, log_root=None, logged=0, signature=None))
    assert (commit.log_root, commit.logged) == (None, 7)
    damaged.write_bytes(kept)
    (logged.root / commit_name(8)).chmod(0o644)
    (logged.root / commit_name(8)).write_bytes(encode(commit))
    assert rebuild(logged)
    report = check_log(logged.storage)
    assert report.verdict is Verdict.INCOMPLETE
    assert commit_name(8) in unverified(report)
    shutil.rmtree(logged.root / FOLDER)
    assert check_log(logged.storage).verdict is Verdict.TAMPERED  # the log was there, commit 8 says


OTHER = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"segments":[]}', "no commit: "),
        (b'{"log_root":null,"segments":[],"signature":3}', "no commit: "),
        (b'{"log_root":null,"segments":[],"signature":"nobody"}', "no commit: "),
        (b'{"segments":[],"signature":null}', "no commit: "),
        (b'{"segments":[],"signature":null,"x":NaN}', "no commit: "),
        (b"[" * 100_000, "no commit: the JSON is nested too deeply"),
        (None, "commit 8 of store "),
    ],
    ids=["no-signature", "number", "no-number", "no-root", "nan", "nested", "of-another"],
)
def test_lines_that_are_not_the_pulled_commits_are_findings(logged: Store, line: bytes | None, found: str) -> None:
    """Of a pull that somebody wrote: checks and audits tell it, whatever it brings."""
    newest = (logged.root / commit_name(8)).read_bytes()
    content = (line or newest) + b"\n"
    digest = hashlib.sha256(content).hexdigest()
    path = path_of(OTHER, 1, digest)
    (logged.root / path).parent.mkdir(parents=True)
    (logged.root / path).write_bytes(content)
    document = json.loads(newest)
    pulled: dict[str, Any] = {"store": OTHER, "first": 1, "path": path, "size": len(content), "sha256": digest}
    pulled["commits"] = [{"time": document["time"], "follows": 8}]
    changed = {"number": 9, "kind": "pull", "segments": [], "signature": None, "log_root": None, "pulled": [pulled]}
    kept = {key: value for key, value in document.items() if key != SEAL}
    (logged.root / commit_name(9)).write_bytes(sealed(kept | changed))
    said = examine(logged.storage, logged.store_id, keys.trusted_keys()).discrepancies
    (discrepancy,) = (one for one in said if one.path == path and one.gravity is Gravity.ALTERED)
    assert discrepancy.expected == f"commit 1 of store {OTHER} on its line"
    assert re.match(found, discrepancy.found)


def verified(store: Store, kept: bytes, tmp_path: Path, *options: str) -> tuple[int, str]:
    (tmp_path / "kept").write_bytes(kept)
    command = ["--store", str(store.root), "log", "verify", "--since", str(tmp_path / "kept"), *options]
    done = CliRunner().invoke(pirene_root, command)
    return done.exit_code, done.output


@pytest.mark.parametrize("gone", [True, False])
def test_a_history_that_goes_on_with_other_segments_is_not_proven(logged: Store, tmp_path: Path, gone: bool) -> None:
    kept = new_checkpoint(logged)
    assert verified(logged, kept, tmp_path)[0] == 0
    segment = logged.snapshot().segments("files")[0].path
    data = (logged.root / segment).read_bytes()
    (logged.root / segment).chmod(0o644)
    (logged.root / segment).unlink() if gone else (logged.root / segment).write_bytes(data[:-9] + bytes(9))
    exit_code, output = verified(logged, kept, tmp_path)
    assert exit_code == 4
    assert f"altered: {segment}: " in output


def test_commits_since_are_held_to_the_keys_that_were_named(
    logged: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, mine = new_checkpoint(logged), (keys.own_key() or pytest.fail()).verifier()
    with monkeypatch.context() as patch:
        patch.setattr(keys, "own_key", lambda: FORGER)
        Store.open(logged.root).commit(CommitKind.REGISTER, files(9, 9))
    rewrite(logged, 9, lambda document: document.update(author="nobody"))
    since = opened_checkpoint(kept, (mine,))

    def examined(*trusted: VerifierKey) -> Examination:
        return examine(logged.storage, logged.store_id, trusted)

    assert continued(logged, since, examined(mine)).holds  # the key of commit 9 is nobody's
    assert not continued(logged, since, examined(mine, FORGER.verifier())).holds
    assert verified(logged, kept, tmp_path, "--key", mine.text)[0] == 0
    assert verified(logged, kept, tmp_path, "--key", mine.text, "--key", FORGER.verifier().text)[0] == 4
