"""What the page of benchmarks says of itself."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("bench_page", ROOT / "bench" / "page.py")
assert _SPEC is not None
assert _SPEC.loader is not None
page = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(page)

titles = st.sampled_from(["Start-up", "The wrapper", "The log", "Ingest"])
bodies = st.text("ab |\n", min_size=1, max_size=12).map(str.strip).filter(bool)


def test_each_section_says_when_and_where_it_was_measured() -> None:
    head, *sections = (ROOT / "docs" / "benchmarks.md").read_text("utf-8").split("\n## ")
    assert f"{head}\n" == f"{page.HEAD}\n"
    assert sections
    for section in sections:
        assert re.match(r"[^\n]+\n\n2\d\d\d-\d\d-\d\d: .+ cores, .+ Python 3.+; pirene .+\.\n\n", section), section


@given(st.lists(st.tuples(titles, bodies), min_size=1))
def test_a_section_takes_the_place_of_the_one_of_its_title_and_the_others_stay(measured: list[tuple[str, str]]) -> None:
    text, expected = page.HEAD, {}
    for title, body in measured:
        text = page.with_section(text, f"## {title}\n\n{body}", "2026-11-24: here.")
        expected[title] = body
    sections = [f"\n## {title}\n\n2026-11-24: here.\n\n{body}\n" for title, body in expected.items()]
    assert text == page.HEAD + "".join(sections)
