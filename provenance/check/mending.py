"""What of a store can be mended without loss, and mending it; everything that cannot is said, with the reason.

The truth is added to only by what it proves itself: a segment whose sha256 is the one that its commit gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from provenance.answers.entities import WIDE
from provenance.check.findings import Finding, Kind, Repair, Report
from provenance.check.history import read_history
from provenance.check.restoring import restore
from provenance.check.whole import Progress, check_store, silent
from provenance.ducklake.lake import FILE_NAME
from provenance.ducklake.lake import rebuild as rebuild_catalog
from provenance.erasure.erasing import finish
from provenance.errors import NOT_THERE, ReadFailedError, StoreError
from provenance.location import IDENTITY, establish
from provenance.orphans import remove_orphans
from provenance.segments.segment_files import FOLDER
from provenance.storage.interface import Storage
from provenance.store import Store
from provenance.wide import wide
from provenance.wide.wide_build import forget, promote

if TYPE_CHECKING:
    from query.vocabulary import EntityTable


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
    done += _without_orphans(store)
    done += _finished(store, [one.path for one in report.findings if one.kind is Kind.UNERASED])
    done += _wide_made_anew(store, report.findings, is_sound=all(repair.done for repair in done))
    done += _without_stale(storage, report)
    if any(finding.path == FILE_NAME and finding.kind is not Kind.UNREADABLE for finding in report.findings):
        done.append(_rebuilt(storage))
    return done


def _wide_made_anew(store: Store, findings: Iterable[Finding], *, is_sound: bool) -> list[Repair]:
    """Remove wide tables that something is wrong with, and make them anew if what they are made of ``is_sound``."""
    wrong = {finding.path for finding in findings if _is_wide(finding)}
    done = []
    for table in WIDE:
        bad = [name for name in wide.names(store.storage, table) if wrong & _files(store, name)]
        for name in bad:
            forget(store, name)
            done.append(Repair(f"{wide.FOLDER}/{name}", True, "removed with its files: it was made from the tables"))
        if bad and is_sound:
            done += _promoted(store, table)
    return done


def _files(store: Store, name: str) -> set[str]:
    """The files of a wide table, its document among them."""
    said = wide.said(store.storage, store.store_id, name)
    return {f"{wide.FOLDER}/{name}", *(part.path for part in (said.parts if said else ()))}


def _promoted(store: Store, table: EntityTable) -> list[Repair]:
    try:
        made = promote(store, table, eager=True)
    except (StoreError, OSError) as error:
        return [Repair(f"{wide.FOLDER}/{table.entity.value}", False, f"could not be made anew: {error}")]
    return [Repair(f"{wide.FOLDER}/{table.entity.value}", True, "made anew from the tables")] if made else []


def _is_wide(finding: Finding) -> bool:
    """Whether a wide table is wrong; one that could not be read may be right."""
    return finding.path.startswith(f"{wide.FOLDER}/") and finding.kind is not Kind.UNREADABLE


def _finished(store: Store, left: Sequence[str]) -> list[Repair]:
    """Finish erasures of which something is left."""
    if not left:
        return []
    try:
        finish(store)
    except StoreError as error:
        return [Repair(path, False, f"its erasure could not be finished: {error}") for path in left]
    return [Repair(path, True, "erased, as a commit says of it") for path in left]


def _without_orphans(store: Store) -> list[Repair]:
    """Remove what killed writers left, and what commits do not stand for."""
    try:
        return [Repair(orphan.name, True, "removed: no commit stands for it") for orphan in remove_orphans(store)]
    except ReadFailedError as error:
        return [Repair(FOLDER, False, f"what no commit stands for was not removed: {error}")]


def _without_stale(storage: Storage, report: Report) -> list[Repair]:
    """Remove checkpoints that do not say what the commits say."""
    stale = [
        one.path for one in report.findings if one.kind is Kind.STALE and one.path != FILE_NAME and not _is_wide(one)
    ]
    for path in stale:
        storage.remove(path)
    return [
        Repair(path, False, "could not be removed")
        if _is_there(storage, path)
        else Repair(path, True, "removed: it is made again when it is needed")
        for path in stale
    ]


def _is_there(storage: Storage, path: str) -> bool:
    """Whether a file is still listed, or may be."""
    folder, _, name = path.rpartition("/")
    try:
        return name in storage.names(folder)
    except NOT_THERE:
        return False
    except ReadFailedError:
        return True


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
    is_derived = is_segment or _is_wide(finding) or finding.path == FILE_NAME
    may_be_mended = finding.kind in (Kind.UNCHECKED, Kind.UNERASED)
    return finding.kind.verdict.exit_code != 0 and not may_be_mended and not is_derived


def _beyond_repair(finding: Finding) -> Repair:
    return Repair(finding.path, False, f"{finding.kind.value}: nothing else in the store holds it: {finding.advice}")
