"""Signed notes, checkpoints and proofs as files: the published vectors, what is refused, and that every bit counts."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from integrity.errors import EvidenceError
from integrity.log.checkpoint import Checkpoint, opened_checkpoint
from integrity.log.note import Signature, SigningKey, VerifierKey, opened, signed_note, split_note
from integrity.log.proof import EntryProof
from integrity.log.proofs import inclusion_proof, of_leaves
from integrity.merkle import leaf_hash, root_hash

# Of the reference implementation (golang.org/x/mod/sumdb/note).
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
NOTE = f"{TEXT}\n{SIGNED}".encode()
# Of the specifications: their keys are not published, their forms are.
QUASIMODO = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""
SOFA = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""
KEY = VerifierKey.parse(PUBLIC)


def test_the_published_note_and_keys() -> None:
    key = SigningKey.parse(PRIVATE)
    assert (key.verifier(), key.text, KEY.text) == (KEY, PRIVATE, PUBLIC)
    assert signed_note(TEXT, [key]) == NOTE
    assert opened(NOTE, [KEY]) == (TEXT, (KEY,))


def test_the_examples_of_the_specifications_are_read() -> None:
    text, (signature,) = split_note(QUASIMODO.encode())
    assert text.splitlines()[-1] == "ed è subito sera."
    assert signature.name == "quasimodo.example/salvatore"
    text, (signature,) = split_note(SOFA.encode())
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert Checkpoint.parse(text) == Checkpoint("example.com/behind-the-sofa", 20852163, root)
    assert Checkpoint.parse(text).text == text
    assert signature.key_id.hex() == "033de0ae"


def test_another_library_takes_the_signature() -> None:
    """The bytes below the text are an Ed25519 signature (RFC 8032) of it, after four bytes that name the key."""
    key = SigningKey.generate("pirene/somebody@example")
    text, line, end = signed_note("a\n\nb\n", [key]).decode().rpartition("\n— ")
    assert (text, line, end.split()[0]) == ("a\n\nb\n", "\n— ", key.name)
    public = base64.b64decode(key.verifier().text.split("+", 2)[2])[1:]
    data = base64.b64decode(end.split()[1])
    Ed25519PublicKey.from_public_bytes(public).verify(data[4:], text.encode())


@pytest.mark.parametrize("at", range(len(PUBLIC)))
def test_no_other_text_is_this_key(at: int) -> None:
    for bit in range(7):
        changed = PUBLIC[:at] + chr(ord(PUBLIC[at]) ^ 1 << bit) + PUBLIC[at + 1 :]
        with pytest.raises(ValueError):
            VerifierKey.parse(changed)
    with pytest.raises(ValueError):
        VerifierKey.parse(PUBLIC[:at])


def test_a_private_key_is_not_shown() -> None:
    key = SigningKey.parse(PRIVATE)
    assert "AYEKFAL" not in f"{key!r} {key}"
    for wrong in (PRIVATE[:-2], PRIVATE.replace("c74f", "c74e"), PUBLIC, ""):
        with pytest.raises(ValueError, match=r"^expected one line PRIVATE") as error:
            SigningKey.parse(wrong)
        assert "AYEKFAL" not in str(error.value)
        assert error.value.__context__ is None  # nor where a traceback is shown


def test_every_bit_of_a_note_counts() -> None:
    for changed in flips(NOTE):
        with pytest.raises(EvidenceError):
            opened(changed, [KEY])


MALFORMED = {
    "no signature": TEXT.encode() + b"\n",
    "no empty line": TEXT.encode() + SIGNED.encode(),
    "a carriage return": NOTE.replace(b",\n", b",\r\n"),
    "not UTF-8": NOTE.replace(b"think", b"th\xffnk"),
    "no last newline": NOTE[:-1],
    "a word more": NOTE[:-1] + b" x\n",
    "two spaces": NOTE.replace(b"Neumann x", b"Neumann  x"),
    "a hyphen": NOTE.replace("—".encode(), b"-"),
    "base64 without padding": NOTE.replace(b"AM=\n", b"AM\n"),
    "base64 written otherwise": NOTE.replace(b"AM=\n", b"AN=\n"),
    "only the id of a key": NOTE.replace(SIGNED.split()[2].encode(), b"x08gow=="),
    "a plus in a name": NOTE.replace("— Peter".encode(), "— Pe+er".encode()),
    "too many signatures": NOTE + SIGNED.encode() * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_note_is_refused(what: str) -> None:
    with pytest.raises(EvidenceError, match="no signed note"):
        opened(MALFORMED[what], [KEY])


def test_signatures_of_others_are_passed_over() -> None:
    own, other = SigningKey.generate("one"), SigningKey.generate("other")
    both = signed_note("x\n", [own, other])
    assert opened(both, [own.verifier()])[1] == (own.verifier(),)
    assert opened(both, [other.verifier(), own.verifier()])[1] == (own.verifier(), other.verifier())
    with pytest.raises(EvidenceError, match="not among the 1 trusted keys"):
        opened(both, [KEY])
    # One that says it is of a trusted key and is not spoils the note, whoever else signed it.
    forged = Signature(own.name, own.verifier().key_id, bytes(64))
    spoiled = both + f"— {forged.text}\n".encode()
    with pytest.raises(EvidenceError, match="not of this text"):
        opened(spoiled, [own.verifier()])


def test_what_cannot_be_signed() -> None:
    key = SigningKey.parse(PRIVATE)
    for text in ("", "x", "x\ty\n"):
        with pytest.raises(ValueError):
            signed_note(text, [key])
    with pytest.raises(ValueError, match="at least one"):
        signed_note("x\n", [])
    for name in ("", "a b", "a+b", "a\nb", "a\N{NO-BREAK SPACE}b"):
        with pytest.raises(ValueError, match="without spaces"):
            SigningKey.generate(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n01\nR\n",
        "o\n-1\nR\n",
        "o\n1\nR\nmore\n",
        "\n1\nR\n",
        "o\n1\nR",
        "o\n1\nAAAA\n",
        "o\n99999999999999999999\nR\n",
        "o\n9223372036854775808\nR\n",
        "o\n١\nR\n",
        "o\n1\nr\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(EvidenceError, match="no checkpoint"):
        Checkpoint.parse(text.replace("R", base64.b64encode(bytes(32)).decode()))


def proof_of(index: int, size: int, extra: bytes = b"") -> tuple[EntryProof, bytes, SigningKey]:
    key = SigningKey.parse(PRIVATE)
    leaves = [b"entry %d" % number for number in range(size)]
    path = inclusion_proof(index, size, of_leaves([leaf_hash(leaf) for leaf in leaves]))
    note = Checkpoint("example.org/log", size, root_hash(leaves)).signed([key])
    return EntryProof(index, tuple(path), note, extra), leaves[index], key


def test_a_proof_has_the_form_of_the_specification() -> None:
    proof, entry, _ = proof_of(2, 3, b"more")
    assert proof.data.split(b"\n")[:4] == [
        b"c2sp.org/tlog-proof@v1",
        b"extra bW9yZQ==",
        b"index 2",
        base64.b64encode(proof.path[0]),
    ]
    assert EntryProof.parse(proof.data) == proof
    checkpoint = proof.verified(entry, [KEY])
    assert (checkpoint.checkpoint.size, checkpoint.signers) == (3, (KEY,))
    assert opened_checkpoint(proof.checkpoint, [KEY]) == checkpoint
    bare, entry, _ = proof_of(0, 1)
    assert bare.data.startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nexample.org/log\n1\n")
    bare.verified(entry, [KEY])


def test_every_bit_of_a_proof_counts() -> None:
    proof, entry, _ = proof_of(4, 7)
    for changed in flips(proof.data):
        with pytest.raises(EvidenceError):
            EntryProof.parse(changed).verified(entry, [KEY])
    for changed in flips(entry):
        with pytest.raises(EvidenceError, match="were altered"):
            proof.verified(changed, [KEY])


def test_what_is_no_proof() -> None:
    data = proof_of(4, 7, b"more")[0].data
    for wrong in (
        b"",
        data.replace(b"@v1", b"@v2"),
        data.replace(b"index 4", b"index 04"),
        data.replace(b"index 4\n", b""),
        data.replace(b"index 4", b"index 99999999999999999999"),
        data.replace(b"index 4", b"index 4\nAAAA"),
        data.replace(b"extra ", b"extra  "),
        data.replace(b"extra", b"\xc3\xa9xtra"),
        data.partition(b"\n\n")[0],
    ):
        with pytest.raises(EvidenceError, match="no proof"):
            EntryProof.parse(wrong)


def flips(data: bytes) -> list[bytes]:
    return [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
