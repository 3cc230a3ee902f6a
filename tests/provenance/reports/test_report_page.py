"""The page: it says what there is to say, needs nothing from outside, and no name can make it do anything."""

from __future__ import annotations

import datetime as dt
import re
import struct
import subprocess
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from integrity.findings import Finding, FindingClass
from integrity.repair import RepairPlan
from integrity.report import Coverage, Report
from provenance.reports.page import page
from provenance.reports.terminal import lines
from provenance.reports.wording import in_words

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)
LIGHT_VERDICT, DARK_VERDICT = (0x7B, 0x1F, 0xA2), (0xD9, 0xA0, 0xF0)
LIGHT_PAPER, DARK_PAPER = (0xFF, 0xFF, 0xFF), (0x14, 0x17, 0x1A)
VOID = {"meta", "br"}


class Strict(HTMLParser):
    """Elements, attributes and text; AssertionError where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_it_says_what_is_damaged_what_it_affects_and_what_to_do_before_all_else(damaged: Report) -> None:
    text = Strict(page(damaged)).text
    order = ["Tampered", "What is damaged", "What it affects", "What to do", "step by step", "Findings", "verified"]
    places = [text.index(title) for title in order]
    assert places == sorted(places)
    for expected in (
        "30 of 40 copies read from the first byte to the last",
        "at 95 % confidence at most 23.9 % of these copies are damaged",
        "1.5 s of hashing for 300 s of jobs: 0.5 %",
        "Read 123 MB in 4.5 s",
        "when job isr-0007 of",
        "in an audit, on node1, 2026-11-23 08:20:00 UTC",
        "/backup/x y.dat",
        "nothing is known that its bytes could be compared with",
        "cp -- '<good>' '<bad>'",
        "12 commits, root " + "04" * 32,
        "01" * 32,
        "catalogue.csv",
    ):
        assert expected in text
    for kind in FindingClass:
        assert f"{in_words(kind)} ({kind.value})" in text


def test_no_name_can_do_anything(damaged: Report) -> None:
    parsed = Strict(page(damaged))
    assert not parsed.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "svg"}
    names = {name for name, _ in parsed.attributes}
    assert names <= {"lang", "charset", "name", "content", "http-equiv", "class", "style"}
    text = page(damaged)
    assert "49" not in re.sub(r"[0-9a-f]{64}", "", parsed.text), "a template in a name is text"
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ufffe]", text)
    assert text.encode("utf-8"), "no surrogates"
    assert "\\x1b[31m\\x00\\u202e\\udcff\\ufffe\\n.dat" in parsed.text


def test_it_needs_nothing_from_outside(damaged: Report) -> None:
    text = page(damaged)
    assert not re.search(r"url\(|@import|https?:|src=|href=", text)
    assert "default-src 'none'; style-src 'unsafe-inline'" in text


def test_clean_and_incomplete(clean: Report, incomplete: Report) -> None:
    good = Strict(page(clean)).text
    assert "Clean All 3 copies were read, and every byte is as recorded." in good
    assert "What is damaged" not in good
    assert "no tamper-evident log" in good
    one = Strict(page(replace(clean, coverage=Coverage(1, 1)))).text
    assert "The one copy was read" in one and "1 of 1 copy read" in one and "1 copies" not in one
    text = Strict(page(incomplete)).text
    assert "Incomplete No damage was found, but only 1 of 3 copies could be verified." in text
    assert "it cannot be read from this machine far.dat" in text


def test_a_million_findings_do_not_make_a_page_that_no_browser_opens(damaged: Report) -> None:
    many = replace(damaged, findings=damaged.findings[:1] * 1_000_000)
    text = page(many)
    assert len(text) < 2_000_000
    assert "and 999500 more, all in the JSON report" in text


def test_ten_thousand_steps_do_not_hide_what_is_found(damaged: Report) -> None:
    repair = RepairPlan(
        damaged.repair.restores * 10_000,
        damaged.repair.recopies * 10_000,
        damaged.repair.reruns * 10_000,
        damaged.repair.commands * 10_000,
    )
    text = page(replace(damaged, repair=repair))
    assert len(text) < 1_000_000
    assert "And 9800 more to restore" in text
    assert text.count("and 9800 more, all in the JSON report") == 2


def test_the_overview_has_room_for_three_boxes_whatever_the_names(damaged: Report) -> None:
    long = "x" * 300
    finding = replace(damaged.findings[0], name=long, affected_files=(long,), affected_jobs=(long,))
    text = page(replace(damaged, findings=(finding,)))
    overview = text[text.index("What is damaged") : text.index("step by step")]
    assert "x" * 59 + "…" in overview and "x" * 60 not in overview
    assert long in text[text.index("Findings") :]


def test_what_is_damaged_itself_is_not_among_the_other_files_that_it_affects(damaged: Report) -> None:
    one = replace(damaged.findings[0], name="growth.csv", affected_files=("summary.txt", "figure.svg"))
    other = replace(damaged.findings[0], name="summary.txt", affected_files=())
    text = Strict(page(replace(damaged, findings=(one, other)))).text
    assert "2 copies are damaged or missing; 1 other file was made with them." in text
    assert "1 other file was made with it, by 2 jobs: figure.svg They need" in text


def test_of_what_was_made_with_damaged_files_nothing_is_promised_where_the_store_is_damaged(damaged: Report) -> None:
    copy = replace(damaged.findings[0], affected_files=("figure.svg",))
    of_store = Finding(FindingClass.CATALOG_MISMATCH, "commits/2.json", "", "audit", AT, error="expected this")
    promise = "They need not be made again"
    assert promise in Strict(page(replace(damaged, findings=(copy,)))).text
    assert promise not in Strict(page(replace(damaged, findings=(copy, of_store)))).text


def test_damage_of_the_store_puts_all_that_it_says_in_doubt(clean: Report) -> None:
    """What to do is to mend the store; nothing is said of files that nobody looked at."""
    at = Finding(FindingClass.CATALOG_MISMATCH, "commits/2.json", "", "audit", AT, error="expected this, found that")
    nothing = replace(clean, coverage=Coverage(0, 0), findings=(at,), obstacle="commits/2.json: no commit")
    for report in (nothing, replace(clean, findings=(at,))):
        text = Strict(page(report)).text
        assert "All that this store says of files" in text
        assert "First of all: trust no answer of this store until its damaged files are restored" in text
        assert "expected this, found that" in text
        for false in (
            "no other file was made",
            "Nothing can be repaired",
            "last seen good",
            "none is known",
            "read by",
        ):
            assert false not in text
        said = list(lines(report, with_repair_plan=True))
        assert any(line.startswith("first of all: trust no answer") for line in said)
        assert "nothing has to be repaired" not in said


def chromium(folder: Path, address: str, *options: str) -> bytes:
    """Run the browser without a window, network or scripts of its own; what it printed."""
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", *options, address,
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=folder).stdout


def colours(path: Path) -> set[tuple[int, int, int]]:
    """The colours of a PNG of 8-bit RGB or RGBA (ISO/IEC 15948)."""
    data, position, packed = path.read_bytes(), 8, b""
    width = height = channels = 0
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, chunk = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            width, height, _, colour_type = struct.unpack_from(">IIBB", chunk)
            channels = {2: 3, 6: 4}[colour_type]
        elif kind == b"IDAT":
            packed += chunk
        position += 12 + length
    raw, row, found = zlib.decompress(packed), bytearray(width * channels), set()
    for y in range(height):
        start = y * (width * channels + 1)
        row = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + width * channels]), row, channels)
        found |= {(row[i], row[i + 1], row[i + 2]) for i in range(0, len(row), channels)}
    return found


def unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    for i in range(len(line)):
        left, up = line[i - step] if i >= step else 0, above[i]
        corner = above[i - step] if i >= step else 0
        nearest = min(
            (abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner)
        )
        line[i] = (line[i] + (0, left, up, (left + up) // 2, nearest[2])[kind]) & 255
    return line


@pytest.mark.parametrize(("scheme", "ink", "paper"), [(1, LIGHT_VERDICT, LIGHT_PAPER), (0, DARK_VERDICT, DARK_PAPER)])
def test_a_browser_shows_it_in_light_and_dark(
    tmp_path: Path, damaged: Report, scheme: int, ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    (tmp_path / "report.html").write_text(page(damaged), "utf-8")
    chromium(
        tmp_path,
        (tmp_path / "report.html").as_uri(),
        "--screenshot=shown.png",
        "--window-size=600,900",
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    seen = colours(tmp_path / "shown.png")
    assert {ink, paper} <= seen


def test_a_browser_reads_it_as_it_was_written(tmp_path: Path, damaged: Report) -> None:
    """What the browser made of the page has the same text; no name became an element."""
    (tmp_path / "report.html").write_text(page(damaged), "utf-8")
    seen = chromium(tmp_path, (tmp_path / "report.html").as_uri(), "--dump-dom").decode("utf-8")
    assert "script" not in Strict(seen).tags
    assert Strict(seen.replace("<tbody>", "").replace("</tbody>", "")).text == Strict(page(damaged)).text
