#!/usr/bin/env python3
"""How the growth rate of CO2 follows sea-surface temperature, lag by lag. Needs only the standard library.

    lag_correlation.py GROWTH INDEX CORRELATION RESULT [--lags FIRST LAST] [--without FIRST_MONTH LAST_MONTH]

GROWTH is what growth_rate.py wrote, INDEX what sst_index.py wrote. At lag L the growth rate of month t is paired with
the temperature of month t - L: a positive lag means that the temperature comes first. CORRELATION is a CSV
`lag_months,r,n,r_without,n_without`, where the last two leave out the months given by --without (both included). RESULT
is a JSON object with the lag of the largest r.

Monthly values of slow series are not independent. The number of independent ones is estimated from the lag-one
autocorrelations a and b of the two series as n (1 - a b) / (1 + a b) (Bretherton et al. 1999, J. Climate 12, 1990 to
2009); the 95 % interval of r is Fisher's with that number.
"""

import argparse
import csv
import json
import math
import os
import sys
from pathlib import Path

Z95 = 1.959964  # 97.5 % quantile of the normal distribution


def month_number(text):
    """Months since year 0 of YYYY-MM."""
    year, month = text.split("-")
    return int(year) * 12 + int(month) - 1


def read_column(path, column):
    """{month number: value} of one column, without its empty cells."""
    with path.open(encoding="ascii", newline="") as stream:
        return {month_number(row["month"]): float(row[column]) for row in csv.DictReader(stream) if row[column]}


def correlation(pairs):
    """Pearson's r of [(x, y)]."""
    mean_x = math.fsum(x for x, _ in pairs) / len(pairs)
    mean_y = math.fsum(y for _, y in pairs) / len(pairs)
    covariance = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    square_x = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    square_y = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    return covariance / math.sqrt(square_x * square_y)


def independent(first, second, n):
    """The number of independent pairs among n, from the lag-one autocorrelations of the two series."""
    product = 1.0
    for series in (first, second):
        product *= correlation([(series[month], series[month + 1]) for month in series if month + 1 in series])
    return n * (1 - product) / (1 + product)


def interval(r, n):
    """The 95 % interval of a correlation from n independent pairs."""
    half_width = Z95 / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half_width), math.tanh(math.atanh(r) + half_width)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Lag correlation of CO2 growth and sea-surface temperature.")
    for name in ("growth", "index", "correlation", "result"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--lags", nargs=2, type=int, default=(-12, 18), metavar=("FIRST", "LAST"))
    parser.add_argument("--without", nargs=2, type=month_number, metavar=("FIRST_MONTH", "LAST_MONTH"))
    return parser.parse_args()


def main():
    """Correlate at every lag, find the largest, write the table and the result."""
    options = arguments()
    growth = read_column(options.growth, "growth_anomaly")
    index = read_column(options.index, "index_degc")
    left_out = range(options.without[0], options.without[1] + 1) if options.without else range(0)
    calm = {month: value for month, value in growth.items() if month not in left_out}
    table = []
    for lag in range(options.lags[0], options.lags[1] + 1):
        row = [lag]
        for series in (growth, calm):
            pairs = [(series[month], index[month - lag]) for month in series if month - lag in index]
            if len(pairs) < 3:
                sys.exit(f"{options.growth}, {options.index}: {len(pairs)} months in common at lag {lag}; too few")
            row += [correlation(pairs), len(pairs)]
        table.append(row)
    with options.correlation.open("w", encoding="ascii", newline="") as stream:
        stream.write("lag_months,r,n,r_without,n_without\n")
        for lag, r, n, r_without, n_without in table:
            stream.write(f"{lag},{r:.6f},{n},{r_without:.6f},{n_without}\n")

    lag, r, n, _, _ = max(table, key=lambda row: row[1])
    lag_without, _, _, r_without, n_without = max(table, key=lambda row: row[3])
    n_independent = independent(growth, index, n)
    low, high = interval(r, n_independent)
    result = {
        "lag_months": lag,
        "r": round(r, 4),
        "n": n,
        "n_independent": round(n_independent, 1),
        "r_low": round(low, 3),
        "r_high": round(high, 3),
        "lag_months_without": lag_without,
        "r_without": round(r_without, 4),
        "n_without": n_without,
    }
    options.result.write_text(json.dumps(result, indent=2) + "\n", encoding="ascii")
    if "PIRENE_METADATA" in os.environ:
        about = [
            {"_type": "job", "_attributes": result},
            {"_type": "file", "_id": options.result.name, "_attributes": {"lag_months": lag, "r": round(r, 4), "n": n}},
        ]
        Path(os.environ["PIRENE_METADATA"]).write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    main()
