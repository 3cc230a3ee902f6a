"""Which files are meant by what a user names, and that nothing of it is left out silently."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from integrity.digest import hash_path
from provenance.metadata import parse_assignments
from provenance.reading.views import fetch
from provenance.registration.found_files import Unusable, find
from provenance.registration.path_template import PathTemplateError
from provenance.registration.raw_files import UnreadableFilesError, add_files
from provenance.store import Store
from provenance.urls import file_url


def found(*paths: object, trees: bool = False) -> tuple[list[str], list[Unusable]]:
    unusable: list[Unusable] = []
    names = [file.name for file in find([str(path) for path in paths], unusable, trees=trees)]
    return names, unusable


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two sites with two years each, and a hidden file."""
    for site in ("hyytiala", "svalbard"):
        for year in (1997, 1998):
            folder = tmp_path / "raw" / site / str(year)
            folder.mkdir(parents=True)
            (folder / "flux.csv").write_text(f"{site} {year}")
    (tmp_path / "raw" / ".notes").write_text("hidden")
    return tmp_path / "raw"


def test_a_folder_is_all_files_below_it(raw: Path) -> None:
    names = [".notes", *(f"{site}/{year}/flux.csv" for site in ("hyytiala", "svalbard") for year in (1997, 1998))]
    assert found(raw) == (names, [])
    assert found(f"{raw}/") == (names, [])


def test_patterns_are_expanded(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(f"{raw}/*/1997") == (["flux.csv"] * 2, [])
    assert found(f"{raw}/**/flux.csv") == (["flux.csv"] * 4, [])
    monkeypatch.chdir(raw)
    assert found("h*")[0] == ["1997/flux.csv", "1998/flux.csv"]
    assert found("*.fits") == ([], [Unusable("*.fits", "nothing matches this pattern")])


def test_urls_of_this_and_other_machines(raw: Path) -> None:
    assert found(file_url(raw / ".notes")) == ([".notes"], [])
    assert found("s3://bucket/a/b%20c.fits?x=*") == (["b c.fits"], [])


def test_a_url_that_cannot_be_taken_apart_is_named() -> None:
    named, unusable = found("http://ada:s3cret@[x/y", "http://h/z")
    assert named == ["z"]
    assert unusable == [Unusable("http://[x/y", "not a URL: Invalid IPv6 URL")]


def test_every_name_has_the_url_of_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "a%b#c" / "new\nline"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"caf\xe9 ?.x")).write_text("x")
    (each,) = find([str(tmp_path)], [])
    assert each.path is not None
    assert each.url == file_url(each.path)
    assert each.size_bytes == 1


def test_what_cannot_be_a_file_is_named_with_its_reason(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (raw / "dangling").symlink_to("nowhere")
    (raw / "self").symlink_to("self")
    os.mkfifo(raw / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("raw/socket")
    names, unusable = found("raw", "gone", "/dev/null")
    assert len(names) == 5
    assert unusable == [
        Unusable("raw/dangling", "a link to nowhere, which is not there"),
        Unusable("raw/pipe", "a named pipe"),
        Unusable("raw/self", "a link that leads to itself (self)"),
        Unusable("raw/socket", "a socket"),
        Unusable("gone", "No such file or directory"),
        Unusable("/dev/null", "a character device"),
    ]


def test_a_folder_that_cannot_be_listed_is_named(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("svalbard"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root, who runs CI, may list everything
    names, unusable = found(raw)
    assert len(names) == 3
    assert unusable == [Unusable(f"{raw}/svalbard", "Permission denied")]


def test_a_file_that_vanishes_while_its_folder_is_walked_is_named(raw: Path) -> None:
    unusable: list[Unusable] = []
    walk = find([str(raw / "hyytiala" / "1997")], unusable)
    (raw / "hyytiala" / "1997" / "b").write_text("x")
    next(walk)
    (raw / "hyytiala" / "1997" / "flux.csv").unlink()
    assert list(walk) == []
    assert unusable == [Unusable(f"{raw}/hyytiala/1997/flux.csv", "No such file or directory")]


def test_files_below_the_root_have_the_urls_of_their_paths() -> None:
    first = next(find(["/"], []))
    assert first.path is not None
    assert first.path.startswith("/")
    assert first.url == file_url(first.path)
    assert file_url("//etc/passwd") == "file:///etc/passwd"


def test_a_url_of_other_bytes_is_percent_encoded() -> None:
    (found,) = find(["root://h/caf\udce9?x=\udcff"], [])
    assert (found.url, found.name) == ("root://h/caf%E9?x=%FF", "caf\udce9")


def test_folders_nest_deeper_than_calls(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("deep", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    names, unusable = found(tmp_path)
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # that of Python is recursive
    assert names == ["d/" * 1200 + "deep"]
    assert unusable == []


def test_all_or_none_unless_the_user_wants_the_others(store: Store, raw: Path) -> None:
    for number in range(7):
        (raw / f"dangling{number}").symlink_to("nowhere")
    with pytest.raises(UnreadableFilesError, match=r"dangling0: a link to nowhere.* \(and 2 more\)") as raised:
        add_files(store, [raw])
    assert "--keep-going" in str(raised.value.hint)
    assert store.snapshot().number == 0
    done = add_files(store, [raw], keep_going=True)
    assert (len(done.files), len(done.left_out)) == (5, 7)
    assert store.snapshot().number == 1


def test_a_file_that_cannot_be_read_or_changes_meanwhile(
    store: Store, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = raw / "hyytiala" / "1998" / "flux.csv"
    read = os.readv

    def grow(descriptor: int, buffers: list[memoryview]) -> int:
        count = read(descriptor, buffers)
        if os.fstat(descriptor).st_ino == victim.stat().st_ino:
            with victim.open("a") as stream:
                stream.write("more than one read")  # at every read: its end is never reached
        return count

    monkeypatch.setattr(os, "readv", grow)
    with pytest.raises(UnreadableFilesError, match=r"1998/flux.csv.* changed while it was read"):
        add_files(store, [raw])
    assert store.snapshot().number == 0
    done = add_files(store, [raw], keep_going=True)
    assert [each.path for each in done.left_out] == [str(victim)]
    assert len(done.files) == 4


def test_a_folder_as_one_file(store: Store, raw: Path) -> None:
    done = add_files(store, [raw / "hyytiala", raw / "svalbard"], trees=True)
    assert [(file.name, file.sha256) for file in done.files] == [
        (site, hash_path(raw / site).sha256) for site in ("hyytiala", "svalbard")
    ]
    assert fetch(store, "SELECT DISTINCT kind FROM files") == [("folder",)]
    assert [file.new for file in add_files(store, [f"{raw}/*"], trees=True, keep_going=True).files] == [False, False]
    with pytest.raises(UnreadableFilesError, match="a file, where --tree expects folders"):
        add_files(store, [raw / ".notes"], trees=True)


def test_metadata_from_paths(store: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (raw / ".notes").unlink()
    given = parse_assignments(("kind=raw", "site=?"))
    add_files(store, [raw], path_metadata="{site}/{year}/{name}", metadata=given, name="{site}-{year}")
    rows = list(store.query('files where kind = "raw" and year > 1997 show name, site order by name').objects())
    assert [(row["name"], row["site"]) for row in rows] == [
        ("hyytiala-1998", "hyytiala"),
        ("svalbard-1998", "svalbard"),
    ]
    monkeypatch.chdir(tmp_path)
    add_files(store, ["./raw/*/*/flux.csv"], path_metadata="raw/{station}/{name}/flux.csv")
    rows = list(store.query('files where station = "svalbard"').objects())
    assert len(rows) == 2
    (raw / "readme").write_text("x")
    with pytest.raises(PathTemplateError, match=r"readme does not fit .* it has 1 parts, the template 3"):
        add_files(store, [raw], path_metadata="{site}/{year}/{name}")


def test_what_a_table_says_comes_before_the_template(store: Store, raw: Path) -> None:
    (raw / "t.csv").write_text("path,site\nhyytiala/1997/flux.csv,SMEAR\n")
    add_files(store, [], table=raw / "t.csv", path_metadata="{site}/{year}/{name}")
    assert [row["site"] for row in store.query("files show site, year").objects()] == ["SMEAR"]
