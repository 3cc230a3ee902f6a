"""Names that hold terminal escapes, on a real terminal: no command lets one of them through."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
from pathlib import Path

import pytest

HOSTILE = "evil\x1b[31m\x1b]0;title\x07\n\r\x9b2J\u202e\u2028z"
SHOWN = r"evil\x1b[31m\x1b]0;title\x07\n\r\x9b2J\u202e\u2028z"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]")

WORKFLOW = {
    "pegasus": "5.0",
    "name": HOSTILE,
    "metadata": {HOSTILE: HOSTILE},
    "transformationCatalog": {
        "transformations": [{"name": HOSTILE, "sites": [{"name": "local", "pfn": "/bin/sh", "type": "installed"}]}]
    },
    "jobs": [
        {
            "type": "job",
            "id": f"{HOSTILE} {code}",
            "name": HOSTILE,
            "metadata": {HOSTILE: HOSTILE},
            "arguments": ["-c", f"printf '{HOSTILE}' | tee {shlex.quote(HOSTILE + code)} >&2; exit {code}"],
            "uses": [{"lfn": HOSTILE + code, "type": "output"}],
        }
        for code in ("0", "1")
    ],
}


def on_a_terminal(argv: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command writes when its output is a terminal, without the progress bar's own control sequences."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        data = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the last one to have the terminal open is gone
                break
            data += block
        os.close(ours)
        process.wait(60)
    text = data.decode().replace("\r\n", "\n")
    return re.sub(r"\r?\x1b\[\?25[lh]|\r(\x1b\[K|(?=jobs))", "", text)


@pytest.mark.parametrize("command", ["run", "query", "files", "exec"])
def test_no_escape_reaches_the_terminal(site, command):
    (site.folder / "w.yml").write_text(json.dumps(WORKFLOW), encoding="utf-8")
    (site.folder / HOSTILE).write_text("raw", encoding="utf-8")
    site.run("files", "add", HOSTILE, "-m", f"{HOSTILE}={HOSTILE}")
    calls = {
        "run": [
            ["run", "w.yml", "-d", HOSTILE + "run"],
            *([name, HOSTILE + "run"] for name in ("status", "analyze", "explain", "audit")),
            ["meta", "list", HOSTILE + "run"],
            ["meta", "list", HOSTILE + "run", "no such job"],
            ["plan", "w.yml"],
            ["plan", "w.yml", "--force", HOSTILE],
        ],
        "query": [
            ["query", "files show *"],
            ["query", "files show *", "--format", "json"],
            ["query", "files where evil = 1"],
            ["query", f"files where `{HOSTILE}` = 1"],
            ["query", f"files where `{HOSTILE}` = 'x'", "--explain"],
            ["fields"],
            ["fields", "--format", "json"],
        ],
        "files": [
            ["files", "add", HOSTILE, "--name", "{x}"],
            ["files", "add", HOSTILE + "x"],
            ["verify", HOSTILE, HOSTILE + "x"],
            ["lineage", HOSTILE],
            ["meta", "set", HOSTILE, "x=1"],
            ["files", "retire", HOSTILE],
            ["audit", "--format", "json"],
            [HOSTILE],
        ],
        "exec": [
            ["exec", "--in", HOSTILE + "x", "--", "true"],
            ["exec", "--out", HOSTILE + "x", "--", "true"],
            ["exec", "--", HOSTILE],
        ],
    }[command]
    seen = ""
    for arguments in calls:
        said = on_a_terminal(site.argv(*arguments), site.folder, dict(site.environment))
        assert not OBEYED.search(said), arguments
        assert "internal error" not in said, arguments
        seen += said
    assert SHOWN in seen
