#!/usr/bin/env python3
"""One year of sea-surface temperature as departures from the mean year. Needs only the standard library.

    anomalies.py RAW CLIMATOLOGY OUT

RAW is a CSV of one year (a header, then the year and twelve monthly means in degrees Celsius), CLIMATOLOGY what
climatology.py writes. OUT is a CSV `month,anomaly_degc`, month as YYYY-MM.
"""

import csv
import json
import os
import sys
from pathlib import Path


def main():
    """Subtract the mean year from the year."""
    if len(sys.argv) != 4:
        sys.exit("usage: anomalies.py RAW CLIMATOLOGY OUT")
    raw, climatology, out = (Path(argument) for argument in sys.argv[1:])
    with climatology.open(encoding="ascii", newline="") as stream:
        mean_year = [float(row["sst_degc"]) for row in csv.DictReader(stream)]
    with raw.open(encoding="ascii", newline="") as stream:
        rows = list(csv.reader(stream))
    if len(rows) != 2 or len(rows[1]) != 13 or len(mean_year) != 12:
        sys.exit(f"{raw}, {climatology}: expected one year of twelve values and a mean year of twelve values")
    year = int(rows[1][0])
    anomalies = [float(value) - mean for value, mean in zip(rows[1][1:], mean_year)]
    with out.open("w", encoding="ascii", newline="") as stream:
        stream.write("month,anomaly_degc\n")
        for month, anomaly in enumerate(anomalies, start=1):
            stream.write(f"{year}-{month:02d},{anomaly:.6f}\n")
    if "PIRENE_METADATA" in os.environ:
        report = {"year": year, "warmest_anomaly": round(max(anomalies), 3)}
        Path(os.environ["PIRENE_METADATA"]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
