"""What a job says about itself and its files: the text that it wrote to ``$PIRENE_METADATA``, read into facts.

Two forms: lines ``key=value``, where the first ``=`` divides and empty lines and lines that start with ``#`` say
nothing; or one JSON document, an object or a list of objects. Lines that are no fact are reported, the others count;
of a JSON document that cannot be read nothing counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from provenance.metadata import MetadataError, Value, from_json, from_text, load_json, require_unicode


@dataclass(frozen=True, slots=True)
class ReportedFact:
    """One key with its value, of the job (``file`` None) or of its output with that logical name."""

    file: str | None
    key: str
    value: Value


@dataclass(frozen=True, slots=True)
class ReportedMetadata:
    """The facts, and one sentence for each thing that could not be read as one. Of a repeated key the last one
    counts.
    """

    facts: tuple[ReportedFact, ...]
    problems: tuple[str, ...]


def parse_reported(text: str) -> ReportedMetadata:
    """Read what a job wrote. Never raises: what is wrong is in ``problems``."""
    problems: list[str] = []
    found: dict[tuple[str | None, str], ReportedFact] = {}
    reader = _from_json if text.lstrip().startswith(("{", "[")) else _from_lines
    for fact in reader(text, problems):
        found[fact.file, fact.key] = fact
    return ReportedMetadata(tuple(found.values()), tuple(problems))


def _from_lines(text: str, problems: list[str]) -> Iterator[ReportedFact]:
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.removesuffix("\r")
        if not content.strip() or content.startswith("#"):
            continue
        key, equals, value = content.partition("=")
        key = key.strip()
        if not equals or not key:
            problems.append(f"line {number}: expected key=value, found {_short(content)}")
            continue
        try:
            require_unicode(key, "the key")
            yield ReportedFact(None, key, from_text(value.strip()))
        except MetadataError as error:
            problems.append(f"line {number}: {error}")


def _from_json(text: str, problems: list[str]) -> Iterator[ReportedFact]:
    try:
        document = load_json(text)
    except ValueError as error:
        problems.append(f"not JSON: {error}")
        return
    for index, entry in enumerate(document if isinstance(document, list) else [document]):
        where = f"entry {index}" if isinstance(document, list) else "the object"
        if isinstance(entry, dict):
            yield from _of_object(entry, where, problems)
        else:
            problems.append(f"{where}: expected an object, found {_short(entry)}")


def _of_object(entry: Mapping[str, object], where: str, problems: list[str]) -> Iterator[ReportedFact]:
    if "_type" not in entry:
        yield from _facts(None, entry, where, problems)
        return
    kind, name, attributes = entry["_type"], entry.get("_id"), entry.get("_attributes")
    if not isinstance(attributes, dict):
        problems.append(f"{where}: _attributes: expected an object, found {_short(attributes)}")
    elif kind == "job":
        yield from _facts(None, attributes, where, problems)
    elif kind == "file" and isinstance(name, str):
        yield from _facts(name, attributes, where, problems)
    elif kind == "file":
        problems.append(f"{where}: _id: expected the logical name of an output, found {_short(name)}")
    else:
        problems.append(f"{where}: _type: expected job | file, found {_short(kind)}")


def _facts(
    file: str | None, attributes: Mapping[str, object], where: str, problems: list[str]
) -> Iterator[ReportedFact]:
    for key, value in attributes.items():
        try:
            require_unicode(key, "the key")
            yield ReportedFact(file, key, from_json(value))
        except MetadataError as error:
            problems.append(f"{where}: {key!r}: {error}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
