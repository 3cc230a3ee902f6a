"""Site catalogs."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.catalogs.model import Catalogs, Directory, Site
from planner.catalogs.read import KINDS, read_catalog_file
from planner.errors import FileError
from planner.workflow import Place

(SITES,) = (kind for kind in KINDS if kind.key == "siteCatalog")


def read(tmp_path: Path, text: str) -> Catalogs:
    path = tmp_path / "sites.yml"
    path.write_text(text, encoding="utf-8")
    return read_catalog_file(SITES, path, {"OUT": "/out"})


def test_everything_that_a_catalog_can_say(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """\
sites:
- name: local
  arch: x86_64
  os.type: linux
  directories:
  - type: localStorage
    path: ${OUT}
    sharedFileSystem: true
    freeSize: 1GB
    totalSize: 2GB
    fileServers:
    - {operation: get, url: "file:///get"}
    - {operation: put, url: "file://${OUT}"}
    - {operation: all, url: "file:///later"}
  - {type: sharedScratch, path: /scratch}
  grids: [{type: batch, contact: x, scheduler: slurm, jobtype: compute}]
  profiles: {env: {A: b}, condor: {universe: vanilla}}
- name: far
""",
    )
    path = tmp_path / "sites.yml"
    assert found.sites == {
        "local": Site(
            "local",
            Place(path, 2, 3),
            (Directory("localStorage", "/out", "file:///out"), Directory("sharedScratch", "/scratch")),
            {"env": {"A": "b"}, "condor": {"universe": "vanilla"}},
        ),
        "far": Site("far", Place(path, 18, 3)),
    }
    assert [warning.split(": ", 1)[1].removesuffix(" has no effect yet") for warning in found.warnings] == [
        "'arch' of a site",
        "'os.type' of a site",
        "'grids' of a site",
        "'sharedFileSystem' of a directory",
        "'freeSize' of a directory",
        "'totalSize' of a directory",
        "'fileServers' of a directory",
        "a directory of type sharedScratch",
        "profile condor.universe",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sites: [{name: a}, {name: a}]", "1:20: site 'a' is given twice; first at"),
        ("sites: [{name: a, directories: [{type: scratch, path: /x}]}]", "1:40: expected one of localStorage"),
        ("sites: [{name: a, directories: [{type: localStorage}]}]", "1:33: a directory has no 'path'"),
        (
            "sites: [{name: a, directories: [{type: localStorage, path: /x, fileServers: [{url: u}]}]}]",
            "1:78: a file server has no 'operation'",
        ),
        ("sites: [{arch: a}]", "1:9: a site has no 'name'"),
        ("pegasus: 5.0", "1:1: a site catalog needs the key 'sites'"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'sites.yml'}:{message}")
