"""Files that were found by several names: each once, with all that was said of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.metadata import from_text
from provenance.registration import found_once
from provenance.registration.found_files import FoundFile
from provenance.registration.found_once import once
from provenance.registration.metadata_table import Declared
from provenance.registration.table_rows import MetadataTableError


@pytest.fixture(autouse=True, params=[2, 1 << 14])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_once, "_BLOCK", request.param)


def plainly(found: Iterable[FoundFile]) -> list[FoundFile]:
    """The same with a dictionary of all of them."""
    places: dict[str, FoundFile] = {}
    for each in found:
        if each.url in places:
            first = places[each.url]
            both = {**first.metadata, **each.metadata}
            places[each.url] = replace(first, metadata=both, declared=each.declared or first.declared)
        else:
            places[each.url] = each
    return list(places.values())


metadata = st.dictionaries(st.sampled_from("kl"), st.sampled_from("12").map(from_text), max_size=2)
declared = st.sampled_from([None, Declared(("md5:" + "0" * 32,)), Declared(size_bytes=1)])
files = st.builds(
    lambda n, name, metadata, declared: FoundFile(name, f"/{n}", f"file:///{n}", f"{n}", 1, None, "file", metadata, declared),
    st.integers(0, 4), st.sampled_from("abc"), metadata, declared,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(files, max_size=9))
def test_as_a_dictionary_of_all_of_them_would_have_it(found: list[FoundFile]) -> None:
    assert list(once(found)) == plainly(found)


def row(line: int, value: str, name: str = "a") -> FoundFile:
    said = {"k": from_text(value)}
    return FoundFile(
        name, f"/{name}", f"file:///{name}", name, 1, metadata=said, declared=Declared(), where=f"t.csv:{line}"
    )


def test_a_table_may_name_a_file_twice_but_not_with_other_values() -> None:
    others = [row(line, "1", f"f{line}") for line in range(5, 9)]
    found_already = replace(row(0, "0"), where=None)
    assert list(once([found_already, row(2, "1"), *others, row(9, "1")]))[1:] == others
    with pytest.raises(
        MetadataTableError, match=r"^t\.csv:9: /a is named a second time and with other values \(first: 2\)"
    ):
        once([found_already, row(2, "1"), *others, row(9, "2")])
    with pytest.raises(MetadataTableError, match=r"^t\.csv:3: /a is named a second time"):
        once([row(2, "1"), replace(row(3, "1"), declared=Declared(size_bytes=1))])
