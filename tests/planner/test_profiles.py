"""Which profile wins."""

from __future__ import annotations

import itertools

import pytest

from planner.catalogs.model import Site, Transformation, TransformationSite
from planner.profiles import PRECEDENCE, effective_profiles, property_profiles
from planner.workflow import Job, Place, Profiles

HERE = Place(None, 1, 1)


def effective(given: dict[str, Profiles]) -> Profiles:
    job = Job("a", "job", "t", HERE, profiles=given.get("job", {}))
    return effective_profiles(
        job,
        Transformation("t", HERE, profiles=given.get("transformation", {})),
        TransformationSite("local", "/t", "installed", HERE, profiles=given.get("transformation site", {})),
        Site("local", HERE, profiles=given.get("site", {})),
        {f"{name}.{key}": text for name, keys in given.get("properties", {}).items() for key, text in keys.items()},
        given.get("workflow"),
    )


def test_the_order_is_the_reference_guides() -> None:
    assert PRECEDENCE == ("properties", "workflow", "job", "site", "transformation", "transformation site")


@pytest.mark.parametrize(("weaker", "stronger"), list(itertools.combinations(PRECEDENCE, 2)))
def test_the_stronger_of_any_two_wins_key_by_key(weaker: str, stronger: str) -> None:
    found = effective(
        {
            weaker: {"env": {"A": weaker, "B": weaker}, "dagman": {"retry": "1"}},
            stronger: {"env": {"A": stronger, "C": stronger}},
        }
    )
    assert found == {"env": {"A": stronger, "B": weaker, "C": stronger}, "dagman": {"retry": "1"}}


def test_nothing_given_is_nothing() -> None:
    job = Job("a", "job", "t", HERE)
    assert effective_profiles(job, None, None, None, {}) == {}


def test_profiles_among_properties() -> None:
    properties = {
        "env.LANG": "C",
        "dagman.RETRY": "3",
        "pirene.salt": "x",
        "pegasus.mode": "debug",
        "env.": "",
        "mine": "1",
    }
    assert property_profiles(properties) == {"env": {"LANG": "C"}, "dagman": {"retry": "3"}, "pirene": {"salt": "x"}}


def test_merging_changes_nothing_that_was_given() -> None:
    given = {"env": {"A": "1"}}
    effective({"properties": {"env": {"A": "0"}}, "job": given, "site": {"env": {"A": "2"}}})
    assert given == {"env": {"A": "1"}}
