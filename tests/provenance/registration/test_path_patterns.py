"""Patterns of paths, beside bash, which has had them for longer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.registration.path_patterns import is_pattern, matching

TREE = (
    "a.fits", "b.fits", "b.txt", ".hidden", "[x]", "new\nline", "a b",
    "raw/a.fits", "raw/.x", "raw/2001/c.fits", "raw/2001/d.txt", "raw/2002/deep/e.fits", "raw/.dot/f.fits", "empty/",
)  # fmt: skip
names = st.lists(st.sampled_from(["*", "?", "a", "b", ".", "[ab]", "[!a]", "fits", "raw", "2"]), min_size=1, max_size=3)
parts = st.one_of(st.just("**"), st.just("raw"), names.map("".join))
patterns = st.lists(parts, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in TREE:
        path = folder / name
        if name.endswith("/"):
            path.mkdir()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    (folder / "dangling").symlink_to("nowhere")
    return folder


def by_bash(folder: Path, pattern: str) -> list[str]:
    script = f"shopt -s globstar nullglob; printf '%s\\0' {pattern}"
    said = subprocess.run(["bash", "-c", script], cwd=folder, check=True, capture_output=True).stdout
    return [name.rstrip("/") for name in os.fsdecode(said).split("\0") if name]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=patterns)
def test_as_bash_does_it(tree: Path, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    if "." in pattern.split("/") or ".." in pattern.split("/") or not is_pattern(pattern):
        return
    assert sorted(set(matching(pattern))) == sorted(set(by_bash(tree, pattern)))


def test_absolute_patterns_and_order(tree: Path) -> None:
    found = list(matching(f"{tree}/raw/**/*.fits"))
    assert found == [f"{tree}/raw/{name}" for name in ("a.fits", "2001/c.fits", "2002/deep/e.fits")]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "else" / "where").mkdir(parents=True)
    (tmp_path / "else" / "where" / "x.fits").write_text("x")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "link").symlink_to("../else")
    (tmp_path / "else" / "loop").symlink_to("../raw")
    assert list(matching(f"{tmp_path}/raw/**/*.fits")) == [f"{tmp_path}/raw/link/where/x.fits"]


def test_folders_nest_deeper_than_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    depth = 1100
    for _ in range(depth):
        os.mkdir("d")  # noqa: PTH102 - a Path for each level takes as long as the test
        os.chdir("d")
    monkeypatch.chdir(tmp_path)
    found = [list(matching(pattern)) for pattern in ("**", "/".join(["?"] * depth))]
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # that of Python is recursive
    everything = ["/".join(["d"] * level) for level in range(1, depth + 1)]
    assert found == [everything, everything[-1:]]


def test_a_file_that_is_called_like_a_pattern_is_meant_itself(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    (tree / "[ab].fits").write_text("x")
    assert list(matching("[ab].fits")) == ["[ab].fits"]
    (tree / "[ab].fits").unlink()
    assert list(matching("[ab].fits")) == ["a.fits", "b.fits"]


def test_names_of_other_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_text("x")
    assert [os.fsencode(path).rpartition(b"/")[2] for path in matching(f"{tmp_path}/caf?.csv")] == [b"caf\xe9.csv"]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("/a/"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root, who runs CI, may list everything
    with pytest.raises(PermissionError):
        list(matching(f"{tmp_path}/**/*.fits"))
