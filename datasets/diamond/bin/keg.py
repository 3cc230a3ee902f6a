#!/usr/bin/env python3
"""A stand-in for a real program: every output holds who ran, with what, and the whole of every input.

So any change of an argument or of one byte of an input shows in every file below it, and nothing else does: no time, no
path, no host is written. Needs only the standard library.

    keg.py -a NAME [-T SECONDS] -i INPUT... -o OUTPUT...
"""

import argparse
import os
import time
from pathlib import Path


def main() -> None:
    """Read all inputs, wait if asked to, write all outputs; report what was done as metadata."""
    parser = argparse.ArgumentParser(description="Copy every input into every output, under a heading.")
    parser.add_argument("-a", "--application", required=True, help="the name that the heading shows")
    parser.add_argument("-T", "--seconds", type=float, default=0.0, help="how long to pretend to compute")
    parser.add_argument("-i", "--inputs", nargs="+", default=[], type=Path)
    parser.add_argument("-o", "--outputs", nargs="+", required=True, type=Path)
    options = parser.parse_args()

    contents = [path.read_bytes() for path in options.inputs]
    time.sleep(options.seconds)
    for output in options.outputs:
        with output.open("wb") as stream:
            stream.write(f"--- {options.application} made {output.name}\n".encode())
            for path, content in zip(options.inputs, contents):
                stream.write(f"--- from {path.name}, {len(content)} bytes\n".encode() + content)
    if "PIRENE_METADATA" in os.environ:
        report = f"application={options.application}\nbytes_read={sum(map(len, contents))}\n"
        Path(os.environ["PIRENE_METADATA"]).write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
