#!/usr/bin/env python3
"""The growth rate of CO2 from monthly means, and what is left of it without its own trend. Standard library only.

    growth_rate.py OUT PATTERN

PATTERN names what monthly_means.py wrote (quoted: it is expanded here, in the working folder). The growth rate at month
t is CO2(t + 6 months) - CO2(t - 6 months), in ppm a year: twelve months apart, so that the season cancels. It is there
where both months are. Emissions grow, and the growth rate with them; that slow part, a straight line through all of
it, is taken off. OUT is a CSV `month,co2_ppm,growth_ppm_per_year,growth_anomaly`, with empty cells where there is no
growth rate.
"""

import csv
import json
import math
import os
import sys
from pathlib import Path

HALF_YEAR = 6


def read_months(paths):
    """{months since year 0: ppm} of all files."""
    series = {}
    for path in paths:
        with path.open(encoding="ascii", newline="") as stream:
            for row in csv.DictReader(stream):
                year, month = row["month"].split("-")
                series[int(year) * 12 + int(month) - 1] = float(row["co2_ppm"])
    return series


def straight_line(points):
    """(slope, intercept) of the least-squares line through {x: y}."""
    mean_x = math.fsum(points) / len(points)
    mean_y = math.fsum(points.values()) / len(points)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points.items()) / math.fsum(
        (x - mean_x) ** 2 for x in points
    )
    return slope, mean_y - slope * mean_x


def main():
    """Merge the years, difference, detrend, write."""
    if len(sys.argv) != 3:
        sys.exit("usage: growth_rate.py OUT 'PATTERN'")
    paths = sorted(Path().glob(sys.argv[2]))
    co2 = read_months(paths)
    growth = {
        month: co2[month + HALF_YEAR] - co2[month - HALF_YEAR]
        for month in range(min(co2, default=0), max(co2, default=0) + 1)
        if month + HALF_YEAR in co2 and month - HALF_YEAR in co2
    }
    if len(growth) < 24:
        sys.exit(f"{sys.argv[2]}: {len(paths)} files give a growth rate for {len(growth)} months; expected 24 at least")
    slope, intercept = straight_line(growth)
    with Path(sys.argv[1]).open("w", encoding="ascii", newline="") as stream:
        stream.write("month,co2_ppm,growth_ppm_per_year,growth_anomaly\n")
        for month in range(min(co2), max(co2) + 1):
            level = f"{co2[month]:.6f}" if month in co2 else ""
            rate = f"{growth[month]:.6f},{growth[month] - intercept - slope * month:.6f}" if month in growth else ","
            stream.write(f"{month // 12}-{month % 12 + 1:02d},{level},{rate}\n")
    if "PIRENE_METADATA" in os.environ:
        mean = math.fsum(growth.values()) / len(growth)
        report = {
            "n_years": len(paths),
            "n_growth_months": len(growth),
            "mean_growth_ppm_per_year": round(mean, 4),
            "trend_ppm_per_year_per_decade": round(slope * 120, 4),
        }
        Path(os.environ["PIRENE_METADATA"]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
