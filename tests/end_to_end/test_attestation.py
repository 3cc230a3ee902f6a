"""A run, attested: the subjects are its outputs, the dependencies what it read, and another library verifies it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from integrity.attestation.envelope import key_id
from planner.cli import root
from provenance.errors import StoreError
from provenance.log.keys import trusted_keys
from provenance.store import Store

WORKFLOW = """
pegasus: "5.0"
name: chain
transformationCatalog:
  transformations:
  - {name: cp, sites: [{name: local, type: installed, pfn: /bin/cp}]}
replicaCatalog:
  replicas:
  - {lfn: raw.txt, pfns: [{site: local, pfn: RAW}]}
jobs:
- {type: job, id: one, name: cp, arguments: [raw.txt, mid.txt], uses: [{lfn: raw.txt, type: input}, {lfn: mid.txt, type: output}]}
- {type: job, id: two, name: cp, arguments: [mid.txt, end.txt], uses: [{lfn: mid.txt, type: input}, {lfn: end.txt, type: output}]}
"""


def pirene(*words: str) -> bytes:
    return CliRunner().invoke(root, list(words), catch_exceptions=False, standalone_mode=False).stdout_bytes


def test_a_run_is_attested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("raw.txt").write_text("raw")
    Path("w.yml").write_text(WORKFLOW.replace("RAW", str(tmp_path / "raw.txt")))
    for reused in (False, True):
        summary = json.loads(pirene("run", "w.yml", "--format", "json"))
        assert summary["jobs"]["reused"] == (2 if reused else 0)
        data = pirene("export", summary["run"], "--as", "intoto")
        envelope = Envelope.from_dict(json.loads(data))
        key = trusted_keys()[0]
        theirs = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(key.public), keyid=key_id(key))
        assert envelope.verify([theirs], threshold=1)
        said = json.loads(envelope.payload)
        digest = {"sha256": hashlib.sha256(b"raw").hexdigest()}
        assert [(one["name"], one["digest"]) for one in said["subject"]] == [("end.txt", digest), ("mid.txt", digest)]
        build = said["predicate"]["buildDefinition"]
        dependencies = {one["name"]: one["digest"] for one in build["resolvedDependencies"]}
        assert dependencies["raw.txt"] == digest
        assert dependencies["/bin/cp"] == {"sha256": hashlib.sha256(Path("/bin/cp").read_bytes()).hexdigest()}
        assert said["predicate"]["runDetails"]["builder"]["id"] == f"urn:uuid:{Store.open().store_id}"
        assert build["externalParameters"]["workflow_sha256"] == hashlib.sha256(Path("w.yml").read_bytes()).hexdigest()
    Path("a.json").write_bytes(data)
    assert b"attested: 2 files" in pirene("log", "verify", "a.json")


def test_a_run_that_made_nothing_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pirene("exec", "--", "/bin/false")
    (run,) = [row[0] for row in Store.open().rows("SELECT run_id FROM workflows", tables=["workflows"])]
    with pytest.raises(StoreError, match="nothing to attest"):
        pirene("export", str(run), "--as", "intoto")
