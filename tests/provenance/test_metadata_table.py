"""Tables of files: what they register, and what is refused before anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from provenance.metadata_table import MetadataTableError, read_table
from provenance.raw_files import UnreadableFilesError, add_files
from provenance.store import Store


def table_of(folder: Path, text: str | bytes) -> Path:
    path = folder / "metadata.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_each_file_has_its_own_keys(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a b").write_text("1")
    (tmp_path / "sub" / "c").write_text("2")
    table = table_of(tmp_path, '\ufeffpath,site,n,note\n"a b",north,042,"two\nlines, a comma"\nsub/c,,7,\n')
    store = Store.open(tmp_path / ".pirene")
    done = add_files(store, [], table=table, metadata={})
    assert [file.name for file in done.files] == ["a b", "sub/c"]
    rows = list(store.query("files where n > 6 show name, n, site, note order by name").objects())
    assert [(row["name"], row["site"]) for row in rows] == [("a b", "north"), ("sub/c", None)]
    assert rows[0]["note"] == "two\nlines, a comma"
    assert rows[1]["note"] is None
    assert store.snapshot().number == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a column 'path'"),
        ("name,n\na,1\n", "found name, n"),
        ("path,n,n\na,1,2\n", "two columns are named 'n'"),
        ("path,\na,1\n", "a column has no name"),
        ("path,n\na\n", ":2: expected 2 cells as in the header, found 1"),
        ("path,n\n,1\n", ":2: the path is empty"),
        ("path,n\na,1\nb,1\na,2\n", ":4: a stands in line 2 already"),
        (b"path,n\n\xff,1\n", "not a CSV table in UTF-8"),
        ('path,n\n"a,1\n', "not a CSV table"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(MetadataTableError) as raised:
        read_table(table_of(tmp_path, text))
    assert message in str(raised.value)


def test_a_file_that_is_not_there_registers_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    store = Store.open(tmp_path / ".pirene")
    with pytest.raises(UnreadableFilesError, match="gone"):
        add_files(store, [], table=table_of(tmp_path, "path,n\na,1\ngone,2\n"))
    assert store.snapshot().number == 0
