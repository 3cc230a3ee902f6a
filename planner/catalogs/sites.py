"""The site catalog: where jobs can run and where files can be kept."""

from __future__ import annotations

from planner.catalogs.model import Catalogs, Directory, Site
from planner.errors import FileError
from planner.profiles import read_profiles
from planner.yaml_nodes import MapNode, Node
from planner.yaml_values import AnyNode, Reading

DIRECTORY_TYPES = ("localStorage", "localScratch", "sharedStorage", "sharedScratch")
STORAGE = frozenset({"localStorage", "sharedStorage"})
"""Where outputs go. Jobs run in folders of the run, never in a scratch directory of a site."""

OPERATIONS = ("all", "get", "put")

_SITE_KEYS = frozenset(
    {"name", "arch", "os.type", "os.release", "os.version", "os.glibc", "directories", "grids", "profiles"}
)
_SITE_KEYS_WITHOUT_EFFECT = _SITE_KEYS - {"name", "directories", "profiles"}
_DIRECTORY_KEYS = frozenset({"type", "path", "freeSize", "totalSize", "sharedFileSystem", "fileServers"})
_DIRECTORY_KEYS_WITHOUT_EFFECT = frozenset({"freeSize", "totalSize", "sharedFileSystem", "fileServers"})
_SERVER_KEYS = frozenset({"operation", "url", "profiles"})


def read_sites(reading: Reading, node: AnyNode) -> Catalogs:
    """The list `sites`. Raises FileError, also for a name that is given twice."""
    found: dict[str, Site] = {}
    for item in reading.items(node, "sites"):
        site = _site(reading, item)
        first = found.setdefault(site.name, site)
        if first is not site:
            raise FileError(site.place, f"site {site.name!r} is given twice; first at {first.place}", hint="keep one")
    return Catalogs(sites=found)


def _site(reading: Reading, node: Node) -> Site:
    entry = reading.mapping(node, "an entry of sites")
    reading.known_keys(entry, _SITE_KEYS, "a site", _SITE_KEYS_WITHOUT_EFFECT)
    values = entry.values
    directories = reading.items(values["directories"], "directories") if "directories" in values else ()
    return Site(
        name=reading.name(reading.required(entry, "name", "a site"), "name"),
        place=reading.place(entry.start_mark),
        directories=tuple(_directory(reading, item) for item in directories),
        profiles=read_profiles(reading, values["profiles"]) if "profiles" in values else {},
    )


def _directory(reading: Reading, node: Node) -> Directory:
    entry = reading.mapping(node, "an entry of directories")
    reading.known_keys(entry, _DIRECTORY_KEYS, "a directory", _DIRECTORY_KEYS_WITHOUT_EFFECT)
    kind = reading.choice(reading.required(entry, "type", "a directory"), "type", DIRECTORY_TYPES)
    if kind not in STORAGE:
        reading.no_effect(f"a directory of type {kind}", entry)
    return Directory(
        type=kind,
        path=reading.name(reading.required(entry, "path", "a directory"), "path"),
        put_url=_put_url(reading, entry),
    )


def _put_url(reading: Reading, entry: MapNode) -> str | None:
    """The first file server that files can be put to."""
    put_url = None
    if "fileServers" in entry.values:
        for item in reading.items(entry.values["fileServers"], "fileServers"):
            server = reading.mapping(item, "an entry of fileServers")
            reading.known_keys(server, _SERVER_KEYS, "a file server", frozenset({"profiles"}))
            url = reading.name(reading.required(server, "url", "a file server"), "url")
            operation = reading.required(server, "operation", "a file server")
            if reading.choice(operation, "operation", OPERATIONS) in ("all", "put"):
                put_url = put_url or url
    return put_url
