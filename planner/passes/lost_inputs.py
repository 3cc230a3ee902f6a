"""Files that a selection matches and cannot choose since no good copy of them is left: a result without them would look
like any other.

What somebody decided on is no loss: a file that was retired, replaced or removed is not matched.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from planner.errors import FileError
from planner.passes.selection_query import SelectionQuery, chosen_files
from planner.planned import PlannedFile
from provenance.copies.replicas import SEEN_BAD, Replica, by_file
from provenance.identity import FileId
from provenance.reading.views import fetch

_SHOWN = 10
_BAD_EVENTS = "SELECT DISTINCT event FROM replicas WHERE event IN ('quarantined', 'missing')"
_IN_WORDS = {"quarantined": "damaged", "missing": "gone"}


def refuse_lost(query: SelectionQuery, chosen: Collection[FileId], files: Sequence[PlannedFile]) -> None:
    """FileError, naming them, if the selection would have chosen files whose copies are damaged or gone, had it seen
    them. ``chosen`` are those that it chose, ``files`` what came of them.

    A file is no loss as long as one of its name and content was chosen. A query that says `status = "ok"` leaves the
    others out itself.
    """
    # Most stores never saw any damage; that much is known without asking the query again.
    bad_events = {str(event) for (event,) in fetch(query.plan.request.store, _BAD_EVENTS)}
    if not bad_events:
        return
    there = {(file.name, file.sha256) for file in files if file.sha256 is not None}
    lost = [copies[0] for copies in _lost(query, chosen, bad_events) if (copies[0].name, copies[0].sha256) not in there]
    if not lost:
        return
    shown = sorted(f"{copy.name} ({_IN_WORDS[copy.state]}: {copy.url})" for copy in lost)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    raise FileError(
        query.selection.place,
        f"selection {query.selection.name!r} matches files of which no good copy is left ({len(lost)}, besides"
        f" {len(files)} good ones): {', '.join(shown[:_SHOWN])}{more}",
        hint="`pirene audit --repair-plan` says what brings them back. To do without them, add"
        ' `and status = "ok"` to the query, or say so of the files: `pirene files retire`.',
    )


def _lost(query: SelectionQuery, chosen: Collection[FileId], bad_events: Collection[str]) -> list[list[Replica]]:
    """The copies of each lost file that were seen bad."""
    # With those that are gone and without them: most were given up, and `latest 1` may have damage hide behind one.
    matched = set(chosen_files(query.ask(("ok", "damaged"))))
    if "missing" in bad_events:
        matched.update(chosen_files(query.ask(("ok", "damaged", "gone"))))
    copies = by_file(query.plan.request.store, sorted(matched.difference(chosen)), states=SEEN_BAD)
    return [copies[file] for file in sorted(copies)]
