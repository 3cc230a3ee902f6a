"""The command `pirene` in this process, as it ends for a shell: errors are exit codes and messages."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

from planner.cli import exit_codes, root


@dataclass(frozen=True)
class Ended:
    exit_code: int
    stdout: str
    stderr: str


def pirene_ended(*arguments: str) -> Ended:
    printed, complained = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(one, encoding="utf-8", write_through=True) for one in (printed, complained))
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with exit_codes():
                code = root(list(arguments), standalone_mode=False)
        except SystemExit as end:
            code = end.code
    return Ended(code if isinstance(code, int) else 0, printed.getvalue().decode(), complained.getvalue().decode())
