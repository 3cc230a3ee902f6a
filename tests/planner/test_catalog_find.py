"""Which catalogs a workflow has, and what they say together."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogs.find import find_catalogs
from planner.catalogs.model import Catalogs, Site
from planner.catalogs.read import KINDS, CatalogKind, read_catalog_file
from planner.errors import FileError, PlannerError
from planner.workflow import Place
from planner.workflow_file import read_workflow

ROOT = Path(__file__).parents[2]
HEAD = 'pegasus: "5.0"\nname: w\njobs: []\n'


def find(folder: Path, inline: str = "", **files: str) -> Catalogs:
    """The catalogs of a workflow in ``folder``; `a__b` stands for the file `a.b`, `sub__a__b` too."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    (folder / "w.yml").write_text(HEAD + inline, encoding="utf-8")
    environment = {"BASE": str(folder)}
    return find_catalogs(read_workflow(folder / "w.yml", environment=environment), environment=environment)


def replica(lfn: str, pfn: str, sha256: str = "") -> str:
    checksum = f", checksum: {{sha256: {sha256}}}" if sha256 else ""
    return f"replicas: [{{lfn: {lfn}, pfns: [{{site: local, pfn: {pfn}}}]{checksum}}}]"


def test_a_workflow_without_catalogs_has_the_site_local(tmp_path: Path) -> None:
    assert find(tmp_path) == Catalogs(sites={"local": Site("local", Place(None, 1, 1))})


def test_the_usual_files_lie_next_to_the_workflow(tmp_path: Path) -> None:
    found = find(
        tmp_path,
        replicas__yml=replica("f", "/f"),
        transformations__yml="transformations: [{name: t}]",
        sites__yml="sites: [{name: local, profiles: {env: {A: b}}}, {name: far}]",
        pegasus__properties="env.LANG = C",
    )
    assert list(found.replicas) == ["f"]
    assert list(found.transformations) == [(None, "t", None)]
    assert list(found.sites) == ["local", "far"]
    assert found.sites["local"].profiles == {"env": {"A": "b"}}
    assert found.properties == {"env.LANG": "C"}


def test_properties_name_other_files_relative_to_their_folder(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "rc.yml").write_text(replica("f", "/f"))
    found = find(
        tmp_path,
        replicas__yml=replica("ignored", "/f"),
        pegasus__properties="pegasus.catalog.replica = YAML\npegasus.catalog.replica.file = conf/rc.yml\n",
    )
    assert list(found.replicas) == ["f"]
    assert found.replicas["f"].place.file == tmp_path / "conf" / "rc.yml"


def test_a_given_properties_file_is_taken_instead(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    given = tmp_path / "conf" / "my.properties"
    given.write_text("pegasus.catalog.site.file = ${BASE}/conf/s.yml\n")
    (tmp_path / "conf" / "s.yml").write_text("sites: [{name: far}]")
    (tmp_path / "pegasus.properties").write_text("never = read")
    (tmp_path / "w.yml").write_text(HEAD)
    workflow = read_workflow(tmp_path / "w.yml")
    found = find_catalogs(workflow, properties_file=given, environment={"BASE": str(tmp_path)})
    assert list(found.sites) == ["local", "far"]
    assert list(found.properties) == ["pegasus.catalog.site.file"]


def test_inline_entries_go_before_those_of_files(tmp_path: Path) -> None:
    both = "replicas: [{lfn: f, pfns: [{site: local, pfn: /file}]}, {lfn: g, pfns: []}]"
    found = find(
        tmp_path,
        f"replicaCatalog: {{{replica('f', '/inline')}}}\n"
        "transformationCatalog: {transformations: [{name: t, version: 1}]}\n"
        "siteCatalog: {sites: [{name: local, profiles: {env: {A: inline}}}]}\n",
        replicas__yml=both,
        transformations__yml="transformations: [{name: t, version: 2}]",
        sites__yml="sites: [{name: local, profiles: {env: {A: file}}}, {name: far}]",
    )
    assert found.replicas["f"].pfns == (("local", "/inline"),)
    assert set(found.replicas) == {"f", "g"}
    assert {key[2] for key in found.transformations} == {"1", "2"}
    assert found.sites["local"].profiles == {"env": {"A": "inline"}}
    assert set(found.sites) == {"local", "far"}


def test_two_contents_for_one_lfn_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        FileError, match=f"replica 'f' has sha256 {'1' * 64} here and {'2' * 64} at .*replicas.yml:1:12"
    ):
        find(
            tmp_path,
            f"replicaCatalog: {{{replica('f', '/f', '1' * 64)}}}",
            replicas__yml=replica("f", "/f", "2" * 64),
        )


def test_the_warnings_of_all_of_them_are_kept(tmp_path: Path) -> None:
    found = find(
        tmp_path,
        "siteCatalog: {sites: [{name: a, arch: x}]}",
        sites__yml="sites: [{name: b, grids: []}]",
        pegasus__properties="pegasus.mode = debug",
    )
    assert [warning.split(": ", 1)[1] for warning in found.warnings] == [
        "property pegasus.mode has no effect yet",
        "'arch' of a site has no effect yet",
        "'grids' of a site has no effect yet",
    ]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("pegasus.catalog.replica.file = none.yml", "1:1: pegasus.catalog.replica.file names no file: .*none.yml"),
        ("\npegasus.catalog.replica = JDBCRC", "2:1: expected YAML for pegasus.catalog.replica, found 'JDBCRC'"),
    ],
)
def test_catalogs_that_cannot_be_read(tmp_path: Path, properties: str, message: str) -> None:
    with pytest.raises(PlannerError, match=message):
        find(tmp_path, pegasus__properties=properties)


def test_a_mistake_in_a_catalog_is_shown_in_its_own_file(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        find(tmp_path, sites__yml="sites:\n- {nam: local}\n")
    assert str(caught.value) == (
        f"{tmp_path / 'sites.yml'}:2:4: unknown key 'nam' of a site\n  - {{nam: local}}\n     ^"
    )


def test_the_catalogs_of_the_diamond() -> None:
    found = find_catalogs(read_workflow(ROOT / "datasets" / "diamond" / "diamond.yml"))
    assert found.replicas
    assert found.transformations
    assert list(found.sites) == ["local"]


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    at=st.integers(0, 400),
    length=st.integers(0, 40),
    instead=st.sampled_from(
        [b"", b"[", b"{", b"}", b"- ", b": ", b"*a", b"!", b"\n", b"'", b"\x00", b"\xff", b"${", b"~"]
    ),
)
def test_a_damaged_catalog_is_read_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, kind: CatalogKind, at: int, length: int, instead: bytes
) -> None:
    text = WHOLE[kind.key].encode()
    at %= len(text)
    path = tmp_path_factory.getbasetemp() / kind.file_name
    path.write_bytes(text[:at] + instead + text[at + length :])
    try:
        read_catalog_file(kind, path, {})
    except PlannerError as error:
        assert str(path) in str(error)


WHOLE = {
    "replicaCatalog": """\
pegasus: "5.0"
replicas:
- {lfn: f, pfns: [{site: local, pfn: /f}], checksum: {sha256: aaaa}, metadata: {k: [1, 2]}, regex: false}
""".replace("aaaa", "a" * 64),
    "transformationCatalog": """\
pegasus: "5.0"
transformations:
- name: t
  requires: [u]
  sites:
  - {name: local, pfn: /t, type: stageable, profiles: {env: {A: b}, dagman: {retry: 1}}}
containers:
- {name: c, type: docker, image: x, mounts: [a]}
""",
    "siteCatalog": """\
pegasus: "5.0"
sites:
- name: local
  directories:
  - {type: localStorage, path: /out, fileServers: [{operation: put, url: u}]}
  profiles: {env: {A: b}}
""",
}
