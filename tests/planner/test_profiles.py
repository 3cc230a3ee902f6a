"""Which profile wins."""

from __future__ import annotations

import itertools

import pytest

from planner.catalogs.model import Site, Transformation, TransformationSite
from planner.profiles import (
    PRECEDENCE,
    effective_profiles,
    own_command,
    property_profiles,
    submit_commands,
    submit_problem,
)
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


def test_what_profiles_ask_of_htcondor() -> None:
    profiles = {
        "pegasus": {"cores": "4", "memory": "2000", "diskspace": "3 GB", "runtime": "60"},
        "condor": {"request_memory": "4GB", "+Project": '"p"', "requirements": "HasIt", "Universe": "local"},
    }
    assert submit_commands(profiles) == {
        "My.Project": '"p"',
        "request_cpus": "4",
        "request_disk": "3 GB",
        "request_memory": "4GB",  # HTCondor's own word goes before that of Pegasus
        "requirements": "HasIt",
    }
    assert submit_commands({}) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [("a b", "x"), ("", "x"), ("a=b", "x"), ("a", "x\ny"), ("a", "x\0"), ("a", "x\r"), ("a", "x\\"), ("}", "x")],
)
def test_what_cannot_stand_in_a_submit_description(key: str, value: str) -> None:
    assert submit_problem(key, value) is not None


def test_what_can_stand_in_a_submit_description() -> None:
    assert submit_problem("+Any.Attr_1", 'a "quoted" $(macro) } text') is None


@pytest.mark.parametrize("key", ["executable", "Universe", "TRANSFER_INPUT_FILES", "+PireneRun", "shard"])
def test_commands_that_are_the_engines_own(key: str) -> None:
    assert own_command(key)
    assert submit_commands({"condor": {key: "x"}}) == {}
