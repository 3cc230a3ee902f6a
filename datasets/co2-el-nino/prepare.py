"""Split the two published series into one raw file a year, and write down what each file holds.

    python prepare.py co2.csv elnino.csv

The two sources are `statsmodels/datasets/co2/co2.csv` and `statsmodels/datasets/elnino/elnino.csv` of the Python
package `statsmodels` (0.15.0); their digests are checked first. Rows are copied as they are, so `raw/` holds nothing
that the sources do not. The same input gives the same bytes on any machine. Written are

    raw/mlo-co2-YEAR.csv       44 files: header, then the weeks whose Saturday falls in that year
    raw/nino12-sst-YEAR.csv    61 files: header, then the year's twelve monthly means
    raw/metadata.csv           a row a file: its path and its metadata; an empty cell is a key that it does not have
    SHA256SUMS                 the digests of all of them, as `sha256sum -c` reads them
"""

from __future__ import annotations

import csv
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MONTHS = 12
SOURCE_SHA256 = {
    "co2.csv": "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f",
    "elnino.csv": "b647be00e0fd264be9764e317e6b963f35030014ecca2b21b204521716e463ad",
}
COLUMNS = (
    "path",
    "kind",
    "quantity",
    "period",
    "site",
    "instrument",
    "unit",
    "weeks",
    "months",
    "gaps",
    "quality",
    "source",
    "licence",
)


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file to write: its name, its text, and its metadata by key, without the keys that all files share."""

    name: str
    text: str
    metadata: dict[str, str | int]


def read_source(path: Path, expected_sha256: str) -> list[str]:
    """The lines of a source, header first. Exits with a message if its bytes are not the published ones."""
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected_sha256:
        sys.exit(f"{path}: expected sha256 {expected_sha256}, found {actual}: this is not the published series")
    return content.decode("ascii").splitlines(keepends=True)


def quality_of(gaps: int, empty_months: int) -> str:
    """`complete`: every value is there; `gaps`: some are missing, but no month is; `partial`: a month has none."""
    if empty_months:
        return "partial"
    return "gaps" if gaps else "complete"


def co2_files(lines: list[str]) -> list[RawFile]:
    """The weekly CO2 series, one file a year. A row is `YYYYMMDD,ppm`; a missing week has an empty second field.

    The weeks before the record began (29 March 1958) have no row in the source; they are not counted as gaps, but they
    leave months empty.
    """
    header, *rows = lines
    by_year: dict[str, list[str]] = {}
    for row in rows:
        by_year.setdefault(row[:4], []).append(row)
    files = []
    for year, of_year in sorted(by_year.items()):
        fields = [row.rstrip("\n").split(",") for row in of_year]
        present = [date for date, value in fields if value]
        gaps = len(fields) - len(present)
        empty_months = MONTHS - len({date[4:6] for date in present})
        metadata: dict[str, str | int] = {
            "quantity": "co2",
            "period": int(year),
            "site": "Mauna Loa",
            "instrument": "NDIR analyser",
            "unit": "ppm",
            "weeks": len(present),
            "gaps": gaps,
            "quality": quality_of(gaps, empty_months),
            "source": "Keeling & Whorf 2004 (SIO, CDIAC)",
        }
        files.append(RawFile(f"mlo-co2-{year}.csv", header + "".join(of_year), metadata))
    return files


def sst_files(lines: list[str]) -> list[RawFile]:
    """The monthly sea-surface temperatures, one file a year. A row is the year and twelve values in degrees Celsius."""
    header, *rows = lines
    files = []
    for row in rows:
        year, *values = row.rstrip("\n").split(",")
        present = sum(1 for value in values if value)
        gaps = MONTHS - present
        metadata: dict[str, str | int] = {
            "quantity": "sst",
            "period": int(year),
            "site": "Nino 1+2",
            "instrument": "ERSST.V3B analysis",
            "unit": "degC",
            "months": present,
            "gaps": gaps,
            "quality": quality_of(gaps, gaps),
            "source": "NOAA Climate Prediction Center",
        }
        files.append(RawFile(f"nino12-sst-{year}.csv", header + row, metadata))
    return files


def write_all(files: list[RawFile], folder: Path) -> None:
    """Write the files, the table of their metadata and the digests of everything, below ``folder``."""
    raw = folder / "raw"
    raw.mkdir(exist_ok=True)
    for file in files:
        (raw / file.name).write_text(file.text, encoding="ascii", newline="\n")
    with (raw / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        for file in files:
            table.writerow({"path": file.name, "kind": "raw", "licence": "public domain", **file.metadata})
    names = sorted([*(file.name for file in files), "metadata.csv"])
    sums = [f"{hashlib.sha256((raw / name).read_bytes()).hexdigest()}  raw/{name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="ascii", newline="\n")


def main() -> None:
    """Read the two sources that the command line names, check them and write everything beside this script."""
    if len(sys.argv) != 3:
        sys.exit("usage: prepare.py co2.csv elnino.csv")
    co2, sst = (Path(argument) for argument in sys.argv[1:])
    files = co2_files(read_source(co2, SOURCE_SHA256["co2.csv"]))
    files += sst_files(read_source(sst, SOURCE_SHA256["elnino.csv"]))
    write_all(files, HERE)


if __name__ == "__main__":
    main()
