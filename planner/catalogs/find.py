"""Which catalogs a workflow has, and what they say together.

In order: `pegasus.properties` next to the workflow (or the file that is given); for each kind of catalog the file that
`pegasus.catalog.KIND.file` names, else the usual file next to the workflow, if there is one; over these the inline
catalogs, entry by entry. A site `local` is always there.

Paths in properties are relative to the folder of the properties file, pfns to the folder of their catalog.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from planner.catalogs.model import Catalogs, Site
from planner.catalogs.properties import Properties, read_properties
from planner.catalogs.read import KINDS, CatalogKind, joined, read_catalog_file
from planner.catalogs.replicas import refuse_contradiction
from planner.errors import FileError
from planner.workflow import Place, Workflow

PROPERTIES_FILE = "pegasus.properties"
LOCAL = "local"


def find_catalogs(
    workflow: Workflow, *, properties_file: Path | None = None, environment: Mapping[str, str] | None = None
) -> Catalogs:
    """Everything that the catalogs and properties of ``workflow`` say, inline catalogs included.

    ``environment`` (default: that of this process) is what `${VAR}` means. Raises PlannerError for files that are named
    but missing, FileError for what is wrong in them and for two catalogs that declare different contents of one lfn.
    """
    environment = os.environ if environment is None else environment
    folder = (workflow.path.parent if workflow.path else Path()).absolute()
    properties = _properties(folder, properties_file, environment)
    found = Catalogs()
    for kind in KINDS:
        inline = workflow.catalogs.get(kind.key, Catalogs())
        assert isinstance(inline, Catalogs)
        path = _catalog_file(kind, folder, properties)
        from_file = read_catalog_file(kind, path, environment) if path is not None else Catalogs()
        for lfn in inline.replicas.keys() & from_file.replicas.keys():
            refuse_contradiction(from_file.replicas[lfn], inline.replicas[lfn])
        found = joined(found, joined(inline, from_file))
    sites = {LOCAL: Site(LOCAL, Place(None, 1, 1)), **found.sites}
    warnings = (*properties.warnings, *found.warnings)
    return replace(found, sites=sites, properties=properties.values, warnings=warnings)


def _properties(folder: Path, given: Path | None, environment: Mapping[str, str]) -> Properties:
    if given is not None:
        return read_properties(given, environment)
    usual = folder / PROPERTIES_FILE
    return read_properties(usual, environment) if usual.exists() else Properties()


def _catalog_file(kind: CatalogKind, folder: Path, properties: Properties) -> Path | None:
    """The file of a catalog; None: there is none."""
    form = properties.values.get(kind.property)
    if form is not None and form.upper() != "YAML":
        message = f"expected YAML for {kind.property}, found {form!r}"
        raise FileError(properties.places[kind.property], message, hint="only catalogs in YAML can be read")
    name = properties.values.get(f"{kind.property}.file")
    if name is not None:
        place = properties.places[f"{kind.property}.file"]
        path = (place.file.parent if place.file else folder) / name
        if not path.exists():
            raise FileError(place, f"{kind.property}.file names no file: {path}")
        return path
    usual = folder / kind.file_name
    return usual if usual.exists() else None
