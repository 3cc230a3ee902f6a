"""The wrapper as a file: one, for Python 3.6's standard library, light to import."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

KICKSTART = Path(__file__).resolve().parents[2] / "integrity" / "kickstart.py"


def test_it_needs_no_more_than_python_3_6() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import vermin; vermin.main()", "-t=3.6-", "--no-tips", str(KICKSTART)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(KICKSTART.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names) | {"collections.abc"}, names


def test_it_runs_alone_wherever_it_is_copied(bench: Any) -> None:
    copy = bench.folder / "elsewhere" / "kickstart.py"
    copy.parent.mkdir()
    shutil.copy(KICKSTART, copy)
    path = bench.file("job.json", json.dumps(bench.describe(["/bin/true"])).encode())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(copy), "--job", str(path), "--record", str(bench.record_path)],
        cwd="/",
        env={},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert bench.record["wrapper"]["sha256"] == bench.digest_of(KICKSTART.read_bytes())


def test_heavy_modules_stay_out() -> None:
    program = f"import sys; sys.path.insert(0, {str(KICKSTART.parent)!r}); import kickstart; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    heavy = {"typing", "subprocess", "argparse", "pathlib", "tempfile", "socket", "ctypes", "dataclasses", "datetime"}
    assert not heavy & set(done.stdout.split())
