"""The program of node steps: modules for Python 3.6's standard library and the wrapper, in one file of a run folder."""

from __future__ import annotations

import ast
import sys
import zipfile
from pathlib import Path

import pytest

import planner
from integrity.wrapper import MODULES as OF_THE_WRAPPER
from planner.engines.pool.arrivals import finish_steps
from planner.engines.pool.node_step import MODULES
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.step_archive import write_steps

ROOT = Path(planner.__file__).parents[1]
PACKAGE = "planner.engines.pool.node_step"
FOLDER = ROOT / PACKAGE.replace(".", "/")
SOURCES = sorted(FOLDER.glob("*.py"))


def imported(source: Path) -> set[str]:
    """Modules whose import a module states, but those that only type checkers see."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node))]
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_every_module_is_listed_after_those_that_it_needs() -> None:
    assert {path.stem for path in SOURCES} == {"__init__", "__main__", *MODULES}
    of_ours = {f"{PACKAGE}.{name}": position for position, name in enumerate(MODULES)}
    others = {*sys.stdlib_module_names, *(f"integrity.wrapper.{name}" for name in OF_THE_WRAPPER)}
    for position, name in enumerate(MODULES):
        needed = imported(FOLDER / f"{name}.py") - others
        assert all(of_ours[each] < position for each in needed), (name, needed)


def test_the_archive_holds_the_sources_as_they_are(tmp_path: Path) -> None:
    folder = PoolFolder(tmp_path)
    write_steps(folder)
    with zipfile.ZipFile(folder.steps) as archive:
        names = {name for name in archive.namelist() if name.endswith(".py")}
        assert {name + "c" for name in names} | names == set(archive.namelist())
        above = {"planner/__init__.py", "planner/engines/__init__.py", "planner/engines/pool/__init__.py"}
        inside = {path.relative_to(ROOT).as_posix() for path in SOURCES}
        assert names == {"__main__.py"} | above | inside - {f"{PACKAGE.replace('.', '/')}/__main__.py"}
        assert archive.read("__main__.py") == (FOLDER / "__main__.py").read_bytes()
        assert all(archive.read(name) == (ROOT / name).read_bytes() for name in names - {"__main__.py"})


@pytest.mark.parametrize("names", [["node_step.pyz"], ["node_step.py"], ["node_step.py", "node_step.pyz"]])
def test_what_came_back_while_no_dagman_was_there_is_taken_in_by_the_steps_in_the_folder(
    tmp_path: Path, names: list[str]
) -> None:
    """Not by those of the version that is at work: a folder of an earlier one has other documents, and one module. It
    has both where an earlier version was killed before it wrote the DAG, which then names the archive.
    """
    folder = PoolFolder(tmp_path)
    program = "import sys, pathlib; print(pathlib.Path(sys.argv[0]).name, *sys.argv[1:]); sys.exit(1)\n"
    for name in names:
        (folder.root / name).write_text(program)
    for job in (7, 1007, 8):
        (folder.node(job) / "out").mkdir(parents=True)
        if job != 8:
            (folder.node(job) / "out" / "record.json.sha256").touch()
    finish_steps(folder)
    assert (folder.root / "node_step.log").read_text() == "".join(f"{names[-1]} post {job} 0\n" for job in (7, 1007))


def test_what_an_earlier_version_left_unfinished_is_not_written_over(tmp_path: Path) -> None:
    folder = PoolFolder(tmp_path)
    (folder.root / "node_step.py").write_text("of an earlier version")
    write_steps(folder)
    assert (folder.root / "node_step.py").read_text() == "of an earlier version"
    assert zipfile.is_zipfile(folder.root / "node_step.pyz")


def test_what_a_step_says_of_itself_is_in_the_log_of_steps(tmp_path: Path) -> None:
    folder = PoolFolder(tmp_path)
    (folder.root / "node_step.log").write_text("of DAGMan's steps\n")
    (folder.root / "node_step.pyz").write_text("raise SystemExit('it cannot')\n")
    (folder.node(1) / "out").mkdir(parents=True)
    (folder.node(1) / "out" / "record.json.sha256").touch()
    finish_steps(folder)
    assert (folder.root / "node_step.log").read_text() == "of DAGMan's steps\nit cannot\n"
