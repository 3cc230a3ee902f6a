#!/usr/bin/env python3
"""The years of sea-surface temperature anomalies as one smoothed index. Needs only the standard library.

    sst_index.py OUT PATTERN

PATTERN names what anomalies.py wrote (quoted: it is expanded here, in the working folder). The index is the centred
running mean over five months, as is usual for El Nino; it is there where all five months are. OUT is a CSV
`month,anomaly_degc,index_degc`, with empty cells at the ends.
"""

import csv
import json
import math
import os
import sys
from pathlib import Path

HALF_WINDOW = 2


def main():
    """Merge the years, smooth, write."""
    if len(sys.argv) != 3:
        sys.exit("usage: sst_index.py OUT 'PATTERN'")
    anomaly = {}
    for path in sorted(Path().glob(sys.argv[2])):
        with path.open(encoding="ascii", newline="") as stream:
            for row in csv.DictReader(stream):
                year, month = row["month"].split("-")
                anomaly[int(year) * 12 + int(month) - 1] = float(row["anomaly_degc"])
    if not anomaly:
        sys.exit(f"{sys.argv[2]}: no file of this pattern is here")
    index = {}
    for month in range(min(anomaly), max(anomaly) + 1):
        window = [anomaly.get(near) for near in range(month - HALF_WINDOW, month + HALF_WINDOW + 1)]
        if None not in window:
            index[month] = math.fsum(window) / len(window)
    with Path(sys.argv[1]).open("w", encoding="ascii", newline="") as stream:
        stream.write("month,anomaly_degc,index_degc\n")
        for month in sorted(anomaly):
            smooth = f"{index[month]:.6f}" if month in index else ""
            stream.write(f"{month // 12}-{month % 12 + 1:02d},{anomaly[month]:.6f},{smooth}\n")
    if "PIRENE_METADATA" in os.environ:
        warmest = max(index, key=index.get)
        report = {"n_months": len(index), "warmest_month": f"{warmest // 12}-{warmest % 12 + 1:02d}"}
        Path(os.environ["PIRENE_METADATA"]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
