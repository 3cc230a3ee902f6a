"""The pass that turns selections into concrete files and freezes them: query, parameters, `now`, commit and what was
chosen.

Files with the same name and content are one file. Nothing is ever picked silently: no match at all, more or fewer files
than expected, one name with two contents, and a match of which no good copy is left are errors that say what would
decide.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from planner.errors import FileError, PlannerError
from planner.passes.copies import as_planned, readable
from planner.passes.lost_inputs import refuse_lost
from planner.passes.selection_query import SelectionQuery, chosen_files, parameters_named
from planner.planned import FrozenSelection, Plan, PlannedFile
from planner.workflow import Metadata, Selection
from provenance.answers.ask import Answer
from provenance.copies.replicas import Replica, by_file, holds, local_path
from provenance.identity import FileId
from provenance.metadata import Value, Written
from provenance.metadata_rows import EMPTY_LIST_POSITION
from provenance.reading.views import fetch

_SHOWN = 10
_DECIDE = "Add `latest 1 per name by created` to the query to take the newest of each name"


def select_inputs(plan: Plan) -> Plan:
    """Fill in ``selections``. Raises FileError, naming the selection's place, for whatever would have to be guessed."""
    frozen = {}
    warnings: list[str] = []
    used: set[str] = set()
    for selection in plan.workflow.selections.values():
        query = SelectionQuery.of(plan, selection)
        used |= query.given.keys()
        chosen, said = _select(query)
        frozen[selection.name] = chosen
        warnings.extend(f"selection {selection.name}: {each}" for each in said)
    _refuse_unused(plan, used)
    return replace(plan, selections=frozen, warnings=(*plan.warnings, *warnings))


def _refuse_unused(plan: Plan, used: set[str]) -> None:
    policy = plan.request.reuse_policy or plan.workflow.reuse.query or ""
    unused = sorted(plan.request.parameters.keys() - used - parameters_named(policy))
    if unused:
        raise PlannerError(
            f"-p {unused[0]}: no selection of workflow {plan.workflow.name!r} has a parameter of that name",
            hint="Write it as $name in the query of a selection.",
        )


def _select(query: SelectionQuery) -> tuple[FrozenSelection, tuple[str, ...]]:
    """The frozen selection, and the warnings that its query gives."""
    asked = query.ask()
    ids = chosen_files(asked)
    files = _as_files(query.plan, query.selection, ids)
    refuse_lost(query, frozenset(ids), files)
    _check_count(query, files, asked)
    frozen = FrozenSelection(
        name=query.selection.name,
        query=asked.text,
        tree=json.dumps(asked.tree, default=str),
        parameters=query.parameters,
        now=asked.now,
        store_commit=asked.commit,
        files=tuple(files),
    )
    return frozen, asked.warnings


def _as_files(plan: Plan, selection: Selection, ids: Sequence[FileId]) -> list[PlannedFile]:
    """The chosen files by name, each once; FileError if a name has two contents or a file has no copy here."""
    store = plan.request.store
    unique = sorted(set(ids))
    replicas = by_file(store, unique, states=("ok",))
    metadata = _metadata_of(plan, unique)
    by_name: dict[str, list[PlannedFile]] = defaultdict(list)
    away = []
    for file_id in unique:
        file = _readable_copy(replicas.get(file_id, ()))
        if file is None:
            urls = ", ".join(replica.url for replica in replicas.get(file_id, ()))
            away.append(f"{urls or 'a file without copies'}")
        else:
            by_name[file.name].append(replace(file, metadata=metadata.get(file_id, {})))
    if away:
        raise FileError(
            selection.place,
            f"selection {selection.name!r}: {len(away)} of {len(unique)} files cannot be read here: {_some(away)}",
            hint="Bring them here and register the copies (`pirene files add`), or leave them out of the query.",
        )
    return [_one(selection, name, files) for name, files in sorted(by_name.items())]


def _readable_copy(replicas: Iterable[Replica]) -> PlannedFile | None:
    """The file with its first copy that this machine can read; copies at the site local come first, and those of which
    only another store has spoken last: what is at their paths here may be anything.
    """
    for replica in sorted(replicas, key=lambda each: (not each.here, each.site != "local")):
        path = local_path(replica.url)
        if path is not None and readable(str(path)) and (replica.here or holds(replica)):
            return as_planned(replica, str(path), replica.name)
    return None


def _one(selection: Selection, name: str, files: list[PlannedFile]) -> PlannedFile:
    """The file of a name: occurrences with equal content are one (the first), others cannot be told apart by a job."""
    contents = {file.sha256 for file in files}
    if len(files) > 1 and (len(contents) > 1 or None in contents):
        shown = _some([f"{file.sha256.hex() if file.sha256 else 'no digest'} at {file.url}" for file in files])
        raise FileError(
            selection.place,
            f"selection {selection.name!r} chose {name!r} with {len(contents)} different contents: {shown}",
            hint=f"{_DECIDE}, or a condition that only one of them meets.",
        )
    return files[0]


def _check_count(query: SelectionQuery, files: Sequence[PlannedFile], asked: Answer) -> None:
    selection = query.selection
    found, least, most = len(files), selection.expect_min, selection.expect_max
    if not files and least > 0:
        raise FileError(
            selection.place,
            f"selection {selection.name!r} found no files: {asked.text}{_with(query.parameters)}",
            hint="\n".join([*asked.warnings, _what_to_drop(query)]),
        )
    if found >= least and (most is None or found <= most):
        return
    expected = f"at least {least}" if most is None else (f"{least}" if least == most else f"{least} to {most}")
    listed = _some([file.name for file in files])
    hint = (
        f"{_DECIDE}, add a condition or a limit, or change `expect`."
        if found > least
        else "Change the query or `expect`."
    )
    raise FileError(
        selection.place, f"selection {selection.name!r}: expected {expected} files, found {found}: {listed}", hint=hint
    )


def _with(parameters: Mapping[str, object]) -> str:
    """The values that a query was asked with, for a message; nothing if it takes none."""
    shown = ", ".join(f"${name} = {value}" for name, value in sorted(parameters.items()))
    return f" (with {shown})" if shown else ""


def _what_to_drop(query: SelectionQuery) -> str:
    """Which one condition keeps everything out, and how many files there would be without it."""
    useful = [each for each in query.without_conditions() if each.rows]
    if not useful:
        return (
            "Dropping any one condition would not help. "
            "`pirene query files` and `pirene fields files` show what there is; `pirene files add` registers more."
        )
    return "\n".join(f"Without `{each.condition}` there would be {each.rows}." for each in useful[:_SHOWN])


def _metadata_of(plan: Plan, ids: Sequence[FileId]) -> Mapping[FileId, Metadata]:
    """All current metadata of files, as it was written."""
    if not ids:
        return {}
    rows = fetch(plan.request.store, _METADATA, [[source for source, _ in ids], [file for _, file in ids]])
    found: dict[FileId, dict[str, Value]] = defaultdict(dict)
    for source, number, key, position, written, written_type in rows:
        value = Written(written, written_type or "null")
        here = found[source, number]
        if position is None:
            here[str(key)] = value
        elif position == EMPTY_LIST_POSITION:
            here[str(key)] = ()
        else:
            earlier = here.get(str(key), ())
            here[str(key)] = (*earlier, value) if isinstance(earlier, tuple) else (value,)
    return found


_METADATA = """
    SELECT m.source, m.number, m.key, m.position, m.written, m.written_type
    FROM current_metadata AS m
    WHERE m.entity = 'file' AND (m.source, m.number) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))
    ORDER BY m.source, m.number, m.key, m.position
"""


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
