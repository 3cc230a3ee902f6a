"""Tables of files: what they register, and what is refused before anything is."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import json
import os
import re
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.metadata import Written
from provenance.reading.views import fetch
from provenance.registration.metadata_table import MetadataTableError, read_table
from provenance.registration.raw_files import DeclaredDigestError, UnreadableFilesError, add_files
from provenance.store import Store
from provenance.urls import file_url


def table_of(folder: Path, text: str | bytes, name: str = "metadata.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def parquet_of(folder: Path, **columns: Any) -> Path:
    path = folder / "metadata.parquet"
    pq.write_table(pa.table(columns), path)
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


def test_values_of_csv_are_untyped_and_an_empty_cell_is_no_key(tmp_path: Path) -> None:
    (row,) = read_table(table_of(tmp_path, 'path,n,empty,quoted,null\na,1.10,,"",~\n'))
    assert row.metadata == {"n": Written("1.10", "untyped"), "null": Written("~", "untyped")}


def test_values_of_json_lines_keep_their_types(tmp_path: Path) -> None:
    lines = '{"path": "a", "n": 1.10, "t": "42", "b": true, "l": [1, "x"], "none": null, "e": ""}\n\n{"path": "é"}\n'
    first, second = read_table(table_of(tmp_path, "\ufeff" + lines, "files.JSONL"))
    assert first.metadata == {
        "n": Written("1.10", "number"),
        "t": Written("42", "text"),
        "b": Written("true", "boolean"),
        "l": (Written("1", "number"), Written("x", "text")),
        "e": Written("", "text"),
    }
    assert (second.name, second.metadata, second.where) == ("é", {}, f"{tmp_path}/files.JSONL:3")


def test_values_of_parquet_keep_their_types(tmp_path: Path) -> None:
    moment = pa.scalar(1_763_000_000_123_456_789, pa.timestamp("ns", "UTC"))
    table = parquet_of(
        tmp_path,
        path=["a", "b"],
        n=[1, None],
        x=[0.1, float("nan")],
        t=["42", ""],
        b=[True, None],
        band=pa.array(["r", None]).dictionary_encode(),
        at=pa.array([moment, None]),
        day=[dt.date(2026, 5, 1), None],
        price=[decimal.Decimal("1.10"), None],
        pair=[[1, 2], []],
        prices=[[decimal.Decimal("1.10"), None], None],
        moments=pa.array([[moment], None]),
        bands=pa.ListArray.from_arrays(pa.array([0, 2, 2]), pa.array(["r", "g"]).dictionary_encode()),
        hours=pa.array([None, None], pa.time64("ns")),
    )
    first, second = read_table(table)
    assert first.metadata == {
        "n": Written("1", "number"),
        "x": Written("0.1", "number"),
        "t": Written("42", "text"),
        "b": Written("true", "boolean"),
        "band": Written("r", "text"),
        "at": Written("2025-11-13 02:13:20.123456789Z", "time"),
        "day": Written("2026-05-01", "time"),
        "price": Written("1.10", "number"),
        "pair": (Written("1", "number"), Written("2", "number")),
        "prices": (Written("1.10", "number"), Written("null", "null")),
        "moments": (Written("2025-11-13 02:13:20.123456789Z", "time"),),
        "bands": (Written("r", "text"), Written("g", "text")),
    }
    assert second.metadata == {"x": Written(".nan", "number"), "t": Written("", "text"), "pair": (), "bands": ()}
    assert second.where == f"{table}: row 2"


NO_TEXT = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
cells = st.one_of(st.integers(-(2**53), 2**53), st.booleans(), st.text(min_size=1, max_size=8), st.none())
keys = st.text(min_size=1, max_size=6).filter(lambda key: key not in RESERVED)
RESERVED = ("path", "size", "md5", "adler32", "crc32c", "sha256")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(keys, unique=True, min_size=1, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries(dict.fromkeys(names, cells))
    )
)
def test_json_lines_and_parquet_say_the_same(tmp_path: Path, said: dict[str, Any]) -> None:
    lines = table_of(tmp_path, json.dumps({"path": "a", **said}) + "\n", "files.ndjson")
    (one,) = read_table(lines)
    columns = {name: pa.array([value]) for name, value in said.items()}
    pq.write_table(pa.table({"path": ["a"], **columns}), tmp_path / "files.parquet")
    (other,) = read_table(tmp_path / "files.parquet")
    assert one.metadata == other.metadata
    assert one.metadata.keys() == {name for name, value in said.items() if value is not None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: expected a column 'path' that names the files, found nothing"),
        ("name,n\na,1\n", ":1: expected a column 'path' that names the files, found name, n"),
        ("path,n,n\na,1,2\n", ":1: two columns are named 'n'"),
        ("path,\na,1\n", ":1: a column has no name"),
        ("path,n\na\n", ":2: expected 2 cells as in the header, found 1"),
        ("path,n\n,1\n", ":2: the path is empty"),
        (b"path,n\n\xff,1\n", ":2: not UTF-8"),
        ('path,n\n"a,1\n', "not a CSV table"),
        ("path,n\na\0b,1\n", ":2: the path 'a\\x00b' holds a NUL, which no file name can"),
        ("path,n\nhttp://[x/y,1\n", ":2: http://[x/y: not a URL: Invalid IPv6 URL"),
        ("path,size\na,1.5\n", ":2: column 'size': expected a number of bytes, found '1.5'"),
        ("path,size\na,-1\n", ":2: column 'size': expected a number of bytes, found '-1'"),
        ("path,adler32\na,1\n", ":2: column 'adler32': checksum 'adler32:1': expected adler32: and 8 hex digits"),
        ("path,md5\na,crc32c:00000000\n", ":2: column 'md5': checksum 'crc32c:00000000': expected md5:"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str | bytes, message: str) -> None:
    table = table_of(tmp_path, text)
    with pytest.raises(MetadataTableError, match=re.escape(message)) as raised:
        list(read_table(table))
    assert str(raised.value).startswith(str(table))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"path": "a"}\n{"n": 1}\n', ":2: the path is empty"),
        ('{"path": "a"\n', ":1: not JSON: "),
        (b'{"path": "\xff"}\n', ":1: not UTF-8"),
        ('["a"]\n', ":1: expected a JSON object, one on each line, found ['a']"),
        ('{"path": 7}\n', ":1: expected text in column 'path', found 7"),
        ('{"path": "a", "k": {"b": 1}}\n', ":1: column 'k': a metadata value cannot be a mapping"),
        ('{"path": "a", "k": 1, "k": 2}\n', ":1: not JSON: key 'k' appears twice"),
        ('{"path": "a\\u0000b"}\n', ":1: the path 'a\\x00b' holds a NUL"),
        ('{"path": "a\\udce9"}\n', ":1: the path is not valid Unicode"),
        ('{"path": "a", "\\ud800": 1}\n', ":1: a key is not valid Unicode"),
        ('{"path": "a", "k": "\\ud800"}\n', ":1: column 'k': a metadata value is not valid Unicode"),
        ('{"path": "a", "": 1}\n', ":1: a key is empty"),
        ('{"path": "a", "adler32": 12345678}\n', ":1: expected text in column 'adler32', found 12345678"),
    ],
)
def test_what_are_no_json_lines(tmp_path: Path, text: str | bytes, message: str) -> None:
    table = table_of(tmp_path, text, "files.jsonl")
    with pytest.raises(MetadataTableError, match=re.escape(message)) as raised:
        list(read_table(table))
    assert str(raised.value).startswith(str(table))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": ["a"]}, "expected a column 'path' that names the files, found name"),
        ({"path": ["a", None]}, "row 2: the path is empty"),
        ({"path": ["a"], "k": [{"b": 1}]}, "row 1: column 'k': a value cannot be of type struct<b: int64>"),
        ({"path": ["a"], "k": [b"x"]}, "row 1: column 'k': a value cannot be of type binary"),
        ({"path": ["a"], "k": [dt.time(5)]}, "row 1: column 'k': a value cannot be of type time64[us]"),
        ({"path": ["a", "b"], "k": pa.array([None, 1], pa.time64("ns"))}, "row 2: column 'k': a value cannot be of"),
        (
            {"path": ["a"], "k": pa.array([1], pa.duration("ns"))},
            "row 1: column 'k': a value cannot be of type duration",
        ),
        (
            {"path": ["a"], "k": [[[1]]]},
            "row 1: column 'k': a value cannot be of type list<element: list<element: int64>>",
        ),
        ({"path": ["a"], "k": [[dt.time(5)]]}, "row 1: column 'k': a value cannot be of type time64[us]"),
        ({"path": pa.array([1], pa.time64("ns"))}, "row 1: column 'path': a value cannot be of type time64[ns]"),
        ({"path": ["a"], "k": NO_TEXT}, "row 1: column 'k': text that is not UTF-8"),
        ({"path": ["a"], "size": [-1]}, "row 1: column 'size': expected a number of bytes, found '-1'"),
        ({"path": [1]}, "row 1: expected text in column 'path', found 1"),
    ],
)
def test_what_is_no_parquet_table_of_files(tmp_path: Path, columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(MetadataTableError, match=re.escape(message)):
        list(read_table(parquet_of(tmp_path, **columns)))


@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a character device", "a folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    table = tmp_path / "files.csv"
    with closing(socket.socket(socket.AF_UNIX)) as server:
        make = {
            "a named pipe": lambda: os.mkfifo(table),
            "a socket": lambda: server.bind(str(table)),
            "a character device": lambda: table.symlink_to("/dev/zero"),
            "a folder": table.mkdir,
        }
        make[kind]()
        with pytest.raises(MetadataTableError, match=f"files.csv: expected a file, found {kind}"):
            list(read_table(table))


def test_a_table_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(MetadataTableError, match=r"expected a table that ends in one of \.csv, \.jsonl"):
        list(read_table(table_of(tmp_path, "x", "files.xlsx")))
    with pytest.raises(MetadataTableError, match="not a Parquet table that can be read"):
        list(read_table(table_of(tmp_path, "x", "files.parquet")))


@pytest.mark.parametrize(
    ("path", "name", "url"),
    [
        ("sub/./c.fits", "sub/c.fits", "file://{folder}/sub/c.fits"),
        ("../c.fits", "../c.fits", "file://{above}/c.fits"),
        ("/data/c.fits", "c.fits", "file:///data/c.fits"),
        ("file:///data/caf%E9.fits", "caf\udce9.fits", "file:///data/caf%E9.fits"),
        ("s3://key@bucket/raw/c%20d.fits?X-Amz-Signature=1", "c d.fits", "s3://bucket/raw/c%20d.fits"),
        ("root://host//store/c.fits", "c.fits", "root://host//store/c.fits"),
    ],
)
def test_what_the_path_may_be(tmp_path: Path, path: str, name: str, url: str) -> None:
    (row,) = read_table(table_of(tmp_path, f"path\n{path}\n"))
    assert row.name == name
    assert row.url == url.format(folder=tmp_path, above=tmp_path.parent)
    assert (row.path is None) == (not row.url.startswith("file:"))


def test_declared_checksums_are_taken_without_reading(tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"not what was declared")
    size = (tmp_path / "here").stat().st_size
    sha256 = hashlib.sha256(b"x").hexdigest()
    table = table_of(
        tmp_path,
        f"path,size,md5,adler32,crc32c,sha256,kind\nhere,{size},,0000ABCD,crc32c:00000001,,raw\n"
        f"root://archive//tape/x,1000000000000,,,,{sha256},raw\ns3://bucket/y,,,,,,raw\n",
    )
    store = Store.open(tmp_path / ".pirene")
    done = add_files(store, [], table=table, site="archive")
    assert [(file.name, file.sha256, file.size_bytes) for file in done.files] == [
        ("here", None, size),
        ("x", bytes.fromhex(sha256), 10**12),
        ("y", None, None),
    ]
    assert fetch(store, "SELECT name, checksums, digest_origin, verified FROM replica_rows ORDER BY name") == [
        ("here", ["adler32:0000abcd", "crc32c:00000001"], None, None),
        ("x", None, "declared", None),
        ("y", None, None, None),
    ]
    assert fetch(store, "SELECT DISTINCT key FROM metadata") == [("kind",)]


def test_a_declared_size_that_is_not_the_file_s(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    store = Store.open(tmp_path / ".pirene")
    with pytest.raises(DeclaredDigestError, match="a: expected 5 bytes, found 4"):
        add_files(store, [], table=table_of(tmp_path, "path,size,md5\na,5,\n"))
    assert store.snapshot().number == 0


def test_a_file_that_is_not_there_registers_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "folder").mkdir()
    store = Store.open(tmp_path / ".pirene")
    table = table_of(tmp_path, "path,n\na,1\ngone,2\nfolder,3\n")
    with pytest.raises(UnreadableFilesError) as raised:
        add_files(store, [], table=table)
    assert f"{tmp_path}/gone: No such file or directory ({table}:3)" in str(raised.value)
    assert f"{tmp_path}/folder: a folder, not a file ({table}:4)" in str(raised.value)
    assert store.snapshot().number == 0
    done = add_files(store, [], table=table, keep_going=True)
    assert [file.url for file in done.files] == [file_url(tmp_path / "a")]
    assert len(done.left_out) == 2
