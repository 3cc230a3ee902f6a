"""What each protection level makes of each attack between verification and the job's reading: the table of
docs/security.md is what is seen here. Write it anew with `python tests/integrity/test_protection_levels.py`.

Wrapper and job are real; the other user is another user, to whom the file and its folder belong.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
sys.path.insert(0, str(Path(__file__).parent))
from attack import ATTACKS, BAD, GOOD  # noqa: E402 - a program beside this file, no module of a package

LEVELS = ("guard", "copy", "seal")
ATTACKERS = ("another user", "the job itself")
ANOTHER_USER = 65534
PYTHON = [sys.executable, "-I", "-S"]
ATTACK = Path(__file__).with_name("attack.py")
BEGIN, END = "<!-- what test_protection_levels.py saw -->\n", "<!-- end -->\n"
# The job says when it is about to read, and when it has read; in between somebody may do something.
WAITING = 'echo > ../ready; read x < ../go; cat "$1" > seen; echo > ../has-read; read x < ../end'
ATTACKING = '"$0" -I -S "$3" act "$2" "$1"; cat "$1" > seen; "$0" -I -S "$3" undo "$2" "$1"; exit 0'


def outcome(level: str, attacker: str, attack: str) -> str:
    """`detected`: the attempt did not succeed; `no effect`: the job read what was verified; `missed`: neither."""
    folder = Path(tempfile.mkdtemp(prefix="attacked-"))
    try:
        folder.chmod(0o755)
        status, read = attempt(folder, level, attacker, attack)
        if status != 0:
            return "detected"
        assert read in (GOOD, BAD)
        return "no effect" if read == GOOD else "missed"
    finally:
        shutil.rmtree(folder)


def attempt(folder: Path, level: str, attacker: str, attack: str) -> tuple[int, bytes]:
    """(the wrapper's exit status, what the job read)."""
    data = folder / "data"
    (data / "sub").mkdir(parents=True)
    source = data / "sub" / "in"
    source.write_bytes(GOOD)
    if attack == "symlink swap and back":
        source = data / "sub" / "link"
        source.symlink_to("in")
        os.chown(source, ANOTHER_USER, ANOTHER_USER, follow_symlinks=False)
    for path in (data, data / "sub", data / "sub" / "in"):
        os.chown(path, ANOTHER_USER, ANOTHER_USER)
    for name in ("ready", "go", "has-read", "end"):
        os.mkfifo(folder / name)
    by_job = attacker == "the job itself"
    script = ATTACKING if by_job else WAITING
    argv = ["/bin/sh", "-c", script, sys.executable, "sub/in", attack, str(ATTACK)]
    job = description(folder, source, level, argv)
    (folder / "job.json").write_text(json.dumps(job))
    command = [*PYTHON, str(ROOT / "integrity" / "kickstart.py"), "--job", "job.json", "--record", "record.json"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE) as wrapper:
        try:
            if not by_job:
                for gate, what, answer in (("ready", "act", "go"), ("has-read", "undo", "end")):
                    (folder / gate).read_bytes()
                    as_another_user(what, attack, source)
                    (folder / answer).write_text("\n")
            status = wrapper.wait(timeout=60)
        finally:
            wrapper.kill()
    record = json.loads((folder / "record.json").read_bytes())
    (seen,) = record["inputs"]
    assert (seen["verdict"], seen["protection"]) == ("ok", level), seen
    if status != 0:  # for the right reason
        (changed,) = record["changed_inputs"]
        assert changed["name"] == "in" and changed["protection"] == level
    return status, (folder / "work" / "seen").read_bytes()


def as_another_user(what: str, attack: str, path: Path) -> None:
    """With the system's Python: that user may not reach ours, nor this folder."""
    command = ["/usr/bin/python3", "-I", "-S", "-", what, attack, str(path)]
    done = subprocess.run(
        command, input=ATTACK.read_bytes(), user=ANOTHER_USER, group=ANOTHER_USER, extra_groups=[], cwd="/", check=False
    )
    assert done.returncode == 0, f"{attack}: the attack itself failed"


def description(folder: Path, source: Path, level: str, argv: list[str]) -> dict[str, Any]:
    return {
        "schema": "pirene.job/1",
        "run_id": "0193563c-0f2e-7000-8000-000000000001",
        "job": 1,
        "id": "attacked",
        "attempt": 1,
        "work_dir": str(folder / "work"),
        "stage_in": [{"from": str(source), "to": "sub/in", "copy": False}],
        "argv": argv,
        "inputs": [
            {
                "name": "in",
                "path": "sub/in",
                "role": "input",
                "sha256": hashlib.sha256(GOOD).hexdigest(),
                "size": len(GOOD),
                "digest_origin": "recorded",
                "optional": False,
            }
        ],
        "outputs": [{"name": "seen", "path": "seen", "role": "output", "optional": False}],
        "protection": {"level": level},
    }


def table(found: dict[tuple[str, str, str], str]) -> str:
    """The rows of the page."""
    columns = [(attacker, level) for attacker in ATTACKERS for level in LEVELS]
    head = ["attack", *(f"{attacker}, `{level}`" for attacker, level in columns)]
    rows = [head, ["---"] * len(head)]
    rows += [[attack, *(found[level, attacker, attack] for attacker, level in columns)] for attack in ATTACKS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def all_outcomes() -> dict[tuple[str, str, str], str]:
    cases = [(level, attacker, attack) for level in LEVELS for attacker in ATTACKERS for attack in ATTACKS]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(cases, pool.map(lambda case: outcome(*case), cases), strict=True))


@pytest.fixture(scope="module")
def seen() -> dict[tuple[str, str, str], str]:
    return all_outcomes()


def test_the_page_promises_what_was_seen(seen: dict[tuple[str, str, str], str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0] == table(seen)


def test_what_is_private_is_out_of_the_reach_of_other_users(seen: dict[tuple[str, str, str], str]) -> None:
    """Said once more by hand: the page could be wrong together with what it is made of."""
    for attack in ATTACKS:
        assert seen["copy", "another user", attack] == seen["seal", "another user", attack] == "no effect"


def test_in_place_only_a_folder_that_is_swapped_and_swapped_back_is_missed(
    seen: dict[tuple[str, str, str], str],
) -> None:
    missed = {case for case, how in seen.items() if how == "missed"}
    assert {attack for _, _, attack in missed} <= {"folder swap and back"}
    assert ("copy", "another user", "folder swap and back") not in missed


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + BEGIN + table(all_outcomes()) + END + rest.split(END)[1], encoding="utf-8")
