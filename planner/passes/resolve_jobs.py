"""The pass that finds what every job runs: transformation, site, executable and its digest, environment, settings.

Executables are hashed, each path once. One that cannot be hashed here takes the digest that the wrapper last saw at
that site and path (`observed`); without even that the job has no reuse key and runs.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from planner.catalogs.model import Catalogs, Transformation, TransformationSite
from planner.errors import FileError
from planner.job_choices import ON_MISMATCH, PROTECTION
from planner.job_steps import steps_of
from planner.passes.catalog_copies import resolve
from planner.passes.copies import Copies, Finding
from planner.planned import Plan, PlannedJob
from planner.profiles import CHECKPOINT, CPU_TIME, WALLTIME, effective_profiles, seconds_of, submit_commands
from planner.workflow import Job, Profiles
from provenance.storable import storable
from provenance.store import Store

_LOCAL = "local"
_POOL = "condorpool"  # what Pegasus calls the site of an HTCondor pool


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What jobs of one transformation share; ``runs_at`` is the site that they run at, wherever the executable is."""

    transformation: Transformation
    site: TransformationSite
    runs_at: str
    path: str
    sha256: bytes | None
    origin: str | None
    ground: str | None
    warnings: tuple[str, ...]


def resolve_jobs(plan: Plan) -> Plan:
    """Fill in everything about executables, environments and settings; raises FileError, with the place, for what is
    unknown.
    """
    cache: dict[tuple[str | None, str, str | None], _Resolved] = {}
    copies = Copies()
    chosen: list[tuple[PlannedJob, _Resolved]] = []
    for planned in plan.jobs:
        job = planned.job
        if job.type != "job" or job.name is None:
            raise FileError(
                job.place,
                f"job {job.id}: jobs of type {job.type} cannot be run yet",
                hint="Plan the sub-workflow by itself.",
            )
        key = (job.namespace, job.name, job.version)
        if key not in cache:
            cache[key] = _resolve(job, plan, copies)
        chosen.append((planned, cache[key]))
    seen = _last_seen(plan.request.store, {(each.runs_at, each.path) for each in cache.values() if each.sha256 is None})
    jobs = tuple(_filled(plan, planned, found, seen) for planned, found in chosen)
    warnings = tuple(warning for found in cache.values() for warning in found.warnings)
    if plan.request.engine == "local" and (asked := sorted({command for job in jobs for command in job.submit})):
        what = ", ".join(asked)
        warnings = (*warnings, f"profiles ask HTCondor for {what}: without effect where this machine runs the jobs")
    return replace(plan, jobs=jobs, warnings=(*plan.warnings, *warnings))


def _filled(plan: Plan, planned: PlannedJob, found: _Resolved, seen: Mapping[tuple[str, str], bytes]) -> PlannedJob:
    profiles = effective_profiles(
        planned.job,
        found.transformation,
        found.site,
        plan.catalogs.sites.get(found.runs_at),
        plan.catalogs.properties,
        plan.workflow.profiles,
    )
    try:
        walltime, checkpoint, cpu_time = (seconds_of(profiles, keys) for keys in (WALLTIME, CHECKPOINT, CPU_TIME))
        steps_of(profiles.get("env", {}))
    except ValueError as error:  # of properties, which are plain text until here
        raise FileError(planned.job.place, f"job {planned.job.id}: {error}") from None
    sha256, origin, ground = found.sha256, found.origin, found.ground
    if sha256 is None:
        sha256 = seen.get((found.runs_at, found.path))
        origin = ground = "observed" if sha256 is not None else None
    return replace(
        planned,
        transformation=found.transformation,
        site=found.runs_at,
        executable=found.path,
        executable_type=found.site.type,
        executable_sha256=sha256,
        executable_digest_origin=origin,
        executable_ground=ground,
        environment=dict(sorted(profiles.get("env", {}).items())),
        submit=submit_commands(profiles),
        metadata={**found.transformation.metadata, **found.site.metadata, **planned.job.metadata},
        retries=_retries(planned.job, profiles),
        walltime_seconds=walltime,
        checkpoint_seconds=checkpoint,
        cpu_seconds=cpu_time,
        salt=profiles.get("pirene", {}).get("salt", ""),
        deterministic=profiles.get("pirene", {}).get("deterministic", "true") != "false",
        on_mismatch=plan.request.on_mismatch or profiles.get("pirene", {}).get("on_mismatch", ON_MISMATCH[0]),
        protection=plan.request.protection or profiles.get("pirene", {}).get("protection", PROTECTION[0]),
    )


def _retries(job: Job, profiles: Profiles) -> int:
    text = profiles.get("dagman", {}).get("retry", "0")
    if not text.isdecimal():
        # Profiles of workflows and catalogs were checked when they were read; properties are plain text until here.
        raise FileError(job.place, f"job {job.id}: dagman.retry is to be a number of attempts, found {text!r}")
    return int(text)


def _resolve(job: Job, plan: Plan, copies: Copies) -> _Resolved:
    transformation = _transformation(job, plan.catalogs)
    on_pool = plan.request.engine == "htcondor"
    site, path, warnings = (_pool_site if on_pool else _site)(job, transformation)
    runs_at = _POOL if on_pool else site.name
    if site.container is not None:
        raise FileError(
            site.place,
            f"transformation {_shown(transformation.key)} runs in the container {site.container!r}, "
            "and containers are not supported yet",
            hint="Add a site entry without a container, for example an installed executable at site local.",
        )
    declared = bytes.fromhex(transformation.sha256) if transformation.sha256 else None
    # What is installed on worker nodes is not what this machine has at that path.
    found = Finding.MISSING if on_pool and site.type == "installed" else copies.hash(path)
    if isinstance(found, Finding):
        origin = "declared" if declared else None
        return _Resolved(transformation, site, runs_at, path, declared, origin, None, warnings)
    if declared is not None and declared != found.sha256:
        expected = f"expected sha256 {declared.hex()} as {transformation.place} declares it"
        warning = f"{path}: {expected}, found {found.sha256.hex()}"
        return _Resolved(transformation, site, runs_at, path, declared, "declared", None, (*warnings, warning))
    origin = "declared" if declared else "observed"
    return _Resolved(transformation, site, runs_at, path, found.sha256, origin, "proven", warnings)


def _transformation(job: Job, catalogs: Catalogs) -> Transformation:
    """The exact one; else the only one that agrees with what the job says (what it leaves out may be anything)."""
    assert job.name is not None
    wanted = (job.namespace, job.name, job.version)
    exact = catalogs.transformations.get(wanted)
    if exact is not None:
        return exact
    fitting = [
        each
        for each in catalogs.transformations.values()
        if each.name == job.name and job.namespace in (None, each.namespace) and job.version in (None, each.version)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(sorted(_shown(each.key) for each in fitting))
        raise FileError(
            job.place, f"job {job.id}: {_shown(wanted)} could be {names}", hint="Say which: namespace, version."
        )
    known = {_shown(key): key for key in catalogs.transformations}
    close = difflib.get_close_matches(_shown(wanted), known, n=1)
    hint = (
        f"Did you mean {close[0]}?"
        if close
        else "Add it to the transformation catalog (transformations.yml next to the workflow)."
    )
    raise FileError(job.place, f"job {job.id}: unknown transformation {_shown(wanted)}", hint=hint)


def _site(job: Job, transformation: Transformation) -> tuple[TransformationSite, str, tuple[str, ...]]:
    """The entry to use here and its path: that of site local, else a stageable one, else one whose path is there
    anyway.
    """
    reachable = [(site, path) for site in transformation.sites for path in [_path(site)] if path is not None]
    ordered = sorted(reachable, key=lambda pair: (pair[0].name != _LOCAL, pair[0].type != "stageable"))
    for site, path in ordered:
        if site.name == _LOCAL or site.type == "stageable":
            return site, path, ()
        if Path(path).exists():
            installed = f"{_shown(transformation.key)} is installed at site {site.name!r}"
            note = f"{site.place}: {installed}; {path} of this machine is used"
            return site, path, (note,)
    raise FileError(
        job.place,
        f"job {job.id}: no executable of {_shown(transformation.key)} can be used here; its sites are "
        f"{_listed(transformation)}",
        hint=f"Add one for site local, or a stageable one that is a local file ({transformation.place}).",
    )


def _pool_site(job: Job, transformation: Transformation) -> tuple[TransformationSite, str, tuple[str, ...]]:
    """The entry to use on a pool and its path: that of the pool's own site, else a stageable one, if possible of site
    local.
    """
    reachable = [(site, path) for site in transformation.sites for path in [_path(site)] if path is not None]
    ordered = sorted(reachable, key=lambda pair: (pair[0].name != _POOL, pair[0].name != _LOCAL))
    for site, path in ordered:
        if site.name == _POOL or site.type == "stageable":
            return site, path, ()
    raise FileError(
        job.place,
        f"job {job.id}: no executable of {_shown(transformation.key)} can be used on the pool; its sites are "
        f"{_listed(transformation)}",
        hint=f"Add one for site {_POOL}, or make one that is a local file stageable ({transformation.place}).",
    )


def _listed(transformation: Transformation) -> str:
    return ", ".join(f"{site.name} ({site.type}): {site.pfn}" for site in transformation.sites) or "none"


def _path(site: TransformationSite) -> str | None:
    path = resolve(site.pfn, site.place)[1]
    return None if path is None else str(path)


def _last_seen(store: Store, wanted: set[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
    """The digest that the wrapper saw last of the executable at a site and path."""
    if not wanted:
        return {}
    pairs = sorted(wanted)
    rows: list[tuple[Any, ...]] = store.rows(
        _LAST_SEEN,
        [[site for site, _ in pairs], [storable(path) for _, path in pairs]],
        tables=["jobs", "uses_in_order"],
    )
    return {(site, path): sha256 for site, path, sha256 in rows}


_LAST_SEEN = """
    SELECT j.site, j.executable, arg_max(u.sha256, (u.commit_order, u.attempt))
    FROM (SELECT unnest(?) AS site, unnest(?) AS executable) wanted
    JOIN jobs j ON j.site = wanted.site AND j.executable = wanted.executable
    JOIN uses_in_order u ON u.run = j.run AND u.job = j.job
    WHERE u.role = 'executable' AND u.sha256 IS NOT NULL AND NOT u.pulled  -- a path there need not be that path here
    GROUP BY j.site, j.executable
"""


def _shown(key: tuple[str | None, str, str | None]) -> str:
    namespace, name, version = key
    return f"{namespace + '::' if namespace else ''}{name}{':' + version if version else ''}"
