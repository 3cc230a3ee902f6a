"""Replica catalogs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogs.expansion import expander
from planner.catalogs.model import Catalogs
from planner.catalogs.read import KINDS, read_catalog_file
from planner.errors import FileError, PlannerError
from planner.workflow import Place
from provenance.metadata import Written

(REPLICAS,) = (kind for kind in KINDS if kind.key == "replicaCatalog")
DIGITS = "1234567890" * 6 + "1234"


def read(tmp_path: Path, text: str, **environment: str) -> Catalogs:
    path = tmp_path / "replicas.yml"
    path.write_text(text, encoding="utf-8")
    return read_catalog_file(REPLICAS, path, environment)


def test_entries_with_copies_checksums_and_metadata(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""\
pegasus: "5.0"
x-pegasus: {{createdBy: me}}
replicas:
- lfn: données.txt
  pfns:
  - {{site: local, pfn: /data/données.txt}}
  - {{site: far, pfn: "https://example.org/d.txt"}}
  checksum: {{sha256: {"AB" * 32}}}
  metadata: {{size: 12, band: r, kinds: [a, b]}}
- {{lfn: digits, pfns: [], checksum: {{sha256: {DIGITS}}}}}
- {{lfn: 'run_(\\d+)\\.raw', pfns: [{{site: local, pfn: "raw/[1]/[0]"}}], regex: true}}
""",
    )
    entry = found.replicas["données.txt"]
    assert entry.pfns == (("local", "/data/données.txt"), ("far", "https://example.org/d.txt"))
    assert entry.sha256 == "ab" * 32
    assert entry.place == Place(tmp_path / "replicas.yml", 4, 3)
    assert entry.metadata == {
        "size": Written("12", "number"),
        "band": Written("r", "text"),
        "kinds": (Written("a", "text"), Written("b", "text")),
    }
    assert found.replicas["digits"].sha256 == DIGITS
    (pattern,) = found.replica_patterns
    assert (pattern.lfn, pattern.pfns, pattern.regex) == (r"run_(\d+)\.raw", (("local", "raw/[1]/[0]"),), True)
    assert found.warnings == ()


def test_entries_of_one_lfn_become_one(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""\
replicas:
- {{lfn: f, pfns: [{{site: a, pfn: /1}}], metadata: {{k: 1, l: 1}}}}
- {{lfn: f, pfns: [{{site: b, pfn: /2}}, {{site: a, pfn: /1}}], checksum: {{sha256: {DIGITS}}}, metadata: {{k: 2}}}}
""",
    )
    entry = found.replicas["f"]
    assert entry.pfns == (("a", "/1"), ("b", "/2"))
    assert entry.sha256 == DIGITS
    assert entry.metadata == {"k": Written("2", "number"), "l": Written("1", "number")}


def test_variables_of_the_environment(tmp_path: Path) -> None:
    text = "replicas:\n- {lfn: $a, pfns: [{site: local, pfn: '${BASE}/$$x/${BASE}'}], metadata: {k: '${BASE}'}}\n"
    entry = read(tmp_path, text, BASE="/b ${NOT_AGAIN}").replicas["$a"]
    assert entry.pfns == (("local", "/b ${NOT_AGAIN}/$x//b ${NOT_AGAIN}"),)
    assert entry.metadata == {"k": Written("/b ${NOT_AGAIN}", "text")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "replicas:\n- {lfn: f, pfns: [{site: local, pfn: '${GONE}/x'}]}",
            "2:38: environment variable 'GONE' is not set",
        ),
        ("replicas:\n- {lfn: f, pfns: [{site: local, pfn: '${OPEN'}]}", "2:38: '${' without '}' in '${OPEN'"),
        ("replicas:\n- {lfn: f, pfns: [{pfn: /f}]}", "2:19: a pfn has no 'site'"),
        ("replicas:\n- {lfn: f, pfn: /f}", "2:12: unknown key 'pfn' of a replica"),
        ("replicas:\n- {lfn: f}", "2:3: a replica has no 'pfns'"),
        ("replicas:\n- {lfn: '', pfns: []}", "2:9: expected text that is not empty"),
        ("replicas:\n- {lfn: f, pfns: [], regex: maybe}", "2:29: expected true or false for regex, found 'maybe'"),
        ("replicas: {f: /f}", "1:11: expected a list for replicas, found a mapping"),
        ("replica: []", "1:1: unknown key 'replica' of a replica catalog"),
        ("pegasus: '5.0'", "1:1: a replica catalog needs the key 'replicas'"),
        ("pegasus: '4'\nreplicas: []", "1:10: expected a version 5 of the format"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'replicas.yml'}:{message}")


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(PlannerError, match=r"cannot read a replica catalog, .*: Is a directory"):
        read_catalog_file(REPLICAS, tmp_path, {})


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(st.tuples(st.sampled_from(["text", "$$", "variable"]), st.text(max_size=4)), max_size=6))
def test_expansion_replaces_variables_and_nothing_else(pieces: list[tuple[str, str]]) -> None:
    environment: dict[str, str] = {}
    text, meant = "", ""
    for number, (kind, value) in enumerate(pieces):
        if kind == "variable":
            environment[f"V{number}"] = value
            text, meant = text + f"${{V{number}}}", meant + value
        elif kind == "$$":
            text, meant = text + "$$", meant + "$"
        else:
            plain = value.replace("$", "")
            text, meant = text + plain, meant + plain
    assert expander(environment)(text, Place(None, 1, 1)) == meant


def test_a_lone_dollar_is_itself() -> None:
    assert expander({})("a$ $HOME $1 $", Place(None, 1, 1)) == "a$ $HOME $1 $"
