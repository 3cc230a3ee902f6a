"""The demo, told step by step: every figure that it shows is in the JSON form of the same command too, and is right."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CASE = Path(__file__).resolve().parents[2] / "datasets" / "co2-el-nino"
CO2_JOBS, SST_JOBS = 42, 45  # 1959 to 2001 without 1964; 1957 to 2001
JOBS = CO2_JOBS + SST_JOBS + len(("climatology", "growth", "index", "correlation", "figure", "summary"))
RUNS = ("first", "second", "third")


def load_demo() -> ModuleType:
    """demo.py as a module; it is a script of a data set, not part of a package."""
    specification = importlib.util.spec_from_file_location("co2_el_nino_demo", CASE / "demo.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@dataclass(frozen=True, slots=True)
class Told:
    """A step that was told: what it showed, its exit code, and the JSON form of the same."""

    title: str
    text: str
    code: int
    document: Any


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, pirene: Path) -> dict[str, Told]:
    """The whole story, by the name of the command or of the run folder that each step is about."""
    demo = load_demo()
    folder = tmp_path_factory.mktemp("demo")
    shutil.rmtree(folder)
    demo.prepare(folder)
    steps: dict[str, Told] = {}
    for step in demo.story(folder):
        if isinstance(step, demo.Damage):
            steps["damage"] = Told(step.title, demo.flip_one_bit(step.path), 0, None)
            continue
        code, text = demo.pirene(str(pirene), step.arguments, folder)
        assert code == step.exit_code, f"{step.arguments}: {text}"
        asked = subprocess.run(
            [pirene, *step.document],
            cwd=folder,
            env=demo.environment(folder),
            check=False,
            capture_output=True,
            text=True,
        )
        planned_only = 3  # `status` of a run that has not begun: incomplete
        assert asked.returncode in (0, step.exit_code, planned_only), f"{step.document}: {asked.stderr}"
        name = step.document[1] if step.live else f"{step.arguments[0]} {len(steps)}"
        steps[name] = Told(step.title, text, code, json.loads(asked.stdout))
    return steps


def find(told: dict[str, Told], start: str, title: str = "") -> Told:
    """The one step whose name starts so and whose title holds the text."""
    (step,) = (step for name, step in told.items() if name.startswith(start) and title in step.title)
    return step


def numbers(document: Any) -> Iterator[float]:
    """All numbers anywhere in a document."""
    match document:
        case bool() | None | str():
            return
        case int() | float():
            yield document
        case list():
            yield len(document)
            for element in document:
                yield from numbers(element)
        case dict():
            for element in document.values():
                yield from numbers(element)


def not_in_documents(text: str, documents: list[Any]) -> list[str]:
    """The words with a digit that a text shows and that the documents do not hold, neither as text nor as a number."""
    everything = json.dumps(documents, ensure_ascii=False)
    known = list(numbers(documents))
    shares = [value * 100 for value in known if 0 <= value <= 1]
    text = re.sub(
        r"(?m)^(read .*) in [\d.]+ s$", r"\1", text
    )  # how long an audit took: the other one took another time
    missing = [word for word in re.findall(r"([\d.]+) %", text) if not any(f"{share:.3g}" == word for share in shares)]
    text = re.sub(r"[\d.]+ %", "", text)
    for word in re.findall(r"[^\s,;()\[\]│|…\"'`]*\d[^\s,;()\[\]│|…\"'`]*", text):
        bare = word.rstrip(".:")
        if bare in everything:
            continue
        try:
            shown = float(bare)
        except ValueError:
            missing.append(word)
            continue
        decimals = len(bare.partition(".")[2])
        if not any(abs(round(value, decimals) - shown) < 10 ** -(decimals + 3) for value in known):
            missing.append(word)
    return missing


def test_every_shown_figure_is_in_the_json_form(told: dict[str, Told]) -> None:
    everywhere = [step.document for step in told.values() if step.document is not None]
    for name, step in told.items():
        if step.document is not None:
            # What a run says on the way (which job was refused, and why) is asked for by later steps of the story.
            documents = everywhere if name in RUNS else [step.document]
            assert not_in_documents(step.text, documents) == [], f"{name}: {step.text}"


def test_the_first_run_ran_everything(told: dict[str, Told]) -> None:
    first = told["first"]
    assert first.document["status"] == "succeeded"
    assert first.document["jobs"] == {
        "total": JOBS,
        "run": JOBS,
        "reused": 0,
        "succeeded": JOBS,
        "failed": 0,
        "integrity_failed": 0,
        "not_run": 0,
    }
    assert str(JOBS) in first.text


def test_the_question_about_gaps_is_answered(told: dict[str, Told]) -> None:
    rows = find(told, "query", "Which years").document
    assert [(row["name"], row["gaps"]) for row in rows][:2] == [("mlo-co2-1964.csv", 21), ("mlo-co2-1958.csv", 15)]
    assert {row["period"] for row in rows} == {1958, 1959, 1962, 1963, 1964, 1966, 1967, 1976, 1984, 1985}
    assert {row["quality"] for row in rows if row["period"] not in (1958, 1964)} == {"gaps"}


def test_the_job_reported_the_result(told: dict[str, Told]) -> None:
    (row,) = find(told, "query", "jobs themselves").document
    assert (row["id"], row["lag_months"], row["r"], row["n"]) == ("correlation", 4, 0.5401, 480)
    assert row["duration"] > 0


def test_the_raw_files_with_gaps_behind_the_result_are_found(told: dict[str, Told]) -> None:
    rows = find(told, "query", "behind it").document
    assert {row["name"]: row["gaps"] for row in rows} == {
        f"mlo-co2-{year}.csv": gaps
        for year, gaps in ((1959, 4), (1962, 4), (1963, 3), (1966, 4), (1967, 2), (1976, 1), (1984, 4), (1985, 1))
    }


def test_the_lineage_of_the_result_is_whole(told: dict[str, Told]) -> None:
    document = find(told, "lineage").document
    names = [node["name"] for node in document["nodes"] if node["kind"] == "file"]
    raw = {name for name in names if name.startswith("mlo-co2-") and not name.endswith("-monthly.csv")}
    assert raw == {f"mlo-co2-{year}.csv" for year in range(1959, 2002) if year != 1964}
    assert sum(1 for node in document["nodes"] if node["kind"] == "job") >= CO2_JOBS + SST_JOBS + 4
    assert len(names) == len(set(names))
    ids = {node["id"] for node in document["nodes"]}
    assert {end for edge in document["edges"] for end in edge} <= ids


def test_the_second_run_reused_everything_and_says_why(told: dict[str, Told]) -> None:
    assert told["second"].document["status"] == "succeeded"
    assert told["second"].document["jobs"]["reused"] == JOBS
    assert told["second"].document["jobs"]["run"] == 0
    reasons = find(told, "explain").document
    assert len(reasons) == JOBS
    assert {entry["decision"] for entry in reasons} == {"reuse"}
    assert {entry["ground"] for entry in reasons} == {"proven"}
    assert all(entry["reason"] for entry in reasons)


def test_the_damaged_file_is_refused(told: dict[str, Told]) -> None:
    jobs = told["third"].document["jobs"]
    assert told["third"].code == 1
    assert told["third"].document["status"] == "failed"
    assert jobs["integrity_failed"] == 1
    assert jobs["reused"] == 0
    # Only what is below the refused job did not run: growth, correlation, figure, summary.
    assert (jobs["not_run"], jobs["succeeded"]) == (4, JOBS - 5)


def test_expected_and_actual_are_the_digests_of_the_two_versions(told: dict[str, Told]) -> None:
    (row,) = find(told, "query", "expected").document
    original = (CASE / "raw" / "mlo-co2-1998.csv").read_bytes()
    damaged = bytearray(original)
    damaged[len(original) // 2] ^= 1
    assert row["name"] == "mlo-co2-1998.csv"
    assert row["stage"] == "pre-exec"
    assert row["class"] == "content-mismatch"
    assert row["expected"] == hashlib.sha256(original).hexdigest()
    assert row["actual"] == hashlib.sha256(damaged).hexdigest()


def test_the_audit_finds_that_file_and_no_other(told: dict[str, Told]) -> None:
    audit = find(told, "audit").document
    assert audit["verdict"] == "damaged"
    assert {finding["name"] for finding in audit["findings"]} == {"mlo-co2-1998.csv"}


def test_the_original_is_untouched(told: dict[str, Told]) -> None:
    listed = dict(reversed(line.split("  ")) for line in (CASE / "SHA256SUMS").read_text().splitlines())
    original = (CASE / "raw" / "mlo-co2-1998.csv").read_bytes()
    assert hashlib.sha256(original).hexdigest() == listed["raw/mlo-co2-1998.csv"]
    assert "mlo-co2-1998.csv" in told["damage"].text


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, pirene: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    command = [sys.executable, str(CASE / "demo.py"), "--pirene", str(pirene), "--folder", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
