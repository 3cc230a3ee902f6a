"""A workflow as its file says it, before anything is resolved: plain values that remember where they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from provenance.metadata import Written

Metadata = Mapping[str, Written | tuple[Written, ...]]
Profiles = Mapping[str, Mapping[str, str]]
"""Namespace (env, condor, dagman, pegasus, pirene, ...) -> key -> value as text."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: file, line and column, both from 1."""

    file: Path | None
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file or '<workflow>'}:{self.line}:{self.column}"


class Role(Enum):
    """How a job uses a file; the value is the word of the format."""

    INPUT = "input"
    OUTPUT = "output"
    INOUT = "inout"
    CHECKPOINT = "checkpoint"
    NONE = "none"


class UseKind(Enum):
    """What a `uses` entry names: one file, the files of a selection, or the outputs of the jobs made by a foreach."""

    LFN = "lfn"
    SELECT = "select"
    OUTPUTS_OF = "outputs-of"


@dataclass(frozen=True, slots=True)
class Use:
    """One entry of `uses`. ``name`` is the lfn, the selection or the id of the foreach job, by ``kind``."""

    kind: UseKind
    name: str
    role: Role
    place: Place
    stage_out: bool = True
    register_replica: bool = True
    optional: bool = False
    bypass: bool = False
    for_planning: bool = False
    executable: bool = False
    size_bytes: int | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One job. ``name`` is that of its transformation (for a sub-workflow None, and ``file`` is its lfn)."""

    id: str
    type: str
    name: str | None
    place: Place
    namespace: str | None = None
    version: str | None = None
    file: str | None = None
    arguments: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    node_label: str | None = None
    foreach: str | None = None
    metadata: Metadata = field(default_factory=dict)
    profiles: Profiles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """A query that chooses inputs. ``expect_max`` None: as many as there are."""

    name: str
    query: str
    place: Place
    query_place: Place
    params: Mapping[str, object] = field(default_factory=dict)
    expect_min: int = 1
    expect_max: int | None = None


@dataclass(frozen=True, slots=True)
class ReusePolicy:
    """What past work may be reused: ``query`` None means everything in the store; ``trust`` lists the grounds that
    are enough.
    """

    enabled: bool = True
    query: str | None = None
    trust: tuple[str, ...] = ("proven", "observed", "asserted")
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """`jobDependencies`: a parent and one child, by id."""

    parent: str
    child: str
    place: Place


@dataclass(frozen=True, slots=True)
class Workflow:
    """A whole workflow file. ``catalogs`` are its inline catalogs (parsed like files of their own), by name of the
    key.
    """

    name: str
    format_version: str
    jobs: tuple[Job, ...]
    path: Path | None = None
    sha256: bytes = b""
    dependencies: tuple[Dependency, ...] = ()
    selections: Mapping[str, Selection] = field(default_factory=dict)
    reuse: ReusePolicy = ReusePolicy()
    metadata: Metadata = field(default_factory=dict)
    profiles: Profiles = field(default_factory=dict)
    catalogs: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
