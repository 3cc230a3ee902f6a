"""Whatever is typed, there is an answer or a message that knows its place: no traceback, no hang, nothing that a
terminal obeys. `make fuzz` goes on with this for as long as one likes.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.query.oracle.noise import complaint, noise

EXAMPLES = (Path(__file__).with_name("golden") / "examples.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.timeout(120)
def test_noise_is_answered_with_a_place(small: Any) -> None:
    random = Random(20260615)
    texts = [noise(random, EXAMPLES) for _ in range(3000)]
    found = {text: said for text in texts if (said := complaint(text, small)) is not None}
    assert found == {}


@pytest.mark.parametrize(
    "text", ["files where \x1b[31m = 1", "files where kind = \u202e", 'files where "\x07', "@\x9b", "\udcff"]
)
def test_what_a_terminal_would_obey_is_shown(text: str, small: Any) -> None:
    assert complaint(text, small) is None
