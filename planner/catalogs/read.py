"""Catalogs from YAML, files of their own or parts of a workflow: which keys each has, and who reads what is below.

A catalog knows nothing of the others; `find.py` says which are taken and puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from planner.catalogs.expansion import expander
from planner.catalogs.model import Catalogs
from planner.catalogs.replicas import read_replicas
from planner.catalogs.sites import read_sites
from planner.catalogs.transformations import read_containers, read_transformations
from planner.errors import FileError, PlannerError
from planner.regular_files import read_regular
from planner.workflow import Place
from planner.yaml_events import Document
from planner.yaml_nodes import MapNode, Scalar
from planner.yaml_values import AnyNode, Reading, suggestion

_Reader = Callable[[Reading, AnyNode], Catalogs]


@dataclass(frozen=True, slots=True)
class CatalogKind:
    """A kind of catalog: its key in a workflow, the property that names its file, the usual file, its keys.

    The first of ``readers`` is the key that must be there.
    """

    key: str
    called: str
    property: str
    file_name: str
    readers: Mapping[str, _Reader]


KINDS: tuple[CatalogKind, ...] = (
    CatalogKind(
        "replicaCatalog",
        "a replica catalog",
        "pegasus.catalog.replica",
        "replicas.yml",
        {"replicas": read_replicas},
    ),
    CatalogKind(
        "transformationCatalog",
        "a transformation catalog",
        "pegasus.catalog.transformation",
        "transformations.yml",
        {"transformations": read_transformations, "containers": read_containers},
    ),
    CatalogKind(
        "siteCatalog",
        "a site catalog",
        "pegasus.catalog.site",
        "sites.yml",
        {"sites": read_sites},
    ),
)


def read_catalog_file(kind: CatalogKind, path: Path, environment: Mapping[str, str]) -> Catalogs:
    """The catalog in the file at ``path``. PlannerError: it cannot be opened; FileError: something in it is wrong."""
    try:
        data = read_regular(path)
    except OSError as error:
        raise PlannerError(f"cannot read {kind.called}, {path}: {error.strerror}") from error
    reading = Reading(path, expander(environment))
    document = Document(data, path)
    return _read(reading, kind, document.entries(frozenset(kind.readers)), Place(path, 1, 1))


def read_inline_catalog(
    kind: CatalogKind, path: Path | None, node: MapNode, environment: Mapping[str, str]
) -> Catalogs:
    """The catalog that stands in the workflow file at ``path``; it needs no `pegasus` key. Raises FileError."""
    reading = Reading(path, expander(environment))
    return _read(reading, kind, reading.entries(node, kind.key), reading.place(node.start_mark))


def _read(reading: Reading, kind: CatalogKind, entries: Iterable[tuple[Scalar, AnyNode]], place: Place) -> Catalogs:
    found = Catalogs()
    seen: set[str] = set()
    for key, value in entries:
        name: str = key.value
        seen.add(name)
        if name in kind.readers:
            found = joined(found, kind.readers[name](reading, value))
        elif name == "pegasus":
            reading.format_version(value)
        elif not name.startswith("x-"):
            known = {"pegasus", *kind.readers}
            hint = suggestion(name, known) or "known keys: " + ", ".join(sorted(known))
            raise reading.error(key, f"unknown key {name!r} of {kind.called}", hint=hint)
    required = next(iter(kind.readers))
    if required not in seen:
        raise FileError(place, f"{kind.called} needs the key {required!r}", hint=f"add {required}: []")
    return replace(found, warnings=reading.warnings())


def joined(first: Catalogs, second: Catalogs) -> Catalogs:
    """Both at once; what both name is taken from ``first``."""
    return Catalogs(
        replicas={**second.replicas, **first.replicas},
        replica_patterns=first.replica_patterns + second.replica_patterns,
        transformations={**second.transformations, **first.transformations},
        containers={**second.containers, **first.containers},
        sites={**second.sites, **first.sites},
        properties={**second.properties, **first.properties},
        warnings=first.warnings + second.warnings,
    )
