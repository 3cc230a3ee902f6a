"""Replica catalogs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogs.expansion import expander
from planner.catalogs.model import Catalogs, ReplicaEntry
from planner.catalogs.patterns import matched
from planner.catalogs.read import KINDS, read_catalog_file
from planner.errors import FileError, PlannerError
from planner.passes.catalog_copies import find_in_catalog
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
    with pytest.raises(
        PlannerError, match=r"cannot read a replica catalog, .*: expected a regular file, found a folder"
    ):
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


def test_a_pattern_that_takes_for_ever_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, "replicas: [{lfn: '(a|aa)+$', pfns: [{site: local, pfn: 'raw/[0]'}], regex: true}]\n")
    with pytest.raises(
        FileError, match=r":1:12: lfn '\(a\|aa\)\+\$' takes more than 1 s to be compared with 'a+b'"
    ) as error:
        find_in_catalog(found, "a" * 100 + "b")
    assert "repetitions" in str(error.value.hint)
    copy = find_in_catalog(found, "aaa")
    assert copy is not None
    assert copy.copies[0].url.endswith("/raw/aaa")


@pytest.mark.parametrize(
    ("pattern", "name", "filled"),
    [
        (r"(\w+)-\1\.dat", "b-b.dat", "b"),
        (r"(?!tmp)(.+)\.raw", "run.raw", "run"),
        (r"(?P<run>[0-9]+)(?:-x)?", "12-x", "12"),
        (r"(a)|b", "b", ""),
    ],
)
def test_patterns_have_what_those_of_pegasus_have(tmp_path: Path, pattern: str, name: str, filled: str) -> None:
    found = read(tmp_path, f"replicas: [{{lfn: '{pattern}', pfns: [{{site: s, pfn: 'x://[1]'}}], regex: true}}]\n")
    copy = find_in_catalog(found, name)
    assert copy is not None
    assert copy.copies[0].url == f"x://{filled}"
    assert find_in_catalog(found, f"{name}/") is None


PIECES = [
    *"ab()*+?[]{}|^$-1,:!e.", "\\d", "\\1", "\\w", "\\b", "\\{", "\\[", "(?:", "(?=", "(?!", "(?<=", "(?P<n>", "(?i)", "[^",
    "{1,2}", "{e}", "{e<=1}", "[[:alpha:]]", "[:a:]", "&&", "--",
]  # fmt: skip
NAMES = ["", "a", "b", "ab", "aab", "1", "e", "{", "a{e}", "xa", "a-b", ":", "[a]", "&&a", "a:]"]


@settings(max_examples=300)
@given(pattern=st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join))
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_patterns_mean_what_they_mean_to_python(pattern: str) -> None:
    try:
        expected = re.compile(pattern)
    except re.error:
        return
    entry = ReplicaEntry(lfn=pattern, pfns=(), place=Place(None, 1, 1), regex=True)
    for name in NAMES:
        meant, found = expected.fullmatch(name), matched(entry, name)
        assert (meant and meant.groups()) == (found and found.groups())
