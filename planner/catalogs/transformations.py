"""The transformation catalog: executables by their logical names, and container images."""

from __future__ import annotations

from collections.abc import Mapping

from planner.catalogs.model import Catalogs, ContainerEntry, Transformation, TransformationSite
from planner.errors import FileError
from planner.profiles import read_profiles
from planner.workflow import Profiles
from planner.yaml_nodes import MapNode, Node
from planner.yaml_values import AnyNode, Reading

CONTAINER_TYPES = ("docker", "singularity", "shifter")
SITE_TYPES = ("installed", "stageable")

_KEYS = frozenset({"namespace", "name", "version", "requires", "metadata", "profiles", "hooks", "checksum", "sites"})
_WITHOUT_EFFECT = frozenset({"requires", "hooks"})
_PLATFORM_KEYS = frozenset({"arch", "os.type", "os.release", "os.version", "os.glibc"})
_SITE_KEYS = frozenset({"name", "pfn", "type", "bypass", "container", "metadata", "profiles"}) | _PLATFORM_KEYS
_CONTAINER_KEYS = frozenset(
    {"name", "type", "image", "image.site", "bypass", "checksum", "mounts", "metadata", "profiles"}
)


def read_transformations(reading: Reading, node: AnyNode) -> Catalogs:
    """The list `transformations`. Raises FileError, also for a name that is given twice."""
    found: dict[tuple[str | None, str, str | None], Transformation] = {}
    for item in reading.items(node, "transformations"):
        entry = _transformation(reading, item)
        first = found.setdefault(entry.key, entry)
        if first is not entry:
            raise FileError(
                entry.place, f"transformation {entry.name!r} is given twice; first at {first.place}", hint="keep one"
            )
    return Catalogs(transformations=found)


def read_containers(reading: Reading, node: AnyNode) -> Catalogs:
    """The list `containers`. Raises FileError, also for a name that is given twice."""
    found: dict[str, ContainerEntry] = {}
    for item in reading.items(node, "containers"):
        entry = _container(reading, item)
        first = found.setdefault(entry.name, entry)
        if first is not entry:
            raise FileError(
                entry.place, f"container {entry.name!r} is given twice; first at {first.place}", hint="keep one"
            )
    return Catalogs(containers=found)


def _transformation(reading: Reading, node: Node) -> Transformation:
    entry = reading.mapping(node, "an entry of transformations")
    reading.known_keys(entry, _KEYS, "a transformation", _WITHOUT_EFFECT)
    values = entry.values
    return Transformation(
        name=reading.name(reading.required(entry, "name", "a transformation"), "name"),
        place=reading.place(entry.start_mark),
        namespace=reading.optional_name(entry, "namespace"),
        version=reading.optional_name(entry, "version"),
        sites=_sites(reading, values["sites"]) if "sites" in values else (),
        requires=_requires(reading, values["requires"]) if "requires" in values else (),
        sha256=reading.checksum(values["checksum"]) if "checksum" in values else None,
        metadata=reading.optional_metadata(entry),
        profiles=_profiles(reading, values),
    )


def _sites(reading: Reading, node: Node) -> tuple[TransformationSite, ...]:
    return tuple(_site(reading, item) for item in reading.items(node, "sites"))


def _requires(reading: Reading, node: Node) -> tuple[str, ...]:
    return tuple(reading.name(item, "an entry of requires") for item in reading.items(node, "requires"))


def _site(reading: Reading, node: Node) -> TransformationSite:
    of = "a site of a transformation"
    entry = reading.mapping(node, of)
    reading.known_keys(entry, _SITE_KEYS, of, _PLATFORM_KEYS | {"bypass"})
    values = entry.values
    return TransformationSite(
        name=reading.name(reading.required(entry, "name", of), "name"),
        pfn=reading.name(reading.required(entry, "pfn", of), "pfn"),
        type=reading.choice(values["type"], "type", SITE_TYPES) if "type" in values else "installed",
        place=reading.place(entry.start_mark),
        bypass=reading.flag(entry, "bypass", False),
        container=reading.optional_name(entry, "container"),
        metadata=reading.optional_metadata(entry),
        profiles=_profiles(reading, values),
    )


def _container(reading: Reading, node: Node) -> ContainerEntry:
    entry = reading.mapping(node, "an entry of containers")
    reading.known_keys(entry, _CONTAINER_KEYS, "a container", frozenset())
    reading.no_effect("'containers' of a transformation catalog", entry)
    _check_rest(reading, entry)
    values = entry.values
    return ContainerEntry(
        name=reading.name(reading.required(entry, "name", "a container"), "name"),
        type=reading.choice(reading.required(entry, "type", "a container"), "type", CONTAINER_TYPES),
        image=reading.name(reading.required(entry, "image", "a container"), "image"),
        place=reading.place(entry.start_mark),
        sha256=reading.checksum(values["checksum"]) if "checksum" in values else None,
        profiles=_profiles(reading, values),
    )


def _check_rest(reading: Reading, entry: MapNode) -> None:
    """The keys that the model does not keep are still of the right type."""
    reading.optional_name(entry, "image.site")
    reading.flag(entry, "bypass", False)
    reading.optional_metadata(entry)
    if "mounts" in entry.values:
        for item in reading.items(entry.values["mounts"], "mounts"):
            reading.name(item, "an entry of mounts")


def _profiles(reading: Reading, values: Mapping[str, Node]) -> Profiles:
    return read_profiles(reading, values["profiles"]) if "profiles" in values else {}
