#!/usr/bin/env python3
"""The mean year of sea-surface temperature over a base period. Needs only the standard library.

    climatology.py OUT RAW...

Each RAW is a CSV of one year: a header `YEAR,JAN,...,DEC`, then the year and twelve monthly means in degrees Celsius.
OUT is a CSV `month,sst_degc,years` with twelve rows, month 1 to 12.
"""

import csv
import json
import math
import os
import sys
from pathlib import Path


def read_year(path):
    """(year, twelve temperatures). Exits with a message if the file is anything else."""
    with path.open(encoding="ascii", newline="") as stream:
        rows = list(csv.reader(stream))
    if len(rows) != 2 or len(rows[1]) != 13:
        sys.exit(f"{path}: expected a header and one row of a year and twelve values")
    try:
        return int(rows[1][0]), [float(value) for value in rows[1][1:]]
    except ValueError as error:
        sys.exit(f"{path}:2: {error}")


def main():
    """Average each month over all years given."""
    if len(sys.argv) < 3:
        sys.exit("usage: climatology.py OUT RAW...")
    years = sorted(read_year(Path(argument)) for argument in sys.argv[2:])
    with Path(sys.argv[1]).open("w", encoding="ascii", newline="") as stream:
        stream.write("month,sst_degc,years\n")
        for month in range(12):
            mean = math.fsum(values[month] for _, values in years) / len(years)
            stream.write(f"{month + 1},{mean:.6f},{len(years)}\n")
    if "PIRENE_METADATA" in os.environ:
        report = {"base_first": years[0][0], "base_last": years[-1][0], "base_years": len(years)}
        Path(os.environ["PIRENE_METADATA"]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
