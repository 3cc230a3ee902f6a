"""What of a store can be mended without loss, and mending it; everything that cannot is said, with the reason.

The truth is added to only by what it proves itself: a segment whose sha256 is the one that its commit gives.
"""

from __future__ import annotations

from dataclasses import replace

from provenance.check.findings import Finding, Kind, Repair, Report
from provenance.check.history import read_history
from provenance.check.restoring import restore
from provenance.check.whole import Progress, check_store, silent
from provenance.errors import StoreError
from provenance.lake import FILE_NAME
from provenance.lake import rebuild as rebuild_catalog
from provenance.location import IDENTITY, establish
from provenance.orphans import remove_orphans
from provenance.storage.interface import Storage
from provenance.store import Store


def check_and_mend(
    storage: Storage, *, repair: bool = False, rebuild: bool = False, progress: Progress = silent
) -> Report:
    """Check the store at this place; where asked to, mend it and check it again. Errors as of `check_store`."""
    report = check_store(storage, progress=progress)
    repairs: list[Repair] = []
    if repair:
        repairs += _mended(storage, report)
    if rebuild and not any(one.path == FILE_NAME for one in repairs):
        repairs.append(_rebuilt(storage))
    if any(one.done for one in repairs):
        report = check_store(storage, progress=progress)
    return replace(report, repairs=tuple(repairs))


def _mended(storage: Storage, report: Report) -> list[Repair]:
    """Mend what ``report`` found: damaged segments whose rows are elsewhere, orphans, what is made from the commits."""
    history = read_history(storage, report.store)
    done = restore(storage, history.commits, report.findings)
    done += [_beyond_repair(finding) for finding in report.findings if _is_beyond_repair(finding)]
    if not history.whole or any(finding.path == IDENTITY for finding in report.findings):
        return done  # which files no commit names is not known either
    store = Store(storage, establish(storage))
    done += [Repair(orphan.name, True, "removed: no commit stands for it") for orphan in remove_orphans(store)]
    for finding in report.findings:
        if finding.kind is Kind.STALE and finding.path != FILE_NAME:
            storage.remove(finding.path)
            done.append(Repair(finding.path, True, "removed: it is made again when it is needed"))
    if any(finding.kind is Kind.STALE and finding.path == FILE_NAME for finding in report.findings):
        done.append(_rebuilt(storage))
    return done


def _rebuilt(storage: Storage) -> Repair:
    """Make the catalog anew from the commits, whatever there is."""
    try:
        store = Store(storage, establish(storage))
        rebuild_catalog(store)
    except StoreError as error:
        return Repair(FILE_NAME, False, f"could not be made anew: {error}")
    return Repair(FILE_NAME, True, f"made anew from the commits, up to commit {store.snapshot().number}")


def _is_beyond_repair(finding: Finding) -> bool:
    is_segment = finding.path.startswith("segments/") and finding.kind in (Kind.MISSING, Kind.CHANGED)
    return finding.kind.verdict.exit_code != 0 and finding.kind is not Kind.UNCHECKED and not is_segment


def _beyond_repair(finding: Finding) -> Repair:
    return Repair(finding.path, False, f"{finding.kind.value}: nothing else in the store holds it: {finding.advice}")
