#!/usr/bin/env python3
"""The result in words. Needs only the standard library.

    summary.py RESULT OUT

RESULT is the JSON that lag_correlation.py wrote.
"""

import json
import sys
from pathlib import Path

TEXT = """\
El Nino leaves its mark in the growth of atmospheric CO2

The growth rate of CO2 at Mauna Loa follows the sea-surface temperature of the eastern
tropical Pacific (Nino 1+2) with a delay of {lag_months} months.

    r = {r:.2f} at a lag of {lag_months} months, from {n} months
    95 % interval {r_low:.2f} to {r_high:.2f}: neighbouring months are alike, so these are about
    {n_independent:.0f} independent values, not {n}
    r = {r_without:.2f} at a lag of {lag_months_without} months without the time after Pinatubo ({n_without} months),
    when an eruption, not the ocean, held the growth back

A correlation shows that the two go together and which comes first; it does not show why.
Droughts and heat over tropical land in El Nino years are the accepted explanation.
"""


def main():
    """Fill the text with the numbers."""
    if len(sys.argv) != 3:
        sys.exit("usage: summary.py RESULT OUT")
    result = json.loads(Path(sys.argv[1]).read_text(encoding="ascii"))
    Path(sys.argv[2]).write_text(TEXT.format(**result), encoding="ascii")


if __name__ == "__main__":
    main()
