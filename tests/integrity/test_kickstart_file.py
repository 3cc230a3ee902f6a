"""The wrapper's modules: for Python 3.6's standard library, light to import, alone where they are copied as one file."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from integrity.archive import byte_code, write_archive
from integrity.wrapper import MODULES
from integrity.wrapper.command_line import USAGE

INTEGRITY = Path(__file__).resolve().parents[2] / "integrity"
KICKSTART = INTEGRITY / "kickstart.py"
SOURCES = [KICKSTART, *sorted((INTEGRITY / "wrapper").glob("*.py"))]


def test_it_needs_no_more_than_python_3_6() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import vermin; vermin.main()", "-t=3.6-", "--no-tips", *map(str, SOURCES)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_it_imports_the_standard_library_and_itself_alone(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    of_some_version = {"_sha2", "_sha256"}  # the one from 3.12 on, the other until then
    others = names - set(sys.stdlib_module_names) - of_some_version - {"collections.abc", "integrity.wrapper"}
    assert others <= {f"integrity.wrapper.{name}" for name in MODULES}


def test_every_module_is_listed_after_those_that_it_needs() -> None:
    assert {path.stem for path in SOURCES[1:]} == {"__init__", *MODULES}
    assert len(set(MODULES)) == len(MODULES)
    for position, name in enumerate(MODULES):
        for node in ast.parse((INTEGRITY / "wrapper" / f"{name}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("integrity.wrapper."):
                assert MODULES.index(str(node.module).rpartition(".")[2]) < position, (name, node.module)


def test_it_runs_alone_wherever_it_is_copied(bench: Any) -> None:
    copy = bench.folder / "elsewhere" / "kickstart.pyz"
    copy.parent.mkdir()
    written = write_archive(copy)
    path = bench.file("job.json", json.dumps(bench.describe(["/bin/true"])).encode())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(copy), "--job", str(path), "--record", str(bench.record_path)],
        cwd="/",
        env={},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    alone = bench.record["wrapper"]
    assert [each.name for each in copy.parent.iterdir()] == ["kickstart.pyz"]
    # What the record calls it is the digest of its sources, taken here as `sha256sum` in their folder would give it.
    manifest = b"pirene-folder/1\0"
    for source in SOURCES[1:]:
        manifest += f"{hashlib.sha256(source.read_bytes()).hexdigest()}  {source.name}\0".encode()
    assert alone["sha256"] == bench.digest_of(manifest)
    assert alone["archive_sha256"] == bench.digest_of(copy.read_bytes()) == written
    bench.record_path.unlink()
    assert bench.run(["/bin/true"])[1]["wrapper"] == {**alone, "archive_sha256": None}


def test_a_record_tells_another_archive_from_its_sources(bench: Any) -> None:
    """Byte code that was not made from the sources beside it runs all the same: what was measured says so."""
    intact, copy = bench.folder / "intact.pyz", bench.folder / "kickstart.pyz"
    name = "integrity/wrapper/facts.py"
    other = byte_code(
        (INTEGRITY / "wrapper" / "facts.py").read_bytes().replace(b'VERSION = "1"', b'VERSION = "x"'), name
    )
    sent = write_archive(intact)
    with zipfile.ZipFile(intact) as archive, zipfile.ZipFile(copy, "w") as changed:
        for entry in archive.namelist():
            changed.writestr(entry, other if entry == name + "c" else archive.read(entry))
    path = bench.file("job.json", json.dumps(bench.describe(["/bin/true"])).encode())
    command = [sys.executable, "-I", "-S", str(copy), "--job", str(path), "--record", str(bench.record_path)]
    subprocess.run(command, check=True)
    found = bench.record["wrapper"]
    bench.record_path.unlink()
    installed = bench.run(["/bin/true"])[1]["wrapper"]
    assert (found["version"], found["sha256"]) == ("x", installed["sha256"])
    assert found["archive_sha256"] == bench.digest_of(copy.read_bytes()) != sent


def test_the_archive_holds_the_sources_as_they_are_and_their_byte_code(tmp_path: Path) -> None:
    write_archive(tmp_path / "one.pyz")
    with zipfile.ZipFile(tmp_path / "one.pyz") as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names) == 2 * (len(SOURCES) + 1)
        assert archive.read("__main__.py") == KICKSTART.read_bytes()
        for source in SOURCES[1:]:
            assert archive.read(f"integrity/wrapper/{source.name}") == source.read_bytes()
    # Byte code of another Python is passed over; that of this one is used, so sources that nobody compiles may be bad.
    spoilt = tmp_path / "spoilt.pyz"
    with zipfile.ZipFile(tmp_path / "one.pyz") as archive, zipfile.ZipFile(spoilt, "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, archive.read(name) if name.endswith("c") else b"not Python")
    done = subprocess.run([sys.executable, "-I", "-S", str(spoilt)], capture_output=True)
    assert (done.returncode, done.stderr) == (2, f"kickstart: {USAGE}\n".encode())


def test_heavy_modules_stay_out() -> None:
    program = (
        f"import sys; sys.path.append({str(INTEGRITY.parent)!r}); import integrity.wrapper.command_line\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    heavy = {"typing", "subprocess", "argparse", "pathlib", "tempfile", "socket", "ctypes", "dataclasses", "datetime"}
    heavy |= {"json", "re", "enum", "functools", "collections", "signal"}
    assert not heavy & set(done.stdout.split())
