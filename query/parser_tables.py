"""The parser's tables: built from the grammar once (0.3 s), shipped in the package, loaded in 0.02 s.

`python -m query.parser_tables` writes them anew; a test holds that the shipped ones are current. With another version
of Lark than the one they were made with, they are built once and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
from pathlib import Path

import lark

GRAMMAR = Path(__file__).with_name("ql.lark")
SHIPPED = Path(__file__).with_name("ql.tables")
_FORMAT = "pirene.ql/1"


def load() -> lark.Lark:
    """The parser, from the shipped tables, else the user's cache, else built (and put into that cache if it can be)."""
    stamp = _stamp()
    cached = _cached(stamp)
    for path in (SHIPPED, cached):
        parser = _read(path, stamp)
        if parser is not None:
            return parser
    parser = build()
    _write(cached, parser, stamp)
    return parser


def build() -> lark.Lark:
    """The parser, built from the grammar."""
    return lark.Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=False,
    )


def current(path: Path = SHIPPED) -> bool:
    """True if the tables at ``path`` were made from this grammar with this version of Lark."""
    return _read(path, _stamp()) is not None


def _stamp() -> bytes:
    digest = hashlib.sha256(GRAMMAR.read_bytes()).hexdigest()
    return f"{_FORMAT} lark {lark.__version__} grammar {digest}\n".encode()


def _cached(stamp: bytes) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pirene" / f"ql-{hashlib.sha256(stamp).hexdigest()[:16]}.tables"


def _read(path: Path, stamp: bytes) -> lark.Lark | None:
    """The parser from the tables at ``path``; None if they are not there, not for us, or torn."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if not content.startswith(stamp):
        return None
    digest, tables = content[len(stamp) :][:32], content[len(stamp) + 32 :]
    if hashlib.sha256(tables).digest() != digest:
        return None
    return lark.Lark.load(io.BytesIO(tables))


def _write(path: Path, parser: lark.Lark, stamp: bytes) -> bool:
    """Write the tables of ``parser`` whole or not at all; False if the place cannot be written."""
    tables = io.BytesIO()
    parser.save(tables)
    content = stamp + hashlib.sha256(tables.getvalue()).digest() + tables.getvalue()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError:
        return False
    return True


def main() -> int:
    """Write the shipped tables."""
    if not _write(SHIPPED, build(), _stamp()):
        print(f"cannot write {SHIPPED}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
