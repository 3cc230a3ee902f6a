"""The bytes of a YAML file: that they are text, and where in them something is that libyaml complains of."""

from __future__ import annotations

from pathlib import Path

from yaml.error import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from planner.errors import FileError
from planner.workflow import Place
from planner.yaml_nodes import place_of


class YamlSource:
    """``data`` as it is in the file at ``path`` (None: text that came from elsewhere). FileError: it is not UTF-8."""

    def __init__(self, data: bytes, path: Path | None) -> None:
        self.path = path
        self.data = data
        self._text_checked()

    def _text_checked(self) -> None:
        """Refuse what libyaml would name by a byte offset only."""
        if b"\x00" in self.data[:4] or self.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise FileError(Place(self.path, 1, 1), "expected UTF-8 text, found UTF-16 or binary data")
        try:
            self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"expected UTF-8 text, found byte 0x{self.data[error.start]:02x}"
            raise FileError(self._offset_place(error.start), found, hint="save the file as UTF-8") from None

    def _offset_place(self, offset: int) -> Place:
        before = self.data[:offset].removeprefix(b"\xef\xbb\xbf")
        line_start = before.rfind(b"\n") + 1
        return Place(self.path, before.count(b"\n") + 1, len(before[line_start:].decode("utf-8", "replace")) + 1)

    def syntax_error(self, error: YAMLError) -> FileError:
        """What libyaml says, at its place and in words that help."""
        if isinstance(error, ReaderError):
            place = self._offset_place(error.position)
            code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
            return FileError(place, f"character U+{code:04X} is not allowed in YAML", hint="remove it")
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        if not isinstance(error, MarkedYAMLError) or mark is None:
            return FileError(Place(self.path, 1, 1), f"not valid YAML: {error}")
        place = place_of(self.path, mark)
        line = self.data.removeprefix(b"\xef\xbb\xbf").split(b"\n", mark.line + 1)[mark.line : mark.line + 1]
        before = line[0].decode("utf-8", "replace")[: mark.column + 1] if line else ""
        if before.endswith("\t"):
            return FileError(place, "found a tab where YAML takes spaces only", hint="indent with spaces")
        hint = "put the value in quotes" if "cannot start any token" in str(error.problem) else None
        return FileError(place, f"not valid YAML: {error.problem}{_context(error)}", hint=hint)


def _context(error: MarkedYAMLError) -> str:
    """What libyaml was at, and where that starts, which often is where the mistake is."""
    start, end = error.context_mark, error.problem_mark
    if error.context is None:
        return ""
    if start is None or end is None or (start.line, start.column) == (end.line, end.column):
        return f" ({error.context})"
    return f" ({error.context} that starts at {start.line + 1}:{start.column + 1})"
