"""The pass that finds every raw input: which occurrence it is, where its readable copy lies and what digest is expected
of it.

The expected digest comes, in this order, from a selection (recorded), from the replica catalog (declared), from the
store if the catalog's URL is a live replica there whose bytes have not changed (recorded), or from hashing the copy now
(observed). A declared digest that the bytes on disk do not have is no error here: the wrapper finds it before the job
starts, and records it. What cannot be found or read at all is refused, with all the places that were looked at.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from integrity.digest import Stat
from planner.errors import FileError, PlannerError
from planner.passes.catalog_copies import CatalogCopy, CatalogFile, find_in_catalog
from planner.passes.copies import Copies, Finding, as_planned, readable, same_stat, with_stat
from planner.planned import OtherCopy, Plan, PlannedFile, PlannedJob, PlannedUse
from planner.workflow import Metadata
from provenance.copies.replicas import Replica, by_path
from provenance.identity import registered_file
from provenance.metadata import Value
from provenance.users import owner_of

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A raw input: the first job that reads it, how, and what the catalog says."""

    job: PlannedJob
    use: PlannedUse
    copy: CatalogCopy
    catalog: CatalogFile
    size_bytes: int | None

    @property
    def path(self) -> Path:
        """Where the copy is; one that was chosen to be read is local."""
        assert self.copy.path is not None
        return self.copy.path


def locate_inputs(plan: Plan) -> Plan:
    """Fill in ``files``: every raw input by lfn. Optional inputs that are nowhere are left out."""
    files = _selected(plan)
    wanted = _wanted(plan, files)
    known = by_path(plan.request.store, [item.path for item in wanted.values()])
    copies = Copies()
    warnings = []
    for name, copy, replica in _in_place_of_quarantined(plan, wanted, known, copies):
        warnings.append(f"input {name!r}: {wanted[name].path} is in quarantine; {copy.path} is read instead")
        wanted[name] = replace(wanted[name], copy=copy)
        known |= {wanted[name].path: replica} if replica is not None else {}
    verified = []
    declared = _declared_metadata(plan.jobs)
    position = 0
    for name, item in wanted.items():
        metadata = {**item.catalog.metadata, **declared.get(name, {})}
        found = _occurrence(plan.run, item, metadata, known.get(item.path), position, copies)
        file = replace(found, others=_other_copies(item))
        position += file.new
        files[name] = file
        if not file.new and file.digest_origin == "recorded" and copies.was_read(file.path):
            verified.append(file)
        if file.replaces is not None:
            warnings.append(f"input {name!r}: {file.path} is not what the store knew there; it counts as a new file")
    return replace(plan, files=files, verified=(*plan.verified, *verified), warnings=(*plan.warnings, *warnings))


def _selected(plan: Plan) -> dict[str, PlannedFile]:
    """The files of all selections by name; one name must not stand for two contents, nor for an output of this plan."""
    files: dict[str, PlannedFile] = {}
    for selection in plan.selections.values():
        for file in selection.files:
            other = files.setdefault(file.name, file)
            if other.sha256 != file.sha256:
                raise FileError(
                    plan.workflow.selections[selection.name].place,
                    f"two selections chose {file.name!r} with different contents",
                    hint="A job knows a file by its name alone; narrow one of the two.",
                )
    for job in plan.jobs:
        for use in job.uses:
            if use.role == "output" and use.name in files:
                raise FileError(
                    job.job.place,
                    f"job {job.job.id} writes {use.name!r}, which is also the name of a selected file",
                    hint="Give the output another name.",
                )
    return files


def _wanted(plan: Plan, selected: Mapping[str, PlannedFile]) -> dict[str, _Wanted]:
    """Every raw input that no selection chose, with the copy to read; PlannerError for all that are missing at once."""
    wanted: dict[str, _Wanted] = {}
    missing: dict[str, str] = {}
    for job in plan.jobs:
        for use in job.uses:
            if use.producer is not None or use.role not in ("input", "inout", "checkpoint"):
                continue
            if use.name in selected or use.name in wanted or use.name in missing:
                continue
            catalog = find_in_catalog(plan.catalogs, use.name)
            copy = next(_readable(catalog), None)
            if catalog is not None and copy is not None:
                sizes = (declared.size_bytes for declared in job.job.uses if declared.name == use.name)
                wanted[use.name] = _Wanted(job, use, copy, catalog, next(sizes, None))
            elif not use.optional and use.role != "checkpoint":
                missing[use.name] = _why_missing(plan, job, use, catalog)
    if missing:
        _refuse(plan, list(missing.values()))
    return wanted


def _other_copies(item: _Wanted) -> tuple[OtherCopy, ...]:
    """The copies in the catalog beside the one that is read. None of them has been looked at."""
    copies = [copy for copy in item.catalog.copies if copy.path is not None and copy.path != item.copy.path]
    return tuple(OtherCopy(str(copy.path), copy.url, copy.site) for copy in copies)


def _readable(catalog: CatalogFile | None) -> Iterator[CatalogCopy]:
    """The copies that can be read here, in the order of the catalog."""
    copies = catalog.copies if catalog is not None else ()
    return (copy for copy in copies if copy.path is not None and readable(str(copy.path)))


def _in_place_of_quarantined(
    plan: Plan, wanted: Mapping[str, _Wanted], known: Mapping[Path, Replica], copies: Copies
) -> list[tuple[str, CatalogCopy, Replica | None]]:
    """For inputs whose copy is in quarantine: the name, the first other copy that has the bytes which that one should
    have, and what the store knows of it. Inputs without such a copy are left out: recovery has its say when they run.
    """
    doubted = {name: item for name, item in wanted.items() if _is_quarantined(known.get(item.path))}
    others = {name: [c for c in _readable(item.catalog) if c.path != item.path] for name, item in doubted.items()}
    paths = [copy.path for each in others.values() for copy in each if copy.path is not None]
    seen = by_path(plan.request.store, paths)
    found = []
    for name, item in doubted.items():
        sha256 = item.catalog.sha256 or known[item.path].sha256
        for copy in others[name]:
            replica = seen.get(copy.path) if copy.path is not None else None
            if sha256 is not None and _has_content(copy, replica, sha256, copies):
                found.append((name, copy, replica))
                break
    return found


def _is_quarantined(replica: Replica | None) -> bool:
    return replica is not None and replica.state == "quarantined"


def _has_content(copy: CatalogCopy, replica: Replica | None, sha256: bytes, copies: Copies) -> bool:
    """Whether a copy is not in quarantine itself and has these bytes: by its stat, or it is read."""
    path = str(copy.path)
    if replica is not None and replica.sha256 is not None:
        known = as_planned(replica, path, replica.name)
        return replica.state == "ok" and replica.sha256 == sha256 and copies.check(known).finding is None
    found = copies.hash(path)
    return not isinstance(found, Finding) and found.sha256 == sha256


def _why_missing(plan: Plan, job: PlannedJob, use: PlannedUse, catalog: CatalogFile | None) -> str:
    start = f"{job.job.place}: job {job.job.id}: missing input {use.name!r}: "
    if catalog is not None:
        urls = ", ".join(copy.url for copy in catalog.copies) or "none is listed"
        return f"{start}no copy of it can be read: {urls} ({catalog.place})"
    names = {
        *plan.catalogs.replicas,
        *(other.name for each in plan.jobs for other in each.uses if other.role == "output"),
    }
    close = difflib.get_close_matches(use.name, names, n=1)
    suggestion = f"; did you mean {close[0]!r}?" if close else ""
    return f"{start}no job writes it, and it is in no replica catalog and no selection{suggestion}"


def _refuse(plan: Plan, reasons: list[str]) -> None:
    more = f"\n(and {len(reasons) - _SHOWN} more)" if len(reasons) > _SHOWN else ""
    places = sorted(
        {str(entry.place.file) for entry in plan.catalogs.replicas.values() if entry.place.file is not None}
    )
    raise PlannerError(
        "\n".join(reasons[:_SHOWN]) + more,
        hint=f"Looked in: {', '.join(places) or 'no replica catalog was found'}. List the file in a replica catalog "
        "(replicas.yml next to the workflow), or choose it with a selection.",
    )


def _occurrence(
    run: int, item: _Wanted, metadata: Metadata, known: Replica | None, position: int, copies: Copies
) -> PlannedFile:
    """The file that the copy holds: the one that the store knows at that URL if the bytes are still its, else a new
    one.
    """
    path = str(item.path)
    fresh = PlannedFile(
        source=run,
        file=registered_file(position),
        name=item.use.name,
        path=path,
        url=item.copy.url,
        site=item.copy.site,
        sha256=item.catalog.sha256,
        size_bytes=item.size_bytes,
        digest_origin="declared",
        new=True,
        metadata=metadata,
    )
    old = None if known is None else replace(as_planned(known, path, fresh.name), site=fresh.site, metadata=metadata)
    # Bytes that a job refused do not become a file of their own by planning again: registering them would.
    quarantined = _is_quarantined(known)
    if fresh.sha256 is not None:
        if old is not None and old.sha256 == fresh.sha256:
            return replace(old, digest_origin="declared")
        return _first_sight(fresh, old)
    if old is not None and old.sha256 is not None and (quarantined or same_stat(old, Stat.of(Path(path)))):
        return old
    found = copies.hash(path)
    if isinstance(found, Finding):
        raise FileError(
            item.job.job.place, f"job {item.job.job.id}: input {item.use.name!r} at {path} is {found.value}"
        )
    if old is not None and old.sha256 == found.sha256:
        return with_stat(old, found.stat)
    return _first_sight(with_stat(replace(fresh, sha256=found.sha256, digest_origin="observed"), found.stat), old)


def _first_sight(fresh: PlannedFile, old: PlannedFile | None) -> PlannedFile:
    """A new occurrence: with its owner and size as the file system has them, and what it takes the place of."""
    size = Stat.of(fresh.path).size if fresh.size_bytes is None else fresh.size_bytes
    # What a link led to is a copy at another place: there it is not replaced but, if it is other than known, damaged.
    replaces = None if old is None or old.url != fresh.url else (old.source, old.file)
    return replace(fresh, owner=owner_of(Path(fresh.path)), size_bytes=size, replaces=replaces)


def _declared_metadata(jobs: tuple[PlannedJob, ...]) -> Mapping[str, Metadata]:
    """What `uses` entries say of the files that jobs read, by lfn; of two entries for one key the first one counts."""
    found: dict[str, dict[str, Value]] = {}
    for job in jobs:
        for use in job.uses:
            if use.role != "output" and use.metadata:
                known = found.setdefault(use.name, {})
                for key, value in use.metadata.items():
                    known.setdefault(key, value)
    return found
