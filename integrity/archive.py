"""The wrapper as one file, for machines where nothing of ours is installed.

A zip archive that Python runs and imports from by itself (PEP 441): the modules of integrity/wrapper as they are, and
kickstart.py as ``__main__``. So a traceback of a worker names the modules and lines that people read, and nothing is
generated. Each module is there a second time as byte code, which spares workers whose Python is of our version the
compiling, two thirds of their start; every other Python compiles the source beside it.

Python checks none of these bytes: a flipped bit may load, and what it makes of a verification nobody knows. Who starts
the archive compares its sha256 first (planner/engines/pool/dag.py).
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from importlib.util import MAGIC_NUMBER, source_hash
from marshal import dumps
from pathlib import Path

import integrity
from integrity.wrapper import MODULES

ARCHIVE_NAME = "kickstart.pyz"
_FOLDER = Path(integrity.__file__).parent
_CHECKED_NEVER = 0b01  # flags of PEP 552: named by the hash of its source, which the importer need not look at
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that an archive can hold: the same sources make the same entries


def write_archive(path: Path) -> str:
    """Write the wrapper to ``path``, to be run as ``python3 -I -S PATH --job FILE|- --record FILE``; the sha256 of its
    bytes as they were made, not as they were read back.
    """
    names = ["__init__.py", "wrapper/__init__.py", *(f"wrapper/{name}.py" for name in MODULES)]
    sources = {"__main__.py": "kickstart.py", **{f"integrity/{name}": name for name in names}}
    return write_modules(path, {name: (_FOLDER / source).read_bytes() for name, source in sources.items()})


def write_modules(path: Path, sources: Mapping[str, bytes]) -> str:
    """The same for any modules, by their names in the archive; ``__main__.py`` is what runs."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:  # not compressed: inflating takes longer than reading
        for name, data in sources.items():
            _add(archive, name, data)
            _add(archive, name + "c", byte_code(data, name))
    with path.open("wb") as file:
        file.write(made.getbuffer())
        file.flush()
        os.fsync(file.fileno())  # what is written after it takes for granted that it is there
    return hashlib.sha256(made.getbuffer()).hexdigest()


def byte_code(source: bytes, name: str) -> bytes:
    """A module as a ``.pyc`` of this Python (PEP 552), whose tracebacks call it ``name``."""
    code = compile(source, name, "exec", dont_inherit=True)
    return MAGIC_NUMBER + _CHECKED_NEVER.to_bytes(4, "little") + source_hash(source) + dumps(code)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
