"""Every command that writes does so where no file can be locked; the catalog, which SQLite keeps, is made anew."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provenance.check.whole import check_store
from provenance.store import Store

WRAP = Path(__file__).with_name("without_locks.py")
PROBE = """
import fcntl
for lock in (lambda file: fcntl.flock(file, fcntl.LOCK_EX), lambda file: fcntl.lockf(file, fcntl.LOCK_EX)):
    with open("probe", "w") as file:
        try:
            lock(file)
        except OSError as error:
            print(error.errno)
"""


@pytest.fixture
def lockless(site: Any) -> Any:
    """A site whose commands cannot lock anything."""
    prefix = (sys.executable, str(WRAP))
    tried = subprocess.run(
        [*prefix, sys.executable, "-c", PROBE], cwd=site.folder, capture_output=True, text=True, check=True
    )
    assert tried.stdout.split() == ["37", "37"], "the filter refuses no locks"
    return replace(site, prefix=prefix)


def test_every_command_that_writes_works_without_locks(lockless: Any) -> None:
    raw = lockless.folder / "raw"
    raw.write_text("raw\n")
    (lockless.folder / "w.yml").write_text(json.dumps(workflow(raw)))
    said = [
        lockless.run(*words).err
        for words in (
            ("files", "add", "raw"),
            ("meta", "set", "raw", "k=1"),
            ("exec", "--in", "raw", "--out", "made", "--", "cp", "raw", "made"),
            ("run", "w.yml", "-d", "planned"),
            ("run", "planned"),  # which has ended
            ("meta", "unset", "raw", "-k", "k"),
            ("audit",),
            ("files", "retire", "made"),
            ("store", "compact"),
            ("--store", "other", "files", "add", "made"),
            ("push", "other"),
            ("pull", "other"),
        )
    ]
    assert (lockless.folder / "made").read_text() == "raw\n"
    assert not [text for text in said if "brought up to date" in text]
    assert lockless.query("workflows show status") == [{"status": "succeeded"}] * 2
    store, other = Store.open(lockless.environment["PIRENE_STORE"]), Store.open(lockless.folder / "other")
    for one, another in ((store, other), (other, store)):
        assert one.snapshot().foreign.stores() == (another.store_id,)
        assert check_store(one.storage).findings == ()


def workflow(raw: Path) -> dict[str, Any]:
    site = {"name": "local", "pfn": "/bin/cp", "type": "installed"}
    uses = [{"lfn": "in", "type": "input"}, {"lfn": "out", "type": "output"}]
    return {
        "pegasus": "5.0",
        "name": "w",
        "transformationCatalog": {"transformations": [{"name": "copy", "sites": [site]}]},
        "replicaCatalog": {"replicas": [{"lfn": "in", "pfns": [{"site": "local", "pfn": str(raw)}]}]},
        "jobs": [{"type": "job", "id": "j", "name": "copy", "arguments": ["in", "out"], "uses": uses}],
    }
