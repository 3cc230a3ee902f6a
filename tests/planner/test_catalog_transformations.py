"""Transformation catalogs and containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.catalogs.model import Catalogs, ContainerEntry, Transformation, TransformationSite
from planner.catalogs.read import KINDS, read_catalog_file
from planner.errors import FileError
from planner.workflow import Place
from provenance.metadata import Written

(TRANSFORMATIONS,) = (kind for kind in KINDS if kind.key == "transformationCatalog")


def read(tmp_path: Path, text: str) -> Catalogs:
    path = tmp_path / "transformations.yml"
    path.write_text(text, encoding="utf-8")
    return read_catalog_file(TRANSFORMATIONS, path, {"HERE": "/here"})


def test_everything_that_a_catalog_can_say(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""\
pegasus: 5.0
transformations:
- namespace: ns
  name: prep
  version: 1.10
  requires: [helper, "ns::other:2"]
  checksum: {{sha256: {"0" * 64}}}
  metadata: {{app: v1}}
  profiles: {{env: {{A: b}}}}
  hooks: {{shell: [{{_on: end, cmd: date}}]}}
  sites:
  - name: condorpool
    pfn: ${{HERE}}/prep
    type: stageable
    bypass: true
    arch: x86_64
    os.type: linux
    os.release: rhel
    os.version: 7
    container: c1
    metadata: {{m: 1}}
    profiles: {{env: {{A: c}}, pegasus: {{memory: 2048}}}}
  - {{name: local, pfn: bin/prep}}
- name: helper
containers:
- name: c1
  type: singularity
  image: library://x
  image.site: local
  bypass: false
  mounts: ["/a:/b"]
  checksum: {{sha256: {"1" * 64}}}
  metadata: {{m: 1}}
  profiles: {{env: {{B: c}}}}
""",
    )
    path = tmp_path / "transformations.yml"
    far = TransformationSite(
        name="condorpool",
        pfn="/here/prep",
        type="stageable",
        place=Place(path, 12, 5),
        bypass=True,
        container="c1",
        metadata={"m": Written("1", "number")},
        profiles={"env": {"A": "c"}, "pegasus": {"memory": "2048"}},
    )
    near = TransformationSite("local", "bin/prep", "installed", Place(path, 23, 5))
    prep = Transformation(
        name="prep",
        place=Place(path, 3, 3),
        namespace="ns",
        version="1.10",
        sites=(far, near),
        requires=("helper", "ns::other:2"),
        sha256="0" * 64,
        metadata={"app": Written("v1", "text")},
        profiles={"env": {"A": "b"}},
    )
    helper = Transformation("helper", Place(path, 24, 3))
    assert found.transformations == {("ns", "prep", "1.10"): prep, (None, "helper", None): helper}
    assert found.containers == {
        "c1": ContainerEntry("c1", "singularity", "library://x", Place(path, 26, 3), "1" * 64, {"env": {"B": "c"}})
    }
    assert [warning.split(": ", 1)[1].removesuffix(" has no effect yet") for warning in found.warnings] == [
        "'requires' of a transformation",
        "'hooks' of a transformation",
        "'bypass' of a site of a transformation",
        "'arch' of a site of a transformation",
        "'os.type' of a site of a transformation",
        "'os.release' of a site of a transformation",
        "'os.version' of a site of a transformation",
        "'containers' of a transformation catalog",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("transformations:\n- {name: t}\n- {name: t}", "3:3: transformation 't' is given twice; first at"),
        ("transformations: []\ncontainers:\n- {name: c, type: oci, image: x}", "3:19: expected one of docker"),
        (
            "transformations: []\ncontainers:\n" + "- {name: c, type: docker, image: x}\n" * 2,
            "4:3: container 'c' is given twice; first at",
        ),
        ("transformations:\n- {name: t, sites: [{name: local}]}", "2:21: a site of a transformation has no 'pfn'"),
        ("transformations:\n- {name: t, sites: [{name: l, pfn: p, arc: x}]}", "2:39: unknown key 'arc'"),
        ("transformations:\n- {name: t, requires: helper}", "2:23: expected a list for requires, found 'helper'"),
        ("transformations:\n- {namespace: t}", "2:3: a transformation has no 'name'"),
        ("transformations:\n- prep", "2:3: expected a mapping for an entry of transformations, found 'prep'"),
        ("containers: []", "1:1: a transformation catalog needs the key 'transformations'"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'transformations.yml'}:{message}")


def test_the_same_name_in_another_namespace_or_version_is_another_transformation(tmp_path: Path) -> None:
    found = read(
        tmp_path, "transformations: [{name: t}, {name: t, version: 1}, {name: t, version: '1.0', namespace: n}]"
    )
    assert list(found.transformations) == [(None, "t", None), (None, "t", "1"), ("n", "t", "1.0")]
