"""`make fuzz`: made-up questions to made-up stores, and noise, until the time is over. Ends with 1 at the first finding.

Every finding names the number of its store; `make_world` makes the same one again.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from random import Random

from provenance.errors import StoreError
from query.errors import QueryError
from tests.query.oracle.agreement import difference
from tests.query.oracle.answer import Oracle
from tests.query.oracle.noise import complaint, noise
from tests.query.oracle.pools import NOW
from tests.query.oracle.questions import Questioner
from tests.query.oracle.scalars import Refused
from tests.query.oracle.stores import Asking, tell
from tests.query.oracle.worlds import make_world

EXAMPLES = (Path(__file__).with_name("golden") / "examples.txt").read_text(encoding="utf-8").splitlines()
QUESTIONS, TEXTS = 1000, 5000  # of each store


def disagreement(text: str, parameters: dict[str, object], asking: Asking, oracle: Oracle) -> str | None:
    """Why the two answers are not one."""
    try:
        expected = oracle.answer(text, parameters)
    except Refused as refusal:
        expected = None
        why = str(refusal)
    try:
        found = asking.ask(text, parameters, len(asking.world.commits))
    except (QueryError, StoreError) as error:
        return None if expected is None else f"refused: {error}"
    return f"answered, and not refused: {why}" if expected is None else difference(expected, found)


def one_store(number: int, folder: Path, until: float) -> tuple[int, list[str]]:
    """Ask one store: (how much was asked, what was found)."""
    world, random = make_world(number), Random(number)
    asking, oracle = Asking(tell(world, folder / ".pirene"), world, widened=False), Oracle(world, NOW)
    state, findings, asked = oracle.state(len(world.commits)), list[str](), 0
    for _ in range(QUESTIONS):
        text, parameters = Questioner(state, random.choice).question()
        wrong = disagreement(text, parameters, asking, oracle)
        asked += 1
        if wrong is not None:
            findings.append(f"store {number}: {text} {parameters}: {wrong}")
        if time.monotonic() > until:
            break
    for text in (noise(random, EXAMPLES) for _ in range(TEXTS)):
        wrong = complaint(text, asking.vocabulary())
        asked += 1
        if wrong is not None:
            findings.append(f"store {number}: {text!r}: {wrong}")
    asking.close()
    return asked, findings


def main() -> int:
    """``fuzz.py SECONDS``: print what was found."""
    until, total = time.monotonic() + float(sys.argv[1]), 0
    while time.monotonic() < until:
        with tempfile.TemporaryDirectory() as folder:
            asked, findings = one_store(Random().getrandbits(32), Path(folder), until)
        total += asked
        print(f"{total} questions and texts", flush=True)
        if findings:
            print("\n".join(findings))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
