"""`pegasus.properties`: lines `key = value` in the syntax of Java's properties files, in UTF-8, with `${VAR}`.

`#` or `!` starts a comment line; `=`, `:` or blanks divide key and value; a backslash at the end of a line goes on
with the next, without its leading blanks; `\\n`, `\\t`, `\\uXXXX` and so on are characters. A key that is given twice
is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from planner.catalogs.expansion import expander
from planner.errors import FileError, PlannerError
from planner.job_choices import choice_problem
from planner.profiles import PIRENE_KEYS, PROPERTY_NAMESPACES, own_command, submit_problem
from planner.regular_files import read_regular
from planner.workflow import Place
from planner.yaml_values import FALSE, TRUE, suggestion

_BLANKS = " \t\f"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_KEY = re.compile(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)

_EFFECTIVE = frozenset(
    f"pegasus.catalog.{kind}{end}" for kind in ("replica", "transformation", "site") for end in ("", ".file")
)
_EFFECTIVE_NAMESPACES = frozenset({"env", "pirene"})


@dataclass(frozen=True, slots=True)
class Properties:
    """Keys and values, expanded; where each key stands; what has no effect yet."""

    values: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_properties(path: Path, environment: Mapping[str, str]) -> Properties:
    """Read the file at ``path``. Raises PlannerError if it cannot be opened, FileError for what is wrong in it."""
    try:
        data = read_regular(path)
    except OSError as error:
        raise PlannerError(f"cannot read the properties {path}: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(path, data.count(b"\n", 0, error.start) + 1, 1)
        message = f"expected UTF-8 text, found byte 0x{data[error.start]:02x}"
        raise FileError(place, message, hint="save the file as UTF-8") from None
    expand = expander(environment)
    values: dict[str, str] = {}
    places: dict[str, Place] = {}
    for number, line in _logical_lines(text):
        place = Place(path, number, 1)
        match = _KEY.fullmatch(line)
        assert match is not None, "the pattern takes any line"
        key = _unescaped(match[1])
        if not key:
            raise FileError(place, f"expected key = value, found {line!r}")
        if key in values:
            raise FileError(
                place, f"property {key!r} is given twice; first at line {places[key].line}", hint="keep one"
            )
        values[key] = _checked(key, expand(_unescaped(match[2]), place), place)
        places[key] = place
    return Properties(values, places, tuple(_warnings(places)))


def _checked(key: str, value: str, place: Place) -> str:
    """The value of a property that we act on as a profile, held to what a profile in YAML is held to."""
    namespace, dot, name = key.partition(".")
    if not dot:
        return value
    if namespace == "condor" and (problem := submit_problem(name, value)) is not None:
        raise FileError(place, f"property {key}: {problem}")
    if namespace == "env" and (not name or "=" in name or "\0" in name + value):
        raise FileError(place, f"{key!r} cannot set an environment variable to {value!r}")
    if namespace != "pirene":
        return value
    if name not in PIRENE_KEYS:
        hint = suggestion(name, PIRENE_KEYS) or "known keys: " + ", ".join(sorted(PIRENE_KEYS))
        raise FileError(place, f"unknown profile {name!r} of namespace pirene", hint=hint)
    if (problem := choice_problem(name, value)) is not None:
        raise FileError(place, f"property {key}: {problem}")
    if name != "deterministic":
        return value
    if value not in TRUE | FALSE:
        raise FileError(place, f"expected true or false for {key}, found {value!r}")
    return "true" if value in TRUE else "false"


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number of the first line and text of each entry, continuation lines joined."""
    lines = iter(enumerate(re.split("\r\n|\r|\n", text), start=1))
    for number, line in lines:
        entry = line.lstrip(_BLANKS)
        if not entry or entry[0] in "#!":
            continue
        while _goes_on(entry):
            _, following = next(lines, (0, ""))
            entry = entry[:-1] + following.lstrip(_BLANKS)
        yield number, entry


def _goes_on(line: str) -> bool:
    """Whether an odd number of backslashes ends the line."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2]), text)


def _warnings(places: Mapping[str, Place]) -> Iterator[str]:
    for key, place in places.items():
        namespace = key.partition(".")[0]
        if key in _EFFECTIVE or namespace in _EFFECTIVE_NAMESPACES or key.lower() == "dagman.retry":
            continue
        if namespace == "condor" and not own_command(key.partition(".")[2]):
            continue
        kind = "property" if namespace == "pegasus" or namespace in PROPERTY_NAMESPACES else "unknown property"
        yield f"{place}: {kind} {key} has no effect yet"
