"""Signed notes: text with signatures of Ed25519 keys below it (C2SP signed-note), and the text form of the keys.

A key is a name and 32 bytes. What a note says counts only if a key that is trusted signed it; signatures of others are
passed over. There is one way to write a note with the same text and signatures: every other is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from integrity.errors import EvidenceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ED25519 = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 4
_PRIVATE = "PRIVATE+KEY+"
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_LINE = re.compile(r"\N{EM DASH} (\S+) (\S+)")
_MOST_SIGNATURES = 100
"""The specification has verifiers accept at least 16, and bids them have a limit."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key: who has it can check signatures. ``public`` is 32 bytes, encoded as RFC 8032 has it."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.public) != _KEY_BYTES:
            raise ValueError(f"{self.name!r}: expected a name without spaces and pluses, and a key of 32 bytes")

    @property
    def key_id(self) -> bytes:
        """Four bytes that, with the name, tell which key a signature is of."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """``NAME+ID+KEY``: one word, as all programs write it that know signed notes."""
        return f"{self.name}+{self.key_id.hex()}+{base64_text(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key of this `text`. ValueError: it is none, or of another kind than Ed25519."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        if not (name and key_id and encoded):
            raise ValueError(f"{text!r}: expected NAME+ID+KEY, as `pirene log key` shows it")
        key = cls(name, _key_bytes(encoded))
        if key.text != text:
            raise ValueError(f"{text!r}: the id is not that of the name and the key")
        return key

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made the signature (64 bytes) of the message."""
        from cryptography.exceptions import InvalidSignature  # late: a fifth of what a query takes
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: these bytes are no point of the curve
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key: ``seed`` is 32 bytes, as RFC 8032 has it. It is not shown where the object is."""

    name: str
    seed: bytes

    @property
    def text(self) -> str:
        """``PRIVATE+KEY+NAME+ID+SEED``, the form that belongs to that of `VerifierKey`."""
        return f"{_PRIVATE}{self.name}+{self.verifier().key_id.hex()}+{base64_text(_ED25519 + self.seed)}"

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """The key of this `text`. ValueError, which does not show it: it is none."""
        name, _, rest = text.removeprefix(_PRIVATE).partition("+")
        _, _, encoded = rest.partition("+")
        try:
            key = cls(name, _key_bytes(encoded))
            if key.text == text:
                return key
        except ValueError:
            pass  # what it says shows the key
        raise ValueError("expected one line PRIVATE+KEY+NAME+ID+SEED, the id being that of the name and the key")

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """A new key. ValueError: a name that no key can have."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = cls(name, Ed25519PrivateKey.generate().private_bytes_raw())
        key.verifier()
        return key

    def verifier(self) -> VerifierKey:
        """The public key that belongs to it."""
        return VerifierKey(self.name, _loaded(self.seed).public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature (64 bytes) of a message: always the same."""
        return _loaded(self.seed).sign(message)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature below a text: who says that it is of theirs, and the bytes, which prove it."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """``NAME BASE64``: a signature line without the dash that it begins with."""
        return f"{self.name} {base64_text(self.key_id + self.signature)}"

    @classmethod
    def parse(cls, text: str) -> Signature:
        """The reverse of `text`. ValueError for what is none."""
        match = _LINE.fullmatch(_DASH + text)
        if match is None or "+" in match[1]:
            raise ValueError(f"{text!r}: expected NAME BASE64")
        data = from_base64(match[2])
        if len(data) <= _ID_BYTES:
            raise ValueError(f"{text!r}: a signature is longer than the id of a key")
        return cls(match[1], data[:_ID_BYTES], data[_ID_BYTES:])

    @classmethod
    def of(cls, message: bytes, key: SigningKey) -> Signature:
        """The signature of a message by a key."""
        return cls(key.name, key.verifier().key_id, key.sign(message))

    def is_of(self, key: VerifierKey) -> bool:
        """Whether it says that it is of this key."""
        return (self.name, self.key_id) == (key.name, key.key_id)


def signed_note(text: str, keys: Iterable[SigningKey]) -> bytes:
    """A note with signatures of all keys. ValueError: a text that no note can have."""
    message = text.encode()
    if not text.endswith("\n") or _has_control_characters(text):
        raise ValueError("the text of a note ends with a newline, and has no other control character")
    lines = [f"{_DASH}{Signature.of(message, key).text}\n" for key in keys]
    if not lines:
        raise ValueError("a note has at least one signature")
    return f"{text}\n{''.join(lines)}".encode()


def split_note(data: bytes) -> tuple[str, tuple[Signature, ...]]:
    """The text of a note and its signatures, of which none is checked. Raises EvidenceError for what is no note."""
    try:
        note = data.decode()
    except UnicodeDecodeError:
        raise EvidenceError("no signed note: it is not UTF-8") from None
    text, blank, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not blank or lines.pop() != "" or not 0 < len(lines) <= _MOST_SIGNATURES or _has_control_characters(note):
        raise EvidenceError("no signed note: expected text, an empty line, and lines with signatures")
    try:
        if not all(line.startswith(_DASH) for line in lines):
            raise ValueError(f"expected a line that begins with {_DASH!r}")
        return text + "\n", tuple(Signature.parse(line.removeprefix(_DASH)) for line in lines)
    except ValueError as error:
        raise EvidenceError(f"no signed note: {error}") from None


def opened(data: bytes, trusted: Sequence[VerifierKey]) -> tuple[str, tuple[VerifierKey, ...]]:
    """The text of a note, and the trusted keys that signed it.

    Raises EvidenceError: it is none, a signature of a trusted key is not right, or no trusted key signed it.
    """
    text, signatures = split_note(data)
    signers: list[VerifierKey] = []
    for signature in signatures:
        for key in filter(signature.is_of, trusted):
            if not key.verifies(signature.signature, text.encode()):
                raise EvidenceError(f"the signature of {key.name} is not of this text: it was altered")
            signers.append(key)
    if not signers:
        raise not_trusted([f"{one.name}+{one.key_id.hex()}" for one in signatures], trusted)
    return text, tuple(dict.fromkeys(signers))


def not_trusted(names: Sequence[str], trusted: Sequence[VerifierKey]) -> EvidenceError:
    """The error to raise where none of the keys of these names that signed something is trusted."""
    return EvidenceError(
        f"signed by {', '.join(names) or 'nobody'}, which is not among the {len(trusted)} trusted keys",
        hint="if it should be, get the public key from whoever it belongs to (`pirene log key` shows it there), "
        "and `pirene log trust` it here",
    )


def base64_text(data: bytes) -> str:
    """Base64 as RFC 4648, section 4, has it."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """The reverse of `base64_text`. ValueError also for what stands for the same bytes and was written otherwise."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text!r}: no base64: {error}") from None
    if base64_text(data) != text:
        raise ValueError(f"{text!r}: no base64 as everybody writes it")
    return data


@lru_cache(maxsize=4)
def _loaded(seed: bytes) -> Ed25519PrivateKey:
    """Making a key ready takes as long as signing with it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)


def _key_bytes(encoded: str) -> bytes:
    try:
        data = from_base64(encoded)
    except ValueError:
        data = b""
    if len(data) != 1 + _KEY_BYTES or data[:1] != _ED25519:
        raise ValueError(f"{encoded!r}: expected a key of Ed25519 in base64")
    return data[1:]


def _has_control_characters(text: str) -> bool:
    return any(character < " " and character != "\n" for character in text)
