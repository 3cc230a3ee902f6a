"""Profiles: settings by namespace (`env`, `dagman`, `pegasus`, ...) that several places give to a job, and who wins.

The one table of precedence is `PRECEDENCE`. Keys of `dagman` know no case, as in DAGMan's own files (`Pegasus.api`
writes `RETRY`): they are kept in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from planner.catalogs.model import Site, Transformation, TransformationSite
from planner.job_choices import CHOICES, choice_problem
from planner.job_steps import WITHOUT_EFFECT, steps_of
from planner.workflow import Job, Profiles
from planner.yaml_nodes import Node, Scalar
from planner.yaml_values import Reading, suggestion

NAMESPACES = ("env", "condor", "globus", "dagman", "pegasus", "hints", "selector", "stat", "pirene")

PIRENE_KEYS = frozenset({"salt", "deterministic", *CHOICES})
"""`salt`: text that goes into the reuse key of a job; `deterministic: false`: its outputs are never reused; the others
are one of a few words (planner/job_choices.py).
"""

PRECEDENCE = ("properties", "workflow", "job", "site", "transformation", "transformation site")
"""Who gives a profile, the weakest first. The order is that of the Pegasus reference guide; what it leaves open is
that the profiles of a whole workflow stand between its properties and its jobs."""

PROPERTY_NAMESPACES = frozenset({"env", "dagman", "condor", "globus", "hints", "selector", "pirene"})
"""Properties named `NAMESPACE.KEY` that are profiles of all jobs; properties that start with `pegasus.` are options."""


def effective_profiles(
    job: Job,
    transformation: Transformation | None,
    transformation_site: TransformationSite | None,
    site: Site | None,
    properties: Mapping[str, str],
    workflow: Profiles | None = None,
) -> Profiles:
    """All profiles of a job: namespace -> key -> text, each value from the strongest place that gives it."""
    given: Mapping[str, Profiles] = {
        "properties": property_profiles(properties),
        "workflow": workflow or {},
        "job": job.profiles,
        "site": site.profiles if site else {},
        "transformation": transformation.profiles if transformation else {},
        "transformation site": transformation_site.profiles if transformation_site else {},
    }
    merged: dict[str, dict[str, str]] = {}
    for source in PRECEDENCE:
        for namespace, values in given[source].items():
            merged.setdefault(namespace, {}).update(values)
    return merged


def property_profiles(properties: Mapping[str, str]) -> Profiles:
    """The profiles among properties: `env.LANG = C` is key `LANG` of namespace `env`."""
    found: dict[str, dict[str, str]] = {}
    for name, value in properties.items():
        namespace, dot, key = name.partition(".")
        if dot and key and namespace in PROPERTY_NAMESPACES:
            found.setdefault(namespace, {})[_folded(namespace, key)] = value
    return found


REQUESTS = {"cores": "request_cpus", "gpus": "request_gpus", "memory": "request_memory", "diskspace": "request_disk"}
"""Profiles of namespace `pegasus` that say what a job needs, and HTCondor's words for them; sizes are in MB."""

WALLTIME = (("pegasus", "maxwalltime"), ("globus", "maxwalltime"), ("globus", "maxtime"))
"""Profiles that say how long all steps of a job may take together, the strongest first; in minutes from 1."""
CHECKPOINT = (("pegasus", "checkpoint.time"),)
"""When it is told to write its checkpoint, in minutes from 1."""
CPU_TIME = (("globus", "maxcputime"),)
"""How much CPU time it may take, in minutes from 1."""
_MAX_MINUTES = 10**7  # nearly twenty years, and within what the wrapper takes
_MINUTES = f"minutes, from 1 to {_MAX_MINUTES - 1}"

_OWN_COMMANDS = frozenset(
    {
        "+pirenerun", "arguments", "environment", "error", "executable", "getenv", "initialdir", "input", "label",
        "log", "my.pirenerun", "output", "queue", "shard", "should_transfer_files", "transfer_executable",
        "transfer_input_files", "transfer_output_files", "transfer_output_remaps", "universe",
        "when_to_transfer_output",
    }
)  # fmt: skip


def seconds_of(profiles: Profiles, keys: Sequence[tuple[str, str]]) -> int | None:
    """The time that the first of some profiles gives that is given, in seconds; None: none is.

    Workflows and catalogs were checked when they were read (`read_profiles`); raises ValueError for what properties
    say.
    """
    for namespace, key in keys:
        text = profiles.get(namespace, {}).get(key)
        if text is not None:
            if not text.isdecimal() or not 0 < int(text) < _MAX_MINUTES:
                raise ValueError(f"profile {namespace}.{key}: expected {_MINUTES}, found {text!r}")
            return int(text) * 60
    return None


def own_command(key: str) -> bool:
    """Whether a submit command belongs to the engine: a profile that names it has no effect."""
    return key.lower() in _OWN_COMMANDS


def submit_problem(key: str, value: str) -> str | None:
    """Why a profile of namespace `condor` cannot stand in a submit description; None if it can."""
    if not re.fullmatch(r"\+?[A-Za-z_][A-Za-z0-9_.]*", key):
        return f"{key!r} is no submit command of HTCondor"
    if set(value) & set("\n\r\0") or value.endswith("\\"):  # a backslash would take in the line that follows
        return f"expected one line of text, found {value!r}"
    return None


def submit_commands(profiles: Profiles) -> Mapping[str, str]:
    """What profiles ask of HTCondor: submit command -> value. Namespace `condor` goes before `pegasus`."""
    found = {}
    for key, command in REQUESTS.items():
        value = profiles.get("pegasus", {}).get(key)
        if value is not None:
            found[command] = f"{value}M" if key in ("memory", "diskspace") and value.isdecimal() else value
    memory = profiles.get("globus", {}).get("maxmemory")
    if memory is not None:
        found.setdefault("request_memory", f"{memory}M" if memory.isdecimal() else memory)
    for key, value in profiles.get("condor", {}).items():
        command = f"My.{key[1:]}" if key.startswith("+") else key
        if not own_command(key):
            found[command] = value
    return dict(sorted(found.items()))


def read_profiles(reading: Reading, node: Node) -> Profiles:
    """A `profiles` mapping. Raises FileError for unknown namespaces and for values of the wrong kind."""
    profiles: dict[str, dict[str, str]] = {}
    for namespace, values in reading.entries(node, "profiles"):
        name = namespace.value
        if name not in NAMESPACES:
            hint = suggestion(name, NAMESPACES) or "namespaces: " + ", ".join(NAMESPACES)
            raise reading.error(namespace, f"unknown namespace {name!r} of profiles", hint=hint)
        found = profiles[name] = {}
        for key, value in reading.entries(values, f"profiles of namespace {name}"):
            folded = _folded(name, key.value)
            if folded in found:
                raise reading.error(key, f"profile {name}.{folded} is given twice", hint="keep one of them")
            found[folded] = _profile_value(reading, name, folded, key, value)
    return profiles


def _profile_value(reading: Reading, namespace: str, key: str, key_node: Scalar, value: Node) -> str:
    """The text of one profile, checked where we act on it, noted where we do not."""
    full_name = f"profile {namespace}.{key}"
    match namespace, key:
        case "env", _:
            if not key or "=" in key or "\0" in key:
                raise reading.error(key_node, f"{key!r} cannot be the name of an environment variable")
            text = reading.text(value, full_name)
            if "\0" in text:
                raise reading.expected("text without NUL", full_name, value)
            _check_steps(reading, key, key_node, text)
            return text
        case "dagman", "retry":
            return str(reading.count(value, full_name))
        case _ if (namespace, key) in (*WALLTIME, *CHECKPOINT, *CPU_TIME):
            minutes = reading.count(value, full_name)
            if not 0 < minutes < _MAX_MINUTES:
                raise reading.expected(f"{_MINUTES},", full_name, value)
            return str(minutes)
        case "pirene", "deterministic":
            return "true" if reading.boolean(value, full_name) else "false"
        case "pirene", "salt":
            return reading.text(value, full_name)
        case "pirene", _ if key in CHOICES:
            word = reading.text(value, full_name)
            if (problem := choice_problem(key, word)) is not None:
                raise reading.error(value, f"{full_name}: {problem}", hint=suggestion(word, CHOICES[key]))
            return word
        case "pirene", _:
            hint = suggestion(key, PIRENE_KEYS) or "known keys: " + ", ".join(sorted(PIRENE_KEYS))
            raise reading.error(key_node, f"unknown profile {key!r} of namespace pirene", hint=hint)
        case ("condor", _) | ("globus", "maxmemory") | ("pegasus", "cores" | "gpus" | "memory" | "diskspace"):
            return _submit_value(reading, key, key_node, value, full_name)
        case _:
            kind = full_name if namespace in ("pegasus", "dagman", "globus") else f"namespace {namespace} of profiles"
            reading.no_effect(kind, key_node)
            return reading.text(value, full_name)


def _check_steps(reading: Reading, variable: str, node: Scalar, text: str) -> None:
    """What Pegasus' wrapper would take for a command around that of the job has to be one."""
    if variable in WITHOUT_EFFECT:
        reading.no_effect(f"profile env.{variable}", node)
    try:
        steps_of({variable: text})
    except ValueError as error:
        raise reading.error(node, str(error)) from None


def _submit_value(reading: Reading, key: str, key_node: Scalar, value: Node, full_name: str) -> str:
    """What stands in a submit description: one line. It has effect where HTCondor runs the jobs."""
    if own_command(key):
        reading.no_effect(full_name, key_node)
    text = reading.text(value, full_name)
    if (problem := submit_problem(key, text)) is not None:
        raise reading.error(key_node, f"{full_name}: {problem}")
    return text


def _folded(namespace: str, key: str) -> str:
    return key.lower() if namespace == "dagman" else key
