"""Commits that are whole and sealed, and do not follow from those before them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from provenance.check.findings import Finding, Kind
from provenance.history.commits import commit_name
from provenance.store import Store

Change = Callable[[dict[str, Any]], object]


def _set(path: str, value: object) -> Change:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        inner: Any = document
        for key in parents:
            inner = inner[int(key) if key.isdigit() else key]
        inner[last] = value

    return change


LIES: dict[str, tuple[Change, str, str]] = {
    "time": (_set("time", "2026-01-01T00:00:00.000000Z"), "a time after 20", "2026-01-01T00:00:00.000000Z"),
    "store": (_set("store", "5d8a4a5e-1c56-4e34-9b1f-000000000000"), "store ", "store 5d8a4a5e-1c56-4e34-9b1f"),
    "number": (_set("number", 3), "commit 2", "commit 3"),
    "replaces": (_set("replaces", ["segments/jobs/0-0.parquet"]), "segments/jobs/0-0.parquet to be there", "it is not"),
    "commit_number": (
        _set("segments/0/columns/commit_number", {"min": "1", "max": "2", "size": 1}),
        "rows of commit 2",
        "rows of commits 1 to 2",
    ),
    "no commit_number": (
        _set("segments/0/columns/commit_number", {}),
        "a commit",
        "segments[0].columns.commit_number.min",
    ),
    "table": (_set("segments/0/table", "queries"), "a commit", "expected segments/TABLE/NAME.parquet"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_commit_that_contradicts_the_others_is_named(
    lived_in: Store, findings_of: Callable[[Store], list[Finding]], rewrite_commit: Callable[..., None], lie: str
) -> None:
    change, expected, found = LIES[lie]
    rewrite_commit(lived_in, 2, change)
    first = next(finding for finding in findings_of(lived_in) if finding.path == commit_name(2))
    assert first.kind in (Kind.CONTRADICTION, Kind.MALFORMED)
    assert first.expected.startswith(expected) or expected in first.expected
    assert found in first.found


def test_a_segment_that_two_commits_bring_is_named(
    lived_in: Store, findings_of: Callable[[Store], list[Finding]], rewrite_commit: Callable[..., None]
) -> None:
    earlier = json.loads((lived_in.root / commit_name(2)).read_bytes())["segments"][0]
    rewrite_commit(lived_in, 3, lambda document: document["segments"].append(earlier))
    kinds = {(finding.kind, finding.path, finding.found) for finding in findings_of(lived_in)}
    assert (Kind.CONTRADICTION, commit_name(3), f"{earlier['path']} once more") in kinds


def test_another_form_of_the_same_document_is_named(
    lived_in: Store, findings_of: Callable[[Store], list[Finding]]
) -> None:
    """Its seal holds, because it is over these very bytes; there is one form all the same."""
    import hashlib

    path = lived_in.root / commit_name(2)
    document = json.loads(path.read_bytes()) | {"seal": ""}
    data = json.dumps(document, sort_keys=False, separators=(",", ": ")).replace('"seal": ""', '"seal":""').encode()
    path.chmod(0o644)
    path.write_bytes(data.replace(b'"seal":""', b'"seal":"%s"' % hashlib.sha256(data).hexdigest().encode()))
    (finding, unchecked) = findings_of(lived_in)
    assert (finding.kind, finding.path, finding.expected) == (Kind.MALFORMED, commit_name(2), "canonical JSON")
    assert unchecked.kind is Kind.UNCHECKED
