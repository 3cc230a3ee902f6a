"""The key of a computation: pinned, blind to order where order means nothing, different where anything differs."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.reuse_key import reuse_key

# Few and awkward texts, so that two drawings are often almost equal.
TEXTS = st.sampled_from(["", "a", "b", "ab", "a b", "\0", "=", "é", "\udc80", "a=b"])
DIGESTS = st.sampled_from([hashlib.sha256(bytes([number])).digest() for number in range(3)])
PARTS = st.fixed_dictionaries(
    {
        "executable_sha256": DIGESTS,
        "container_sha256": st.none() | DIGESTS,
        "arguments": st.lists(TEXTS, max_size=3),
        "streams": st.tuples(*[st.none() | TEXTS] * 3),
        "environment": st.dictionaries(TEXTS, TEXTS, max_size=2),
        "inputs": st.dictionaries(TEXTS, DIGESTS, max_size=2),
        "outputs": st.lists(TEXTS, max_size=2, unique=True),
        "salt": TEXTS,
    }
)


def same_computation(one: dict[str, Any], other: dict[str, Any]) -> bool:
    plain = [name for name in one if name != "outputs"]
    return all(one[name] == other[name] for name in plain) and set(one["outputs"]) == set(other["outputs"])


@settings(max_examples=400, deadline=None)
@given(PARTS, PARTS)
def test_keys_are_equal_exactly_if_the_computations_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (reuse_key(**one) == reuse_key(**other)) == same_computation(one, other)


@settings(max_examples=200, deadline=None)
@given(PARTS, st.data())
def test_changing_one_part_changes_the_key(parts: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(parts)))
    changed = {**parts, name: data.draw(PARTS)[name]}
    assert (reuse_key(**parts) == reuse_key(**changed)) == same_computation(parts, changed)


@given(PARTS)
def test_order_of_mappings_and_outputs_does_not_count(parts: dict[str, Any]) -> None:
    turned = {
        **parts,
        "environment": dict(reversed(parts["environment"].items())),
        "inputs": dict(reversed(parts["inputs"].items())),
        "outputs": list(reversed(parts["outputs"])),
    }
    assert reuse_key(**turned) == reuse_key(**parts)


def test_the_encoding_is_the_documented_one() -> None:
    def text(value: str) -> bytes:
        return len(value.encode()).to_bytes(8, "big") + value.encode()

    def many(*members: bytes) -> bytes:
        return len(members).to_bytes(8, "big") + b"".join(members)

    digest = bytes(range(32))
    size = (32).to_bytes(8, "big")
    encoded = (
        text("pirene.reuse/1")
        + size + digest
        + many()
        + many(text("-o"), text("out"))
        + many(many(), many(text("log")), many())
        + many(text("LANG") + text("C"))
        + many(text("a") + size + digest, text("b") + size + digest)
        + many(text("out"))
        + text("")
    )  # fmt: skip
    key = reuse_key(
        executable_sha256=digest,
        container_sha256=None,
        arguments=["-o", "out"],
        streams=(None, "log", None),
        environment={"LANG": "C"},
        inputs={"b": digest, "a": digest},
        outputs=["out"],
        salt="",
    )
    assert key == hashlib.sha256(encoded).digest()


def test_one_key_is_pinned() -> None:
    key = reuse_key(
        executable_sha256=bytes(32),
        container_sha256=None,
        arguments=("-i", "f.a"),
        streams=(None, None, None),
        environment={},
        inputs={"f.a": bytes([1]) * 32},
        outputs=("f.b",),
        salt="",
    )
    assert key.hex() == "13438f3e69f8d9ec93d719cd4bddf3eb29517dfbe09ccee3c9641008fda4fd94"
