"""Jobs of a workflow file: one entry of `jobs` -> `Job`, one entry of `uses` -> `Use`.

Refused here, because no later step could: names that lead out of a job's folder, a file that one job lists twice,
arguments that no process can be given.
"""

from __future__ import annotations

from collections.abc import Mapping

from planner.errors import FileError
from planner.profiles import read_profiles
from planner.workflow import Job, Metadata, Role, Use, UseKind
from planner.yaml_nodes import MapNode, Node, Scalar
from planner.yaml_values import Reading

JOB_TYPES = ("job", "pegasusWorkflow", "condorWorkflow")
_ROLES: Mapping[str, Role] = {role.value: role for role in Role}

_JOB_KEYS = frozenset(
    {
        "type",
        "id",
        "name",
        "namespace",
        "version",
        "file",
        "arguments",
        "uses",
        "stdin",
        "stdout",
        "stderr",
        "nodeLabel",
    }
    | {"metadata", "profiles", "hooks", "foreach"}
)
_JOB_KEYS_WITHOUT_EFFECT = frozenset({"hooks", "nodeLabel"})
_USE_KEYS = frozenset(
    {"lfn", "select", "outputs-of", "type", "stageOut", "registerReplica", "optional", "bypass", "forPlanning", "size"}
    | {"metadata", "namespace", "version", "executable"}
)
_USE_KEYS_WITHOUT_EFFECT = frozenset({"bypass", "forPlanning", "namespace", "version", "executable"})
_USE_KINDS = tuple(UseKind)
_FLAGS_IN_METADATA = ("stageOut", "registerReplica")
"""Some workflows say these among a file's metadata; there they are settings, not metadata."""


def read_job(reading: Reading, node: Node) -> Job:
    """One entry of `jobs`. Raises FileError."""
    entry = reading.mapping(node, "an entry of jobs")
    reading.known_keys(entry, _JOB_KEYS, "a job", _JOB_KEYS_WITHOUT_EFFECT)
    values = entry.values
    kind = reading.choice(values["type"], "type", JOB_TYPES) if "type" in values else "job"
    _check_target(reading, entry, kind)
    stdin, stdout, stderr = (_stream(reading, entry, key) for key in ("stdin", "stdout", "stderr"))
    uses = tuple(_read_use(reading, item) for item in reading.items(reading.required(entry, "uses", "a job"), "uses"))
    streams = {"stdin": (stdin, Role.INPUT), "stdout": (stdout, Role.OUTPUT), "stderr": (stderr, Role.OUTPUT)}
    _check_files(reading, entry, uses, streams)
    return Job(
        id=reading.name(reading.required(entry, "id", "a job"), "id"),
        type=kind,
        name=reading.optional_name(entry, "name"),
        place=reading.place(entry.start_mark),
        namespace=reading.optional_name(entry, "namespace"),
        version=reading.optional_name(entry, "version"),
        file=reading.optional_name(entry, "file"),
        arguments=_arguments(reading, reading.required(entry, "arguments", "a job")),
        uses=uses,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        node_label=reading.optional_name(entry, "nodeLabel"),
        foreach=reading.optional_name(entry, "foreach"),
        metadata=reading.optional_metadata(entry),
        profiles=read_profiles(reading, values["profiles"]) if "profiles" in values else {},
    )


def _check_target(reading: Reading, entry: MapNode, kind: str) -> None:
    """A job names its transformation, a sub-workflow its file, and neither the other."""
    wanted, other = ("name", "file") if kind == "job" else ("file", "name")
    of = "a job" if kind == "job" else f"a job of type {kind}"
    reading.required(entry, wanted, of)
    for key in entry.keys:
        if key.value == other or (kind != "job" and key.value == "foreach"):
            raise reading.error(key, f"{of} cannot have {key.value!r}", hint=f"{wanted!r} says what it runs")


def _arguments(reading: Reading, node: Node) -> tuple[str, ...]:
    """Texts and numbers exactly as they are written; the name of a file is text like any other."""
    arguments = []
    for item in reading.items(node, "arguments"):
        if isinstance(item, Scalar) and item.value == "" and item.implicit[0]:
            raise reading.expected("text or a number", "an argument", item, hint='an empty argument is written ""')
        if not isinstance(item, Scalar):
            raise reading.expected("text or a number", "an argument", item)
        value: str = item.value
        if "\0" in value:
            raise reading.error(item, "an argument cannot hold NUL")
        arguments.append(value)
    return tuple(arguments)


# -- uses


def _read_use(reading: Reading, node: Node) -> Use:
    entry = reading.mapping(node, "an entry of uses")
    reading.known_keys(entry, _USE_KEYS, "a use", _USE_KEYS_WITHOUT_EFFECT)
    values = entry.values
    kind, name = _use_name(reading, entry)
    metadata, flags = _metadata_and_flags(reading, entry)
    if not flags["registerReplica"]:
        reading.no_effect("'registerReplica: false' of a use", entry)
    return Use(
        kind=kind,
        name=name,
        role=_role(reading, entry, kind),
        place=reading.place(entry.start_mark),
        stage_out=flags["stageOut"],
        register_replica=flags["registerReplica"],
        optional="optional" in values and reading.boolean(values["optional"], "optional"),
        bypass="bypass" in values and reading.boolean(values["bypass"], "bypass"),
        for_planning="forPlanning" in values and reading.boolean(values["forPlanning"], "forPlanning"),
        executable="executable" in values and reading.boolean(values["executable"], "executable"),
        size_bytes=reading.count(values["size"], "size") if "size" in values else None,
        metadata=metadata,
    )


def _use_name(reading: Reading, entry: MapNode) -> tuple[UseKind, str]:
    named = [kind for kind in _USE_KINDS if kind.value in entry.values]
    if len(named) != 1:
        found = " and ".join(kind.value for kind in named) or "none of them"
        raise reading.error(entry, f"expected one of lfn, select and outputs-of in a use, found {found}")
    kind = named[0]
    node = entry.values[kind.value]
    return kind, (lfn(reading, node, "lfn") if kind is UseKind.LFN else reading.name(node, kind.value))


def _role(reading: Reading, entry: MapNode, kind: UseKind) -> Role:
    if kind is UseKind.LFN:
        node = reading.required(entry, "type", "a use")
        return _ROLES[reading.choice(node, "type", _ROLES)]
    if "type" in entry.values:
        reading.choice(entry.values["type"], f"type of a {kind.value} use", ("input",))
    return Role.INPUT


def _metadata_and_flags(reading: Reading, entry: MapNode) -> tuple[Metadata, dict[str, bool]]:
    """Metadata without the settings that stand among it; a setting of the use itself is stronger."""
    flags = dict.fromkeys(_FLAGS_IN_METADATA, True)
    metadata: Metadata = {}
    node = entry.values.get("metadata")
    if node is not None:
        metadata = reading.metadata(node)
        for name in _FLAGS_IN_METADATA:
            if name in metadata:
                flags[name] = reading.boolean(reading.mapping(node, "metadata").values[name], name)
                metadata = {key: value for key, value in metadata.items() if key != name}
    for name in _FLAGS_IN_METADATA:
        flags[name] = reading.flag(entry, name, flags[name])
    return metadata, flags


def lfn(reading: Reading, node: Node, name: str) -> str:
    """A logical file name that a job uses: a relative path, written in one way only, that stays in the job's folder."""
    value = reading.name(node, name)
    problem = lfn_problem(value)
    if problem is not None:
        raise reading.error(
            node, f"{name} {value!r} {problem}", hint="a file of a job is a plain relative path, as in data/a.fits"
        )
    return value


def lfn_problem(name: str) -> str | None:
    """What is wrong with ``name`` as the name of a file below a job's folder; None: nothing."""
    if not name:
        return "is empty"
    if "\0" in name:
        return "holds a NUL character"
    if "/" not in name and name not in (".", ".."):
        return None
    if name.startswith("/"):
        return "is an absolute path"
    parts = name.split("/")
    if ".." in parts:
        return "leads out of the job's folder"
    return "is not in its shortest form" if "" in parts or "." in parts else None


# -- standard streams


def _stream(reading: Reading, entry: MapNode, key: str) -> str | None:
    node = entry.values.get(key)
    return None if node is None else lfn(reading, node, key)


def _check_files(
    reading: Reading, entry: MapNode, uses: tuple[Use, ...], streams: Mapping[str, tuple[str | None, Role]]
) -> None:
    """Each file is used in one way, and the standard streams go the right way. They need not be in `uses`."""
    roles: dict[tuple[UseKind, str], Use] = {}
    for use in uses:
        first = roles.setdefault((use.kind, use.name), use)
        if first is not use:
            message = (
                f"the job uses {use.name!r} twice, as {use.role.value} here and as {first.role.value} at {first.place}"
            )
            raise FileError(use.place, message, hint="list it once; a job that changes a file in place has it as inout")
    for key, (name, role) in streams.items():
        if name is None:
            continue
        node = entry.values[key]
        used = roles.setdefault((UseKind.LFN, name), Use(UseKind.LFN, name, role, reading.place(node.start_mark)))
        if used.role is not role:
            message = f"{key} is {role.value} of the job, but {name!r} is listed as {used.role.value} at {used.place}"
            raise reading.error(node, message, hint=f"list it as {role.value}, or take another name")
    if streams["stdout"][0] is not None and streams["stdout"] == streams["stderr"]:
        raise reading.error(entry.values["stderr"], "stdout and stderr are one file", hint="give them different names")
