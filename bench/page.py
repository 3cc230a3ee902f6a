"""The page of benchmarks: sections that are measured one by one, each with when and where that was."""

from __future__ import annotations

HEAD = """# Benchmarks

Written by `make bench`; do not edit. Times are medians of whole processes. Each section says when and where it was
measured: `make bench SECTIONS="startup wrapper"` measures these again and leaves the others as they are. What was
measured by hand, for want of time or of a quiet machine, or to find out why, is in
[another page](benchmarks-by-hand.md).
"""
_SECTION = "## "


def with_section(page: str, section: str, measured_on: str) -> str:
    """The page with a section that begins with a title, in the place of the one of that title or else at the end."""
    sections = dict(text.partition("\n")[::2] for text in page.rstrip("\n").split(f"\n\n{_SECTION}")[1:])
    title, _, body = section.removeprefix(_SECTION).rstrip("\n").partition("\n")
    sections[title] = f"\n{measured_on}\n{body}"
    return HEAD + "".join(f"\n{_SECTION}{title}\n{body}\n" for title, body in sections.items())
