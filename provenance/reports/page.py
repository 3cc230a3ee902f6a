"""The report of an audit as one page of HTML that needs nothing else: no script, no font, no picture, no network.

The text is in report.html.jinja, which escapes all that it is given; this module says what there is to show, and how
much of it: a page of a million findings helps nobody, and the JSON document has them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from integrity.findings import Verdict, meaning
from provenance.reports import wording
from query.context import amount
from query.terminal_text import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from integrity.report import Report

_SHOWN_FINDINGS = 500
_SHOWN_STEPS = 200
_SHOWN_NAMES = 25
_SHOWN_IN_BRIEF = 6
_CLIPPED = 60  # characters of a name in the overview; below it is whole
_TITLES = {
    Verdict.CLEAN: "Clean",
    Verdict.DAMAGED: "Damaged",
    Verdict.INCOMPLETE: "Incomplete",
    Verdict.TAMPERED: "Tampered",
}


def page(report: Report) -> str:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "harmless": harmless,
        "place": wording.place,
        "sight": wording.sight,
        "in_words": wording.in_words,
        "percent": wording.percent,
        "bytes": wording.amount_of_bytes,
        "comparison": wording.comparison,
        "shown": _shown,
        "brief": lambda names: _shown([_clipped(name) for name in names], _SHOWN_IN_BRIEF),
        "clipped": lambda names: ", ".join(map(_clipped, names)),
    }
    bad = [finding for finding in report.findings if meaning(finding.kind) is not Verdict.INCOMPLETE]
    return environment.get_template("report.html.jinja").render(
        report=report,
        title=_TITLES[report.verdict],
        summary=wording.verdict_in_words(report),
        obstacle=wording.obstacle_in_words(report),
        scope=wording.scope_in_words(report),
        when="" if report.at is None else wording.moment(report.at),
        findings=report.findings[:_SHOWN_FINDINGS],
        more_findings=max(0, len(report.findings) - _SHOWN_FINDINGS),
        bad=bad,
        affected_files=wording.affected_files(bad),
        affected_jobs=sorted({name for finding in bad for name in finding.affected_jobs}),
        sample=None if report.sample is None else wording.sample_in_words(report.sample),
        overhead=None if report.overhead is None else wording.overhead_in_words(report.overhead),
        log=wording.log_in_words(report.log.status),
        amount=amount,
        copies=wording.copies,
        is_store_in_doubt=wording.is_store_in_doubt(report),
        mend_the_store=wording.MEND_THE_STORE,
        redirections=wording.REDIRECTIONS,
        at_most=_SHOWN_STEPS,
    )


def _clipped(name: str) -> str:
    """A name as far as there is room for it at a glance."""
    text = harmless(name)
    return text if len(text) <= _CLIPPED else f"{text[: _CLIPPED - 1]}…"


def _shown(names: Sequence[str], at_most: int = _SHOWN_NAMES) -> Markup:
    """Names, in one line; of many the first. Each keeps its own direction of writing to itself."""
    shown = Markup(", ").join(Markup("<bdi>{}</bdi>").format(harmless(name)) for name in names[:at_most])
    rest = len(names) - at_most
    return shown + f" and {rest} more" if rest > 0 else shown
