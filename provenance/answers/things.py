"""Which workflows, jobs and files a person means who wants to see or set metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from provenance.answers.designators import FileRef, NothingFoundError, file_id, find_files, is_query
from provenance.answers.facts import ENTITY_NAMES, Thing
from provenance.answers.runs import NoSuchRunError, Run, find_run
from provenance.errors import StoreError
from provenance.reading.views import fetch
from provenance.storable import storable
from query.vocabulary import Entity

if TYPE_CHECKING:
    from provenance.store import Store

_SELECT = {
    Entity.FILES: "SELECT source, file, name FROM files",
    Entity.JOBS: "SELECT j.run, j.job, j.id, w.name FROM jobs AS j LEFT JOIN workflows AS w ON w.run = j.run",
    Entity.WORKFLOWS: "SELECT run, 0, run_id, name FROM workflows",
}


class AmbiguousThingError(StoreError):
    """A word means a run and a file alike."""


def find_things(store: Store, words: Sequence[str], parameters: Mapping[str, object]) -> list[Thing]:
    """The things that are meant, in order: by one query; RUN JOB (a run and the id of a job in it); RUN; or a file.

    RUN is as in `provenance.answers.runs.find_run`, a file as in `provenance.answers.designators.find_files`. Raises
    NothingFoundError, AmbiguousThingError, QueryError.
    """
    if len(words) == 1 and is_query(words[0]):
        return _by_query(store, words[0], parameters)
    if len(words) == 2:
        return [_job(store, find_run(store, words[0]), words[1])]
    run, files = _run(store, words[0]), _files(store, words[0])
    if run is not None and files:
        raise AmbiguousThingError(
            f"{words[0]!r} is a run and the name of a file",
            hint=f"say which: 'workflows where id = \"{run.run_id}\"' or 'files where name = \"{files[0].name}\"'",
        )
    if run is not None:
        return [Thing(Entity.WORKFLOWS, run.run, 0, run.run_id, run.name)]
    if not files:
        raise NothingFoundError(
            f"no workflow, run or file is called {words[0]!r}",
            hint="`pirene query workflows` and `pirene query files` list what there is; a job is given as RUN JOB",
        )
    return [Thing(Entity.FILES, ref.source, ref.file, ref.id, ref.name) for ref in files]


def _by_query(store: Store, text: str, parameters: Mapping[str, object]) -> list[Thing]:
    from provenance.answers.ask import answer

    found = answer(store, text, parameters, keys=True)
    if found.entity not in ENTITY_NAMES:
        raise StoreError(f"{found.entity.value} have no metadata", hint="workflows, jobs and files have")
    keys = [(*key, 0)[:2] for key, _ in found.keyed_rows()]
    labels = _labels(store, found.entity, keys)
    return [Thing(found.entity, source, number, *labels[source, number]) for source, number in keys]


def _labels(store: Store, entity: Entity, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, str]]:
    """(id, label) of each key."""
    columns = [[source for source, _ in keys], [number for _, number in keys]]
    select = _SELECT[entity]
    one = {"files": "(source, file)", "jobs": "(j.run, j.job)", "workflows": "(run, 0)"}[entity.value]
    sql = f"{select} WHERE {one} IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))"
    found = {}
    for source, number, *names in fetch(store, sql, columns):
        if entity is Entity.FILES:
            found[source, number] = (file_id(source, number), names[0])
        elif entity is Entity.JOBS:
            found[source, number] = (names[0], f"{names[0]} of {names[1]}")
        else:
            found[source, number] = (names[0], names[1])
    return found


def _job(store: Store, run: Run, job: str) -> Thing:
    rows = fetch(store, "SELECT job, id FROM jobs WHERE run = $1 AND id = $2", [run.run, storable(job)])
    if not rows:
        raise NothingFoundError(
            f"run {run.run_id} ({run.name}) has no job {job!r}",
            hint=f"`pirene query 'jobs where workflow.id = \"{run.run_id}\"'` lists them",
        )
    number, id_ = rows[0]
    return Thing(Entity.JOBS, run.run, number, id_, f"{id_} of {run.name}")


def _run(store: Store, word: str) -> Run | None:
    try:
        return find_run(store, word)
    except NoSuchRunError:
        return None


def _files(store: Store, word: str) -> list[FileRef]:
    try:
        return find_files(store, word)
    except NothingFoundError:
        return []
