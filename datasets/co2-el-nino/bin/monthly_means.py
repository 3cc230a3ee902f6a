#!/usr/bin/env python3
"""Monthly means of one year of weekly CO2. Needs only the standard library.

    monthly_means.py RAW OUT

RAW is a CSV `date,co2` with rows `YYYYMMDD,ppm`; an empty second field is a week without a value. A week counts for the
month in which its date falls. OUT is a CSV `month,co2_ppm,weeks`; a month without any value has no row.
"""

import csv
import json
import math
import os
import sys
from pathlib import Path

PLAUSIBLE_PPM = (250.0, 500.0)  # outside of this the file is not what it claims to be


def read_weeks(path):
    """Yield (month as YYYY-MM, ppm) for each week that has a value. Exits with a message at the first bad row."""
    with path.open(encoding="ascii", newline="") as stream:
        rows = csv.reader(stream)
        if next(rows, None) != ["date", "co2"]:
            sys.exit(f"{path}:1: expected the header date,co2")
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if len(row) != 2 or len(row[0]) != 8 or not row[0].isdigit():
                sys.exit(f"{where}: expected YYYYMMDD,ppm, found {','.join(row)}")
            if not row[1]:
                continue
            try:
                ppm = float(row[1])
            except ValueError:
                sys.exit(f"{where}: expected a number of ppm, found {row[1]}")
            if not PLAUSIBLE_PPM[0] < ppm < PLAUSIBLE_PPM[1]:
                sys.exit(f"{where}: {ppm} ppm is not plausible for the atmosphere")
            yield f"{row[0][:4]}-{row[0][4:6]}", ppm


def main():
    """Read the year, write its months, report what was there."""
    if len(sys.argv) != 3:
        sys.exit("usage: monthly_means.py RAW OUT")
    raw, out = (Path(argument) for argument in sys.argv[1:])
    by_month = {}
    for month, ppm in read_weeks(raw):
        by_month.setdefault(month, []).append(ppm)
    with out.open("w", encoding="ascii", newline="") as stream:
        stream.write("month,co2_ppm,weeks\n")
        for month, values in sorted(by_month.items()):
            stream.write(f"{month},{math.fsum(values) / len(values):.6f},{len(values)}\n")
    if "PIRENE_METADATA" in os.environ:
        report = {"n_weeks": sum(map(len, by_month.values())), "n_months": len(by_month)}
        Path(os.environ["PIRENE_METADATA"]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
