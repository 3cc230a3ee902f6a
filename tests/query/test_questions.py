"""The examples of the language, and the questions that people have, on a survey: each gets the oracle's answer, row for
row, which is some rows and not all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from provenance.publishing import publication
from tests.query.oracle.agreement import difference
from tests.query.oracle.answer import Oracle
from tests.query.oracle.facts import World
from tests.query.oracle.pools import NOW
from tests.query.oracle.stores import Asking, tell
from tests.query.oracle.survey import BAD, PROCESSING, make_survey

EXAMPLES = (Path(__file__).with_name("golden") / "examples.txt").read_text(encoding="utf-8").splitlines()
GIVEN: dict[str, Any] = {
    "bad": BAD.hex(),
    "wf": f"00000000-0000-0000-0000-{PROCESSING['A']:012x}",
    "last_week": NOW - dt.timedelta(days=7),
    "names": [f"raw_{number:03d}.fits" for number in range(0, 20_000, 2)],
}
QUESTIONS = {
    "childless files": "files where not consumed by (jobs)",
    "files of one campaign that no job of workflow B consumed":
        'files where campaign = "DR3" and not consumed by (jobs where workflow.name = "B")',
    "the newest calibration for each detector before a given time":
        'files where kind = "flat" and created < 2026-05-20 latest 1 per detector by created',
    "runs whose temperature was missing": 'files where kind = "raw" and detector_temp is missing summarize count(*) by run',
    "files with two contents under one name":
        'files where origin = "raw" summarize min(sha256) as one, max(sha256) as other, count(*) as n by name where one != other',
    "every raw file that a published figure depends on":
        'files upstream of (files where name = "figure_3.pdf") where origin = "raw"',
    "every result to be withdrawn because of one bad input": "files downstream of (files where sha256 = $bad)",
    "replicas not verified for 30 days": "replicas where not (verified >= now - 30 days)",
    "bytes by site and campaign":
        'replicas where file.campaign = "DR3" summarize sum(size) as bytes by site, file.campaign order by bytes desc',
    "the same question as of last week": 'files where kind = "calexp" as of $last_week',
    "any of two tags and none of a third": 'files where tags has any ("golden", "silver") and not (tags has "retracted")',
    "a list of 10 000 names": "files where name in $names",
    "equal content under other names":
        'files with the content of (files where name = "raw_001.fits") where name != "raw_001.fits"',
}  # fmt: skip


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asking, Oracle]]:
    """The survey in a store, each commit made when it says."""
    world = make_survey()
    times = iter([told.made for told in world.commits])

    clock = SimpleNamespace(UTC=dt.UTC, datetime=SimpleNamespace(now=lambda _: next(times)))
    with patch.object(publication, "dt", clock):
        store = tell(world, tmp_path_factory.mktemp("survey") / ".pirene")
    asking = Asking(store, world, widened=False)
    yield asking, Oracle(world, NOW)
    asking.close()


def same(survey: tuple[Asking, Oracle], text: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What is shown, if both agree and it is some of what there is."""
    asking, oracle = survey
    used = {name: value for name, value in parameters.items() if f"${name}" in text}
    expected = oracle.answer(text, used)
    found = asking.ask_at_the_door(text, used)
    assert difference(expected, found) is None
    assert 0 < expected.chosen < expected.total
    assert found.shown
    return found.shown


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_language(text: str, survey: Any) -> None:
    same(survey, text, GIVEN)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_that_people_have(question: str, survey: Any) -> None:
    same(survey, QUESTIONS[question], GIVEN)


def test_jobs_slower_than_three_times_the_average_of_their_transformation(survey: Any) -> None:
    """Two questions, the second with the answer to the first."""
    averages = same(survey, 'jobs where transformation = "isr" summarize avg(duration) as a by transformation', {})
    ((transformation, average),) = averages
    slow = same(
        survey, "jobs where transformation = $which and duration > 3 * $average show id",
        {"which": transformation, "average": average},
    )  # fmt: skip
    assert slow == [("isr4",), ("isr5",)]


def test_what_was_told_is_enough_for_two_contents(survey: Any) -> None:
    _, oracle = survey
    assert isinstance(oracle.world, World)
    (row,) = same(survey, QUESTIONS["files with two contents under one name"], {})[:1]
    assert row[0] == "raw_002.fits"
