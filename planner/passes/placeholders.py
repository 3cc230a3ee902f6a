"""What `${SELECTION.what}` stands for in a job: `name`, `stem`, any metadata key of the file, or `names` of all files.

Only the names of the workflow's selections are expanded. Everything else, `$HOME` and `${HOME}` included, stays exactly
as it was written, so that arguments arrive as the user gave them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from planner.errors import FileError
from planner.planned import FrozenSelection, PlannedFile
from planner.workflow import Metadata, Place
from provenance.metadata import Value, Written

_STEM = re.compile(r"\A(.+)\.[^.]+\Z", re.DOTALL)


class Placeholders:
    """The placeholders of one workflow; `expand` and the rest know no others."""

    def __init__(self, selections: Mapping[str, FrozenSelection]) -> None:
        self._selections = selections
        # Longest first, so that a selection named `raw.deep` is not taken for a key of `raw`.
        names = "|".join(re.escape(name) for name in sorted(selections, key=lambda name: (-len(name), name)))
        self._pattern = re.compile(r"\$\{(" + names + r")\.([^{}]+)\}") if names else None

    @property
    def any(self) -> bool:
        """Whether there are selections at all: without them nothing is a placeholder."""
        return self._pattern is not None

    def text(self, text: str, files: Mapping[str, PlannedFile], place: Place) -> str:
        """``text`` with its placeholders filled in. ``files`` is the file that a foreach stands at, by selection.

        Raises PlannerError, naming the file, for a key that it does not have, and for a selection of several files.
        """
        if self._pattern is None or "${" not in text:
            return text
        return self._pattern.sub(lambda match: self._value(match, files, place), text)

    def arguments(self, arguments: tuple[str, ...], files: Mapping[str, PlannedFile], place: Place) -> tuple[str, ...]:
        """Arguments filled in; `${SELECTION.names}`, standing alone, becomes as many arguments as there are files."""
        filled: list[str] = []
        for argument in arguments:
            match = self._pattern.fullmatch(argument) if self._pattern else None
            if match and match[2] == "names":
                filled.extend(file.name for file in self._selections[match[1]].files)
            else:
                filled.append(self.text(argument, files, place))
        return tuple(filled)

    def metadata(self, metadata: Metadata, files: Mapping[str, PlannedFile], place: Place) -> Metadata:
        """Metadata with its values filled in; a value that is one placeholder and no more keeps the type it was written
        with.
        """
        if self._pattern is None or not metadata:
            return metadata
        return {key: self._metadata_value(value, files, place) for key, value in metadata.items()}

    def _metadata_value(self, value: Value, files: Mapping[str, PlannedFile], place: Place) -> Value:
        if isinstance(value, tuple):
            return tuple(self._scalar(element, files, place) for element in value)
        match = self._pattern.fullmatch(value.text) if self._pattern and value.text is not None else None
        if match and match[2] not in ("name", "stem", "names"):
            return _find_key(self._file(match[1], files, place), match, place)
        return self._scalar(value, files, place)

    def _scalar(self, value: Written, files: Mapping[str, PlannedFile], place: Place) -> Written:
        if value.text is None:
            return value
        text = self.text(value.text, files, place)
        return value if text == value.text else Written(text, value.type)

    def _value(self, match: re.Match[str], files: Mapping[str, PlannedFile], place: Place) -> str:
        what = match[2]
        if what == "names":
            raise FileError(
                place,
                f"{match[0]} stands for several arguments, so it has to stand alone as one argument",
                hint=f'Write it as an argument of its own: "{match[0]}".',
            )
        file = self._file(match[1], files, place)
        if what == "name":
            return file.name
        if what == "stem":
            return stem(file.name)
        value = _find_key(file, match, place)
        if isinstance(value, tuple) or value.text is None:
            found = "a list" if isinstance(value, tuple) else "null"
            raise FileError(place, f"{match[0]}: file {file.name!r} has {found} there, and one value is needed")
        return value.text

    def _file(self, selection: str, files: Mapping[str, PlannedFile], place: Place) -> PlannedFile:
        if selection in files:
            return files[selection]
        chosen = self._selections[selection].files
        if len(chosen) != 1:
            raise FileError(
                place,
                f"selection {selection!r} has {len(chosen)} files here, and a placeholder stands for one",
                hint=f"Add `foreach: {selection}` to the job, or write ${{{selection}.names}} for all of their names.",
            )
        return chosen[0]


def stem(name: str) -> str:
    """The last part of a name without its last suffix: `night/raw_1.fits` gives `raw_1`."""
    return _STEM.sub(r"\1", name.rpartition("/")[2])


def _find_key(file: PlannedFile, match: re.Match[str], place: Place) -> Value:
    key = match[2]
    if key not in file.metadata:
        close = difflib.get_close_matches(key, [*file.metadata, "name", "stem"], n=1)
        hint = (
            f"Did you mean ${{{match[1]}.{close[0]}}}?"
            if close
            else f"Its keys: {', '.join(sorted(file.metadata)[:20]) or 'none'}."
        )
        raise FileError(place, f"{match[0]}: file {file.name!r} has no metadata key {key!r}", hint=hint)
    return file.metadata[key]
