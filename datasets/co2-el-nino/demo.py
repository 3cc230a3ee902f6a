"""The whole story on the terminal: register, run, ask, run again, damage one bit.

    python demo.py [--pirene COMMAND] [--folder FOLDER]

Everything is done with the `pirene` command, on a copy of the raw files in a folder of its own (default `.demo`, made
anew each time). It ends with exit code 0 when every step ended as the story says, the refusal of the damaged file
included. Needs only the standard library.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CASE = Path(__file__).resolve().parent
DAMAGED = "mlo-co2-1998.csv"
SHOWN_LINES = 14  # of a long listing; the rest is counted


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the story. ``arguments`` follow `pirene`; ``document`` are those that give the same as JSON.

    ``live``: the command draws its progress on the terminal itself, and is not folded. ``exit_code``: the expected one.
    """

    title: str
    arguments: tuple[str, ...]
    document: tuple[str, ...]
    live: bool = False
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Damage:
    """One bit of a file is turned over, as a failing disk does it."""

    title: str
    path: Path


def ask(title: str, *arguments: str, exit_code: int = 0) -> Step:
    """A step whose JSON form is the same command with `--format json`."""
    return Step(title, arguments, (*arguments, "--format", "json"), exit_code=exit_code)


def run(title: str, *arguments: str, run_dir: str, exit_code: int = 0) -> Step:
    """A step that runs a workflow; its summary as JSON is the run's status."""
    return Step(title, ("run", *arguments), ("status", run_dir, "--format", "json"), live=True, exit_code=exit_code)


def story(folder: Path) -> tuple[Step | Damage, ...]:
    """The steps, in order. Paths are relative to ``folder``, in which all commands run."""
    workflow = os.path.relpath(CASE / "co2-el-nino.yml", folder)
    return (
        ask(
            "105 raw files are registered, with what is known about each", "files", "add", "--table", "raw/metadata.csv"
        ),
        run("The workflow selects its inputs by that metadata, and runs", workflow, "-d", "first", run_dir="first"),
        ask(
            "Which years of CO2 have gaps, and how many weeks are missing?",
            "query",
            'files where quantity = "co2" and gaps > 0 order by gaps desc show name, period, weeks, gaps, quality',
        ),
        ask(
            "What did the jobs themselves find out and report?",
            "query",
            "jobs where r is present show id, lag_months, r, n, duration",
        ),
        ask("Where does the result come from?", "lineage", "result.json"),
        ask(
            "Which of the raw files behind it had gaps?",
            "query",
            'files upstream of (files where name = "result.json") where kind = "raw" and gaps > 0 show name, gaps',
        ),
        run("The same again: nothing has to run", workflow, "-d", "second", run_dir="second"),
        ask("Why did each job not run?", "explain", "second"),
        Step(
            "Now plan to compute everything anew ...",
            ("plan", workflow, "-d", "third", "--no-reuse"),
            ("status", "third", "--format", "json"),
        ),
        Damage("... and turn over one bit of one raw file", folder / "raw" / DAMAGED),
        run("The job that needs it refuses to start", "third", run_dir="third", exit_code=1),
        ask(
            "What was expected, and what was found?",
            "query",
            'checks where verdict = "mismatch" show name, stage, class, expected, actual',
        ),
        ask("Is anything else damaged?", "audit", exit_code=1),
    )


def prepare(folder: Path) -> None:
    """Make the folder anew, with a copy of the raw files: what is damaged later is the copy."""
    if folder.exists() and not (folder / "raw" / "metadata.csv").exists() and any(folder.iterdir()):
        sys.exit(f"{folder} exists and was not made by this demo; name another with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(CASE / "raw", folder / "raw")


def flip_one_bit(path: Path) -> str:
    """Turn over the lowest bit of the middle byte; say what became of it."""
    content = bytearray(path.read_bytes())
    position = len(content) // 2
    before = content[position]
    content[position] ^= 1
    path.write_bytes(content)
    return (
        f"byte {position} of {path.name}: {before:08b} became {content[position]:08b}, {len(content)} bytes as before"
    )


def environment(folder: Path) -> dict[str, str]:
    """The store is the folder's own, whatever store is above it."""
    return {**os.environ, "PIRENE_STORE": str(folder / ".pirene")}


def pirene(command: str, arguments: tuple[str, ...], folder: Path, *, live: bool = False) -> tuple[int, str]:
    """Run one command in the folder; its exit code and, unless it writes to the terminal itself, what it said."""
    streams = (None, None) if live else (subprocess.PIPE, subprocess.STDOUT)
    done = subprocess.run(
        [command, *arguments],
        cwd=folder,
        env=environment(folder),
        check=False,
        text=True,
        stdout=streams[0],
        stderr=streams[1],
    )
    return done.returncode, done.stdout or ""


def folded(text: str) -> Iterator[str]:
    """The first lines of a long text, and how many follow."""
    lines = text.rstrip("\n").split("\n")
    yield from lines[:SHOWN_LINES]
    if len(lines) > SHOWN_LINES:
        yield f"... and {len(lines) - SHOWN_LINES} lines more"


def tell(step: Step | Damage, command: str, folder: Path) -> None:
    """Do one step and show it; exit with 1 if it did not end as the story says."""
    print(f"\n\033[1m{step.title}\033[0m" if sys.stdout.isatty() else f"\n# {step.title}", flush=True)
    if isinstance(step, Damage):
        print(flip_one_bit(step.path), flush=True)
        return
    print(f"$ pirene {shlex.join(step.arguments)}", flush=True)
    code, output = pirene(command, step.arguments, folder, live=step.live)
    if output:
        print("\n".join(folded(output)), flush=True)
    if step.exit_code:
        print(f"exit code {code}", flush=True)
    if code != step.exit_code:
        sys.exit(f"demo: expected exit code {step.exit_code}, found {code}")


def main() -> None:
    """Tell the whole story."""
    parser = argparse.ArgumentParser(description="Show what Pirene does, on real data.")
    parser.add_argument("--pirene", default="pirene", help="the command (default: the one on PATH)")
    parser.add_argument("--folder", default=".demo", type=Path, help="where to work (default: .demo)")
    options = parser.parse_args()
    command = str(Path(options.pirene).resolve()) if os.sep in options.pirene else options.pirene
    folder = options.folder.resolve()
    prepare(folder)
    for step in story(folder):
        tell(step, command, folder)
    print(f"\nThe figure is {folder / 'first' / 'output' / 'co2-el-nino.svg'}\n")
    print((folder / "first" / "output" / "summary.txt").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
