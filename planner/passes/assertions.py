"""Outputs that the user's own replica catalog lists, as Pegasus' data reuse takes them: a ground, and the weakest one.

It never overrides what the store knows: an output that the store saw produced under another key is not taken for this
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from planner.engine_plan import WRITES
from planner.passes.catalog_copies import CatalogCopy, CatalogFile, find_in_catalog
from planner.passes.copies import Copies, Finding, readable, with_stat
from planner.passes.history import keys_that_made
from planner.passes.outlook import Outlook
from planner.planned import Plan, PlannedFile, PlannedJob
from provenance.copies.replicas import by_url
from provenance.identity import registered_file
from provenance.storable import storable


@dataclass(frozen=True, slots=True)
class _Listed:
    """A listed copy with its digest, and the keys under which the store saw that name and content made."""

    file: PlannedFile
    keys: frozenset[bytes | None]


class Assertions:
    """What the replica catalog lists of the outputs of a plan; copies are read only when a job could be left out for
    them.
    """

    def __init__(self, plan: Plan, copies: Copies, final: Mapping[int, frozenset[str]]) -> None:
        self._plan = plan
        self._copies = copies
        self._final = final
        self._listed: dict[str, _Listed | None] = {}
        self._next = sum(file.new for file in plan.files.values())
        self._read_by_others = {use.name for job in plan.jobs for use in job.uses if use.producer is not None}
        self.warnings: list[str] = []
        names = {use.name for job in plan.jobs for use in job.uses if use.role == "output"}
        catalogs = plan.catalogs
        # Most catalogs list inputs only: then there is nothing to ask for any job.
        self._any = bool(names & catalogs.replicas.keys()) or (
            bool(catalogs.replica_patterns) and any(find_in_catalog(catalogs, name) for name in names)
        )

    def outlook(self, job: PlannedJob, found: Outlook) -> Outlook:
        """The outlook of a job that history says nothing of: asserted if all of its final outputs are listed, else
        ``found``.
        """
        if not self._any:
            return found
        usable = {
            use.name: listed.file
            for use in job.uses
            if use.role == "output"
            and (listed := self._listed.get(use.name)) is not None
            and _agrees(listed, found.key)
        }
        required = self._final[job.number] - {use.name for use in job.uses if use.optional}
        if not required <= usable.keys():
            return found
        if not usable and not any(use.role in WRITES and use.name in self._read_by_others for use in job.uses):
            return found
        outputs = {storable(name): file.sha256 for name, file in usable.items() if file.sha256 is not None}
        return replace(found, ground="asserted", why="", outputs=outputs, asserted=usable)

    def gather(self, jobs: Iterable[PlannedJob]) -> bool:
        """Read the listed copies of the outputs of ``jobs`` that were not read before; whether there were any."""
        if not self._any:
            return False
        names = [use.name for job in jobs for use in job.uses if use.role == "output" and use.name not in self._listed]
        if not names:
            return False
        entries = {name: find_in_catalog(self._plan.catalogs, name) for name in dict.fromkeys(names)}
        chosen = {name: (entry, copy) for name, entry in entries.items() if entry and (copy := _readable(entry))}
        known = by_url(self._plan.request.store, [copy.url for _, copy in chosen.values()])
        files: dict[str, PlannedFile] = {}
        for name, (entry, copy) in chosen.items():
            file = self._read(entry, copy)
            if file is None:
                continue
            replica = known.get(copy.url)
            if replica is not None and replica.sha256 == file.sha256:
                file = replace(file, source=replica.source, file=replica.file, digest_origin="recorded", new=False)
            else:
                file = replace(file, file=registered_file(self._next))
                self._next += 1
                if replica is not None:
                    file = replace(file, replaces=replica.id)
            files[name] = file
        makers = keys_that_made(
            self._plan.request.store,
            {(storable(name), file.sha256) for name, file in files.items() if file.sha256 is not None},
        )
        for name in entries:
            file = files.get(name)
            if file is None or file.sha256 is None:
                self._listed[name] = None
            else:
                self._listed[name] = _Listed(file, frozenset(makers.get((storable(name), file.sha256), ())))
        return True

    def _read(self, entry: CatalogFile, copy: CatalogCopy) -> PlannedFile | None:
        """The listed copy with the digest that it has; None if that is not the one which the catalog declares."""
        found = self._copies.hash(str(copy.path))
        if isinstance(found, Finding):
            return None
        if entry.sha256 is not None and entry.sha256 != found.sha256:
            self.warnings.append(
                f"{entry.place}: {entry.name!r} at {copy.path}: expected sha256 {entry.sha256.hex()} as declared, "
                f"found {found.sha256.hex()}: it is not taken for an output"
            )
            return None
        file = PlannedFile(
            source=self._plan.run,
            file=0,
            name=entry.name,
            path=str(copy.path),
            url=copy.url,
            site=copy.site,
            sha256=found.sha256,
            size_bytes=found.stat.size,
            digest_origin="declared" if entry.sha256 is not None else "observed",
            new=True,
            metadata=entry.metadata,
        )
        return with_stat(file, found.stat)


def _agrees(listed: _Listed, key: bytes | None) -> bool:
    """Whether the store has nothing against this copy being the output of the job with ``key`` (None: not known)."""
    return not listed.keys or (key is not None and key in listed.keys)


def _readable(entry: CatalogFile) -> CatalogCopy | None:
    return next((copy for copy in entry.copies if copy.path is not None and readable(str(copy.path))), None)
