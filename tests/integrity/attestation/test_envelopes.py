"""Envelopes and statements: securesystemslib takes ours, we take its, every bit counts."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from integrity.attestation.envelope import (
    IN_TOTO,
    enveloped,
    key_id,
    opened_envelope,
    pre_authentication_encoding,
)
from integrity.attestation.statement import Artifact, Build, opened_statement, statement
from integrity.errors import EvidenceError
from integrity.log.note import SigningKey, VerifierKey

KEY = SigningKey("pirene/ada@example", bytes(range(32)))
AT = dt.datetime(2026, 11, 23, 6, 20, 0, 999999, tzinfo=dt.timezone(dt.timedelta(hours=1)))
BUILD = Build(
    kind="https://example.org/build/v1",
    parameters={"name": "coadd — é"},
    dependencies=[Artifact("raw.fits", b"\1" * 32, {"role": "input"})],
    products=[Artifact("stack.fits", b"\2" * 32, {}), Artifact("log", b"\3" * 32, {"kind": "folder"})],
    builder="urn:uuid:0",
    versions={"pirene": "1"},
    invocation="run 1",
    started=AT,
    finished=None,
)


def their_key(key: VerifierKey) -> SSlibKey:
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(key.public), keyid=key_id(key))


def test_the_encoding_of_the_specification() -> None:
    """Its own example: protocol.md of secure-systems-lab/dsse."""
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication_encoding("é", b"") == "DSSEv1 2 é 0 ".encode()


def test_securesystemslib_accepts_ours() -> None:
    data = enveloped(statement(BUILD), IN_TOTO, [KEY])
    envelope = Envelope.from_dict(json.loads(data))
    accepted = envelope.verify([their_key(KEY.verifier())], threshold=1)
    assert list(accepted) == [key_id(KEY.verifier())]
    assert envelope.payload == statement(BUILD)
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([their_key(KEY.verifier())], threshold=1)
    with pytest.raises(VerificationError):
        envelope = Envelope.from_dict(json.loads(data))
        envelope.verify([their_key(SigningKey.generate(KEY.name).verifier())], threshold=1)


def test_we_accept_the_signatures_of_securesystemslib() -> None:
    private = Ed25519PrivateKey.from_private_bytes(KEY.seed)
    envelope = Envelope(b"{}", "text/plain", {})
    envelope.sign(CryptoSigner(private, their_key(KEY.verifier())))
    document = envelope.to_dict()
    data = json.dumps(document, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    assert opened_envelope(data, [KEY.verifier()]) == ("text/plain", b"{}", (KEY.verifier(),))


def test_the_statement() -> None:
    data = enveloped(statement(BUILD), IN_TOTO, [KEY])
    attested = opened_statement(data, [KEY.verifier()])
    assert attested.subject == (("stack.fits", "02" * 32), ("log", "03" * 32))
    assert attested.signers == (KEY.verifier(),)
    said = attested.statement
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert said["predicate"]["buildDefinition"] == {
        "buildType": "https://example.org/build/v1",
        "externalParameters": {"name": "coadd — é"},
        "resolvedDependencies": [
            {"name": "raw.fits", "digest": {"sha256": "01" * 32}, "annotations": {"role": "input"}}
        ],
    }
    assert said["predicate"]["runDetails"] == {
        "builder": {"id": "urn:uuid:0", "version": {"pirene": "1"}},
        "metadata": {"invocationId": "run 1", "startedOn": "2026-11-23T05:20:00Z"},
    }


def test_every_bit_of_an_envelope_counts() -> None:
    data = enveloped(b'{"_type":"x"}', IN_TOTO, [KEY])
    for at in range(len(data)):
        for bit in range(8):
            changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            with pytest.raises(EvidenceError):
                opened_envelope(changed, [KEY.verifier()])


def test_what_is_no_envelope_of_a_statement() -> None:
    other = SigningKey.generate("other")
    good = enveloped(statement(BUILD), IN_TOTO, [other, KEY])
    assert opened_statement(good, [KEY.verifier()]).signers == (KEY.verifier(),)
    with pytest.raises(EvidenceError, match="not among the 0 trusted keys"):
        opened_statement(good, [])
    document = json.loads(good)
    wrong = [
        b"",
        b"[]",
        b"null",
        b"{}",
        good[:-1],
        json.dumps(document).encode(),
        _written({**document, "more": 1}),
        _written({**document, "payload": document["payload"] + "="}),
        _written({**document, "signatures": []}),
        _written({**document, "signatures": [{"keyid": key_id(KEY.verifier())}]}),
        _written({**document, "signatures": [{**document["signatures"][1], "more": "unsigned"}]}),
        _written({**document, "signatures": [{**document["signatures"][0], "keyid": 1}, document["signatures"][1]]}),
        _written({**document, "signatures": [*document["signatures"], document["signatures"][1]]}),
        _written({**document, "signatures": [document["signatures"][1], 1]}),
        _written({**document, "payloadType": 1}),
        _written({**document, "payload": base64.b64encode(b"{}").decode()}),
        enveloped(statement(BUILD), "text/plain", [KEY]),
        enveloped(b"{}", IN_TOTO, [KEY]),
        enveloped(b"\xff", IN_TOTO, [KEY]),
    ]
    for data in wrong:
        with pytest.raises(EvidenceError):
            opened_statement(data, [KEY.verifier()])
    with pytest.raises(ValueError, match="at least one"):
        enveloped(b"", IN_TOTO, [])


def _written(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"
