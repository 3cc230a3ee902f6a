"""A workflow file in the Pegasus 5.0 format, with our `selections`, `foreach` and `reuse`, -> `Workflow`.

The upper half of the trust boundary for user files: after it every value has its type, every name that one part of
the file uses of another exists, every key is known. What it does not judge: who writes which file and cycles
(`passes/build_graph.py` does, once foreach jobs are expanded), whether queries mean anything
(`passes/select_inputs.py`).

Nothing is expanded in a workflow, so that arguments arrive exactly as written; inline catalogs are catalogs, and are.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from planner.catalogs.read import KINDS, read_inline_catalog
from planner.errors import FileError, PlannerError
from planner.job_file import read_job
from planner.profiles import read_profiles
from planner.regular_files import read_regular
from planner.workflow import (
    Dependency,
    Job,
    Metadata,
    Place,
    Profiles,
    ReusePolicy,
    Selection,
    Use,
    UseKind,
    Workflow,
)
from planner.yaml_events import Document
from planner.yaml_nodes import ItemStream, MapNode, Node, Scalar, is_plain
from planner.yaml_values import FALSE, TRUE, AnyNode, Reading, suggestion
from provenance.metadata import forms, from_yaml
from query import literals

_CATALOGS = {kind.key: kind for kind in KINDS}
_KEYS = frozenset(
    {"pegasus", "name", "jobs", "metadata", "hooks", "profiles", "jobDependencies", "selections", "reuse", *_CATALOGS}
)
_REQUIRED = ("pegasus", "name", "jobs")
_SELECTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_TRUST = ("proven", "observed", "asserted")


@dataclass(slots=True)
class _Parts:
    """What has been read so far, and where the names stand that other parts refer to."""

    name: str = ""
    format_version: str = ""
    jobs: list[Job] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    dependencies: list[Dependency] = field(default_factory=list)
    named_in_dependencies: dict[str, Place] = field(default_factory=dict)
    selections: Mapping[str, Selection] = field(default_factory=dict)
    reuse: ReusePolicy = field(default_factory=ReusePolicy)
    metadata: Metadata = field(default_factory=dict)
    profiles: Profiles = field(default_factory=dict)
    catalogs: dict[str, object] = field(default_factory=dict)


def read_workflow(path: Path, *, environment: Mapping[str, str] | None = None) -> Workflow:
    """Read the workflow file at ``path``.

    ``environment`` (default: that of this process) is what `${VAR}` in inline catalogs means. Raises PlannerError if
    the file cannot be read from disk, FileError, with file, line and column, for whatever is wrong in it.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise PlannerError(f"cannot read the workflow {path}: {error.strerror}") from error
    return parse_workflow(data, path, environment=environment)


def parse_workflow(data: bytes, path: Path | None = None, *, environment: Mapping[str, str] | None = None) -> Workflow:
    """Read a workflow from its bytes; ``path`` is for messages and for what is relative to the file."""
    document = Document(data, path)
    reading = Reading(path)
    parts = _Parts()
    seen: set[str] = set()
    for key, value in document.entries(streamed=frozenset({"jobs"})):
        seen.add(key.value)
        _read_entry(reading, parts, key, value, os.environ if environment is None else environment)
    for required in _REQUIRED:
        if required not in seen:
            raise FileError(Place(path, 1, 1), f"a workflow needs the key {required!r}", hint=f"add {required}: ...")
    _check_references(parts)
    return Workflow(
        name=parts.name,
        format_version=parts.format_version,
        jobs=tuple(parts.jobs),
        path=path,
        sha256=hashlib.sha256(data).digest(),
        dependencies=tuple(parts.dependencies),
        selections=parts.selections,
        reuse=parts.reuse,
        metadata=parts.metadata,
        profiles=parts.profiles,
        catalogs=parts.catalogs,
        warnings=reading.warnings(),
    )


def _read_entry(reading: Reading, parts: _Parts, key: Scalar, value: AnyNode, environment: Mapping[str, str]) -> None:
    """One key of the top level."""
    name: str = key.value
    if name == "jobs":
        _read_jobs(reading, parts, value)
        return
    assert not isinstance(value, ItemStream)
    match name:
        case "pegasus":
            parts.format_version = reading.format_version(value)
        case "name":
            parts.name = _workflow_name(reading, value)
        case "metadata":
            parts.metadata = reading.metadata(value)
        case "profiles":
            parts.profiles = read_profiles(reading, value)
        case "jobDependencies":
            _read_dependencies(reading, parts, value)
        case "selections":
            parts.selections = _selections(reading, value)
        case "reuse":
            parts.reuse = _reuse_policy(reading, value)
        case "hooks":
            reading.no_effect("'hooks' of the workflow", key)
        case _ if name in _CATALOGS:
            catalog = reading.mapping(value, name)
            parts.catalogs[name] = read_inline_catalog(_CATALOGS[name], reading.path, catalog, environment)
        case _ if not name.startswith("x-"):
            raise reading.error(key, f"unknown key {name!r} of a workflow", hint=_unknown_key_hint(name))


def _unknown_key_hint(name: str) -> str:
    for kind in KINDS:
        if name in kind.readers:
            return f"this is a key of {kind.called}; is this file one?"
    return suggestion(name, _KEYS) or "known keys: " + ", ".join(sorted(_KEYS))


def _workflow_name(reading: Reading, node: Node) -> str:
    name = reading.name(node, "name")
    if "/" in name or name in (".", ".."):
        raise reading.expected("text without a slash (run folders are named after it)", "name", node)
    return name


def _read_jobs(reading: Reading, parts: _Parts, node: AnyNode) -> None:
    for item in reading.items(node, "jobs"):
        job = read_job(reading, item)
        first = parts.places.setdefault(job.id, job.place)
        if first is not job.place:
            raise FileError(
                job.place,
                f"two jobs have the id {job.id!r}; the first is at {first}",
                hint="every job needs an id of its own",
            )
        parts.jobs.append(job)


def _read_dependencies(reading: Reading, parts: _Parts, node: Node) -> None:
    for item in reading.items(node, "jobDependencies"):
        entry = reading.mapping(item, "an entry of jobDependencies")
        reading.known_keys(entry, frozenset({"id", "children"}), "a dependency", frozenset())
        parent_node = reading.required(entry, "id", "a dependency")
        parent = reading.name(parent_node, "id")
        parts.named_in_dependencies.setdefault(parent, reading.place(parent_node.start_mark))
        for child_node in reading.items(reading.required(entry, "children", "a dependency"), "children"):
            place = reading.place(child_node.start_mark)
            child = reading.name(child_node, "a child")
            parts.named_in_dependencies.setdefault(child, place)
            parts.dependencies.append(Dependency(parent, child, place))


# -- selections


def _selections(reading: Reading, node: Node) -> Mapping[str, Selection]:
    found = {}
    for key, value in reading.entries(node, "selections"):
        if not _SELECTION_NAME.fullmatch(key.value):
            raise reading.error(
                key, f"{key.value!r} cannot be the name of a selection", hint="letters, digits, _ and - are possible"
            )
        found[str(key.value)] = _selection(reading, key, reading.mapping(value, f"selection {key.value!r}"))
    return found


def _selection(reading: Reading, key: Scalar, entry: MapNode) -> Selection:
    of = f"selection {key.value!r}"
    reading.known_keys(entry, frozenset({"query", "params", "expect"}), of, frozenset())
    query = reading.required(entry, "query", of)
    minimum, maximum = _expected_files(reading, entry.values.get("expect"))
    return Selection(
        name=key.value,
        query=reading.name(query, "query"),
        place=reading.place(key.start_mark),
        query_place=reading.place(query.start_mark),
        params=_parameters(reading, entry.values.get("params")),
        expect_min=minimum,
        expect_max=maximum,
    )


def _expected_files(reading: Reading, node: Node | None) -> tuple[int, int | None]:
    """`expect`: at least and at most how many files; without it at least one."""
    if node is None:
        return 1, None
    entry = reading.mapping(node, "expect")
    reading.known_keys(entry, frozenset({"min", "max", "exactly"}), "expect", frozenset())
    counts = {key: reading.count(value, key) for key, value in entry.values.items() if not key.startswith("x-")}
    if "exactly" in counts:
        if len(counts) > 1:
            raise reading.error(entry, "expected either exactly or min and max in expect, found both")
        return counts["exactly"], counts["exactly"]
    minimum, maximum = counts.get("min", 1), counts.get("max")
    if maximum is not None and minimum > maximum:
        raise reading.error(entry, f"no number of files is at least {minimum} and at most {maximum}")
    return minimum, maximum


def _parameters(reading: Reading, node: Node | None) -> Mapping[str, object]:
    """`params`, in the form that a query takes them: texts that it reads like literals, numbers, lists of these."""
    if node is None:
        return {}
    return {key.value: _parameter(reading, key, value) for key, value in reading.entries(node, "params")}


def _parameter(reading: Reading, key: Scalar, node: Node) -> object:
    """A plain value is what its text means as a literal of the query language; a quoted one is text, come what may."""
    if isinstance(node, MapNode):
        raise reading.expected("a value or a list of values", f"parameter {key.value!r}", node)
    if not isinstance(node, Scalar):
        return [_parameter(reading, key, item) for item in node.items]
    text = reading.text(node, f"parameter {key.value!r}")
    if not is_plain(node):
        return text if literals.read(text) == literals.TextValue(text) else literals.quote(text)
    if isinstance(literals.read(text), literals.TextValue):  # numbers that only YAML knows: 0x1F, .5
        found = forms(from_yaml(text, plain=True))
        return next((form for form in (found.integer, found.float) if form is not None), text)
    return text


# -- reuse


def _reuse_policy(reading: Reading, node: Node) -> ReusePolicy:
    """`reuse`: a query, or {query, trust}, or true or false."""
    place = reading.place(node.start_mark)
    if isinstance(node, Scalar):
        if is_plain(node) and node.value in TRUE | FALSE:
            return ReusePolicy(enabled=node.value in TRUE, place=place)
        return ReusePolicy(query=reading.name(node, "reuse"), place=place)
    entry = reading.mapping(node, "reuse")
    reading.known_keys(entry, frozenset({"query", "trust"}), "reuse", frozenset())
    trust: tuple[str, ...] = _TRUST
    if "trust" in entry.values:
        trust = tuple(reading.choice(item, "trust", _TRUST) for item in reading.items(entry.values["trust"], "trust"))
    query = entry.values.get("query")
    if query is not None:
        place = reading.place(query.start_mark)
    return ReusePolicy(query=reading.optional_name(entry, "query"), trust=trust, place=place)


# -- what one part says of another


def _check_references(parts: _Parts) -> None:
    """Every id and every selection that is named exists."""
    for name, place in parts.named_in_dependencies.items():
        if name not in parts.places:
            raise _unknown(place, "job", name, parts.places)
    for job in parts.jobs:
        if job.foreach is not None and job.foreach not in parts.selections:
            raise _unknown(job.place, "selection", job.foreach, parts.selections)
        for use in job.uses:
            if use.kind is not UseKind.LFN:
                _check_use(use, parts)


def _check_use(use: Use, parts: _Parts) -> None:
    if use.kind is UseKind.SELECT:
        if use.name not in parts.selections:
            raise _unknown(use.place, "selection", use.name, parts.selections)
    elif use.name not in parts.places:
        raise _unknown(use.place, "job", use.name, parts.places)


def _unknown(place: Place, kind: str, name: str, known: Iterable[str]) -> FileError:
    hint = suggestion(name, known) or f"the file has no {kind} of that name"
    return FileError(place, f"there is no {kind} {name!r}", hint=hint)
