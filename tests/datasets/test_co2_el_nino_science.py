"""The executables of the real case, run by hand in dependency order, against numbers that other code computed.

The pinned numbers were computed once with pandas and scipy from the two published series, without any file of this
project; `naive_*` below compute them again from the raw files in another way than the executables do.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from datetime import date
from pathlib import Path

import pytest

CASE = Path(__file__).resolve().parents[2] / "datasets" / "co2-el-nino"
RAW = CASE / "raw"
CO2_YEARS = [year for year in range(1959, 2002) if year != 1964]
SST_YEARS = range(1957, 2002)
BASE_YEARS = range(1971, 2001)


def program(name: str, *arguments: str, folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run an executable as any user could: the plain interpreter, nothing installed."""
    command = [sys.executable, "-I", "-S", str(CASE / "bin" / f"{name}.py"), *arguments]
    subprocess.run(command, cwd=folder, env=environment or {}, check=True, timeout=60)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the executables make."""
    folder = tmp_path_factory.mktemp("by-hand")
    for year in CO2_YEARS:
        program("monthly_means", str(RAW / f"mlo-co2-{year}.csv"), f"mlo-co2-{year}-monthly.csv", folder=folder)
    base = [str(RAW / f"nino12-sst-{year}.csv") for year in BASE_YEARS]
    program("climatology", "climatology.csv", *base, folder=folder)
    for year in SST_YEARS:
        raw, out = RAW / f"nino12-sst-{year}.csv", f"nino12-sst-{year}-anomaly.csv"
        program("anomalies", str(raw), "climatology.csv", out, folder=folder)
    program("growth_rate", "growth.csv", "*-monthly.csv", folder=folder)
    program("sst_index", "sst-index.csv", "*-anomaly.csv", folder=folder)
    series = ("growth.csv", "sst-index.csv", "correlation.csv", "result.json")
    program(
        "lag_correlation",
        *series,
        "--without",
        "1991-06",
        "1993-12",
        folder=folder,
        environment={"PIRENE_METADATA": str(folder / "reported.json")},
    )
    program("figure", *series, "co2-el-nino.svg", folder=folder)
    program("summary", "result.json", "summary.txt", folder=folder)
    return folder


def naive_growth() -> dict[tuple[int, int], float]:
    """Growth rate by (year, month), without its trend, from the raw files through dates instead of month numbers."""
    weeks: dict[tuple[int, int], list[float]] = {}
    for year in CO2_YEARS:
        for row in (RAW / f"mlo-co2-{year}.csv").read_text().splitlines()[1:]:
            day, _, ppm = row.partition(",")
            if ppm:
                weeks.setdefault((int(day[:4]), int(day[4:6])), []).append(float(ppm))
    level = {month: statistics.mean(values) for month, values in weeks.items()}
    growth = {}
    for year, month in level:
        earlier = (year, month - 6) if month > 6 else (year - 1, month + 6)
        later = (year, month + 6) if month <= 6 else (year + 1, month - 6)
        if earlier in level and later in level:
            growth[(year, month)] = level[later] - level[earlier]
    order = sorted(growth)
    line = statistics.linear_regression([year + month / 12 for year, month in order], [growth[key] for key in order])
    return {
        (year, month): growth[(year, month)] - line.intercept - line.slope * (year + month / 12)
        for year, month in order
    }


def naive_index() -> dict[tuple[int, int], float]:
    """The five-month mean of the temperature anomaly by (year, month), from one long list."""
    rows = {year: (RAW / f"nino12-sst-{year}.csv").read_text().splitlines()[1].split(",")[1:] for year in SST_YEARS}
    mean_year = [statistics.mean(float(rows[year][month]) for year in BASE_YEARS) for month in range(12)]
    keys = [(year, month + 1) for year in SST_YEARS for month in range(12)]
    flat = [float(rows[year][month - 1]) - mean_year[month - 1] for year, month in keys]
    return {keys[at]: statistics.mean(flat[at - 2 : at + 3]) for at in range(2, len(flat) - 2)}


def naive_correlation(lag: int, without: tuple[tuple[int, int], tuple[int, int]] | None = None) -> tuple[float, int]:
    growth, index = naive_growth(), naive_index()
    pairs = []
    for (year, month), value in growth.items():
        if without and without[0] <= (year, month) <= without[1]:
            continue
        before = year * 12 + month - 1 - lag
        warmth = index.get((before // 12, before % 12 + 1))
        if warmth is not None:
            pairs.append((value, warmth))
    return statistics.correlation([value for value, _ in pairs], [warmth for _, warmth in pairs]), len(pairs)


def test_result_is_what_independent_software_found(results: Path) -> None:
    assert json.loads((results / "result.json").read_text()) == {
        "lag_months": 4,
        "r": 0.5401,
        "n": 480,
        "n_independent": 63.0,
        "r_low": 0.337,
        "r_high": 0.695,
        "lag_months_without": 4,
        "r_without": 0.6348,
        "n_without": 449,
    }


def test_every_lag_agrees_with_a_second_opinion(results: Path) -> None:
    with (results / "correlation.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [int(row["lag_months"]) for row in table] == list(range(-12, 19))
    for row in table[::6]:
        r, n = naive_correlation(int(row["lag_months"]))
        assert (float(row["r"]), int(row["n"])) == (pytest.approx(r, abs=2e-6), n)
        r, n = naive_correlation(int(row["lag_months"]), ((1991, 6), (1993, 12)))
        assert (float(row["r_without"]), int(row["n_without"])) == (pytest.approx(r, abs=2e-6), n)


def test_the_job_reports_about_itself_and_about_its_result(results: Path) -> None:
    job, file = json.loads((results / "reported.json").read_text())
    assert job["_type"] == "job"
    assert job["_attributes"] == json.loads((results / "result.json").read_text())
    assert file == {"_type": "file", "_id": "result.json", "_attributes": {"lag_months": 4, "r": 0.5401, "n": 480}}


def test_the_figure_is_a_picture_with_its_numbers_and_sources(results: Path) -> None:
    root = ElementTree.parse(results / "co2-el-nino.svg").getroot()
    namespace = "{http://www.w3.org/2000/svg}"
    texts = [element.text or "" for element in root.iter(f"{namespace}text")]
    assert sum(1 for _ in root.iter(f"{namespace}circle")) == 480 + 1  # a dot for each month, one for the best lag
    assert "r = 0.54 at 4 months" in texts
    assert {"°C", "ppm per year", "r"} <= set(texts)
    assert any(text.startswith("Data: ") for text in texts)
    assert {"1972–73", "1982–83", "1997–98"} <= set(texts)


def test_the_summary_says_the_numbers(results: Path) -> None:
    summary = (results / "summary.txt").read_text()
    assert "r = 0.54 at a lag of 4 months, from 480 months" in summary
    assert "0.34 to 0.69" in summary


def test_a_year_with_a_bad_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("date,co2\n19590103,315.5\n19590110,31x.5\n")
    with pytest.raises(subprocess.CalledProcessError):
        program("monthly_means", "raw.csv", "out.csv", folder=tmp_path)
    assert not (tmp_path / "out.csv").exists()


def table() -> list[dict[str, str]]:
    with (RAW / "metadata.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_table_describes_every_raw_file_and_no_other() -> None:
    described = {row["path"] for row in table()}
    assert described == {path.name for path in RAW.iterdir()} - {"metadata.csv"}
    assert len(described) == 44 + 61


def test_the_digests_are_those_of_the_files() -> None:
    listed = dict(reversed(line.split("  ")) for line in (CASE / "SHA256SUMS").read_text().splitlines())
    assert listed == {f"raw/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in RAW.iterdir()}


def test_the_metadata_of_every_co2_file_are_true() -> None:
    """Counted here with real dates; the preparation counts text."""
    for row in table():
        if row["quantity"] != "co2":
            continue
        values = [line.split(",") for line in (RAW / row["path"]).read_text().splitlines()[1:]]
        days = {date(int(day[:4]), int(day[4:6]), int(day[6:])): ppm for day, ppm in values}
        assert {day.weekday() for day in days} == {5}  # Saturdays
        assert {day.year for day in days} == {int(row["period"])}
        assert int(row["weeks"]) == sum(1 for ppm in days.values() if ppm)
        assert int(row["gaps"]) == sum(1 for ppm in days.values() if not ppm)
        months = {day.month for day, ppm in days.items() if ppm}
        expected = "partial" if len(months) < 12 else "gaps" if int(row["gaps"]) else "complete"
        assert row["quality"] == expected
        assert row["months"] == ""


def test_the_partial_years_are_the_first_and_1964() -> None:
    partial = [row["period"] for row in table() if row["quality"] == "partial"]
    assert partial == ["1958", "1964"]
