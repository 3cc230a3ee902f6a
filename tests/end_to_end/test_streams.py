"""Standard streams that are closed, full or not read to the end."""

from __future__ import annotations

import subprocess


def shell(site, redirected: str) -> subprocess.CompletedProcess[str]:
    """`pirene query files` in a shell, with what is added to it."""
    (site.folder / "a").write_text("x")
    site.run("files", "add", "a")
    command = " ".join(site.argv("query", "files", "--format", "json"))
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirected}"],
        cwd=site.folder,
        env=dict(site.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_reader_that_goes_away_is_no_failure(site) -> None:
    ended = shell(site, "| head -c 3")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[\n{", "")


def test_closed_streams(site) -> None:
    for redirected in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        ended = shell(site, redirected)
        assert (ended.returncode, ended.stderr) == (0, ""), redirected


def test_a_full_disk_is_said(site) -> None:
    ended = shell(site, "> /dev/full")
    assert ended.returncode == 2
    assert ended.stderr == "pirene: No space left on device\n"


def test_another_encoding_gets_escapes(site):
    (site.folder / "日本").write_text("x")
    site.run("files", "add", "日本")
    shown = site.run("lineage", "日本", environment={"PYTHONIOENCODING": "latin-1"}).out
    assert shown.startswith(r"\u65e5\u672c  (raw)")
