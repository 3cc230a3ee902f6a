"""DSSE envelopes (Dead Simple Signing Envelope 1.0): a payload of some type, and signatures of both together.

What is signed is no JSON but the payload's own bytes with their type and lengths before them, so that nothing has to be
written again in one certain form to be verified. Ours have one form all the same: every other is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from integrity.errors import EvidenceError
from integrity.log.note import SigningKey, VerifierKey, base64_text, from_base64, not_trusted

IN_TOTO = "application/vnd.in-toto+json"
"""The type of a payload that is an in-toto Statement."""


def key_id(key: VerifierKey) -> str:
    """What envelopes call a key: ``NAME+ID``, the beginning of its text."""
    return f"{key.name}+{key.key_id.hex()}"


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed (PAE of the specification)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def enveloped(payload: bytes, payload_type: str, keys: Sequence[SigningKey]) -> bytes:
    """An envelope, one line of JSON, signed by all keys. ValueError: by none."""
    if not keys:
        raise ValueError("an envelope has at least one signature")
    message = pre_authentication_encoding(payload_type, payload)
    signatures = [{"keyid": key_id(key.verifier()), "sig": base64_text(key.sign(message))} for key in keys]
    return _bytes({"payload": base64_text(payload), "payloadType": payload_type, "signatures": signatures})


def opened_envelope(data: bytes, trusted: Sequence[VerifierKey]) -> tuple[str, bytes, tuple[VerifierKey, ...]]:
    """The type of the payload, the payload, and the trusted keys that signed it.

    Raises EvidenceError: it is no envelope, a signature of a trusted key is not right, or no trusted key signed it.
    """
    try:
        envelope = json.loads(data)
        if _bytes(envelope) != data or envelope.keys() != {"payload", "payloadType", "signatures"}:
            raise ValueError("written otherwise")
        kind, payload = envelope["payloadType"], from_base64(envelope["payload"])
        signatures = [_signature(one) for one in envelope["signatures"]]
        if len(set(signatures)) != len(signatures):
            raise ValueError("a signature twice")
        message = pre_authentication_encoding(kind, payload)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvidenceError(f"no envelope: {str(error)[:200]}") from None
    signers: list[VerifierKey] = []
    for name, signature in signatures:
        for key in (key for key in trusted if key_id(key) == name):
            if not key.verifies(signature, message):
                raise EvidenceError(f"the signature of {key.name} is not of this payload: it was altered")
            signers.append(key)
    if not signers:
        raise not_trusted([name for name, _ in signatures], trusted)
    return kind, payload, tuple(dict.fromkeys(signers))


def _signature(one: dict[str, Any]) -> tuple[str, bytes]:
    """The name of a key and a signature by it. ValueError, TypeError, AttributeError: something else, or more, of which
    nobody would have signed what more it is.
    """
    if one.keys() != {"keyid", "sig"} or not isinstance(one["keyid"], str):
        raise ValueError("a signature with other keys than keyid and sig")
    return one["keyid"], from_base64(one["sig"])


def _bytes(envelope: Any) -> bytes:
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"
