"""Patterns of paths, as shells have them, for where the shell does not expand them: quoted, in a script, too many
names.

``*``, ``?`` and ``[...]`` stand for characters of one name, ``**`` for any number of folders (none included). As in
bash, names that begin with a dot must be asked for by a dot. Unlike there, ``**`` follows links, as the walk through a
folder does, save those that lead back to where it is; and a folder that cannot be listed is an error, for what is in it
would be left out silently.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator

_MAGIC = re.compile(r"[*?\[]")
_Search = Iterator["str | _Search"]
"""Paths that match, and searches for more of them, to be followed where they stand."""


def is_pattern(text: str) -> bool:
    """Whether a text has any of the characters that make patterns. A file may be called so all the same."""
    return _MAGIC.search(text) is not None


def matching(pattern: str) -> Iterator[str]:
    """The paths that match, files and folders, in order of the bytes of their names; what is there under the very
    name of the pattern is that.

    Raises OSError for a folder that cannot be listed.
    """
    if os.path.lexists(pattern):
        yield pattern
        return
    names = pattern.split("/")
    start = "/" if pattern.startswith("/") else ""
    # Searches that are not at their end, each started by the one before it. No calls: folders nest deeper than those.
    searches = [_below(start, [name for name in names if name])]
    while searches:
        found = next(searches[-1], None)
        if found is None:
            searches.pop()
        elif isinstance(found, str):
            yield found
        else:
            searches.append(found)


def _below(folder: str, names: list[str]) -> _Search:
    """What matches below ``folder``, which is empty (here) or ends in a slash."""
    name, rest = names[0], names[1:]
    if name == "**":
        yield _at_any_depth(folder, rest, set())
    elif not is_pattern(name):
        path = folder + name
        if not rest and os.path.lexists(path):
            yield path
        elif rest and os.path.isdir(path):  # noqa: PTH112 - names of other bytes stay as they are
            yield _below(path + "/", rest)
    else:
        fits = re.compile(fnmatch.translate(name)).fullmatch
        for entry in _listed(folder, hidden=name.startswith(".")):
            if fits(entry.name) and (not rest or entry.is_dir()):
                yield _below(f"{folder}{entry.name}/", rest) if rest else folder + entry.name


def _at_any_depth(folder: str, rest: list[str], above: set[tuple[int, int]]) -> _Search:
    """``above`` are device and inode of the folders that lead to ``folder``; it is among them until the search ends."""
    status = os.stat(folder or ".")  # noqa: PTH116 - names of other bytes stay as they are
    key = (status.st_dev, status.st_ino)
    if key in above:
        return
    above.add(key)
    if rest:
        yield _below(folder, rest)
    elif folder:
        yield folder.rstrip("/") or "/"
    for entry in _listed(folder, hidden=False):
        if entry.is_dir():
            yield _at_any_depth(f"{folder}{entry.name}/", rest, above)
        elif not rest:
            yield folder + entry.name
    above.remove(key)


def _listed(folder: str, *, hidden: bool) -> list[os.DirEntry[str]]:
    with os.scandir(folder or ".") as entries:
        found = [entry for entry in entries if hidden or not entry.name.startswith(".")]
    return sorted(found, key=lambda entry: os.fsencode(entry.name))
