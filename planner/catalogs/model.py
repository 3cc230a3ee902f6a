"""What the Pegasus catalogs say, as plain values: replicas, transformations, containers, sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.workflow import Metadata, Place, Profiles


@dataclass(frozen=True, slots=True)
class ReplicaEntry:
    """A logical name (or, with ``regex``, a pattern whose pfns may hold [0], [1], ...) and where its copies are.

    ``pfns`` are (site, pfn); a pfn is a URL or a path. ``sha256`` is lower-case hex.
    """

    lfn: str
    pfns: tuple[tuple[str, str], ...]
    place: Place
    sha256: str | None = None
    metadata: Metadata = field(default_factory=dict)
    regex: bool = False


@dataclass(frozen=True, slots=True)
class TransformationSite:
    """Where an executable is at one site. ``type``: installed | stageable."""

    name: str
    pfn: str
    type: str
    place: Place
    bypass: bool = False
    container: str | None = None
    metadata: Metadata = field(default_factory=dict)
    profiles: Profiles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transformation:
    """An executable under its logical name. ``requires``: namespace::name:version texts; ``sha256``: lower-case hex."""

    name: str
    place: Place
    namespace: str | None = None
    version: str | None = None
    sites: tuple[TransformationSite, ...] = ()
    requires: tuple[str, ...] = ()
    sha256: str | None = None
    metadata: Metadata = field(default_factory=dict)
    profiles: Profiles = field(default_factory=dict)

    @property
    def key(self) -> tuple[str | None, str, str | None]:
        """What jobs refer to it by."""
        return (self.namespace, self.name, self.version)


@dataclass(frozen=True, slots=True)
class ContainerEntry:
    """A container image of the transformation catalog."""

    name: str
    type: str
    image: str
    place: Place
    sha256: str | None = None
    profiles: Profiles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder of a site: ``type`` localStorage | localScratch | sharedStorage | sharedScratch."""

    type: str
    path: str
    put_url: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A site; ``profiles`` apply to all jobs that run there."""

    name: str
    place: Place
    directories: tuple[Directory, ...] = ()
    profiles: Profiles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogs:
    """All that catalogs and properties say for one workflow. ``properties`` are the key = value lines, expanded."""

    replicas: Mapping[str, ReplicaEntry] = field(default_factory=dict)
    replica_patterns: tuple[ReplicaEntry, ...] = ()
    transformations: Mapping[tuple[str | None, str, str | None], Transformation] = field(default_factory=dict)
    containers: Mapping[str, ContainerEntry] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
