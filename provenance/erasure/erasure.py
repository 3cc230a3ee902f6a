"""Erasure: bytes that must not be kept (privacy law, a leaked secret) go, and a commit says that they went.

It is the one thing here that takes facts away; a withdrawal (`meta unset`, `files retire`) adds one. In four steps,
each of which can be done again:

1. live segments with erased rows are written anew without them (`provenance.erasure.erased_rows`);
2. what quarantine holds of it goes (`provenance.erasure.erased_texts`);
3. one commit of the kind `erase` puts the new segments in the place of the old ones: from there on nobody is shown the
   rows, as of no commit;
4. the old bytes go (`provenance.erasure.erasing`).

A crash before the commit leaves the store as it was, but for quarantine; after it, whatever is left of the fourth step
is done by the next erasure, which is what repeating the command is, or by `store check --repair`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provenance.answers.facts import Thing
from provenance.erasure.beyond_erasure import Beyond, Traces, beyond, traces
from provenance.erasure.erased_rows import Change, Rule, changes_by, rule_for_output, rules_for_files, rules_for_keys
from provenance.erasure.erased_texts import SHORTEST_TEXT, quarantined_with, remove_quarantined
from provenance.erasure.erasing import finish
from provenance.errors import NotWrittenError, StoreError, WriteFailedError
from provenance.history.commits import Commit, CommitKind, Segment, publish
from provenance.history.erased import Erased, RowsOf, files_erased, gone_from
from provenance.identity import FileId
from provenance.publishing.publication import named_for, new_nonce, next_commit
from provenance.publishing.turns import turn
from provenance.segments.damage import erasure_named
from query.vocabulary import Entity

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store


@dataclass(frozen=True, slots=True)
class Target:
    """What to erase of things: the values of ``keys`` (any things); the ends of the output of jobs (``output``); with
    neither, files as a whole.
    """

    things: tuple[Thing, ...]
    keys: tuple[str, ...] = ()
    output: bool = False

    def __post_init__(self) -> None:
        kinds = {thing.entity for thing in self.things}
        if self.output and kinds - {Entity.JOBS}:
            raise StoreError("only jobs have output", hint="select jobs: 'jobs where ...'")
        if not (self.keys or self.output) and kinds - {Entity.FILES}:
            raise StoreError(
                "only files can be erased as a whole",
                hint="of jobs and workflows --key KEY erases metadata, of jobs --output the ends of what they printed",
            )

    @property
    def files(self) -> frozenset[FileId]:
        """The files that go as a whole."""
        if self.keys or self.output:
            return frozenset()
        return frozenset((thing.source, thing.number) for thing in self.things)


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What an erasure took, or would take. ``commit``: None in a dry run, or where there was nothing.

    ``rows`` counts by table; ``cleared`` rows of attempts lost the ends of their output; ``gone`` segments held any of
    it, and ``made`` stand for those of them that were live; ``quarantined`` files of quarantine held it. ``finished``
    segments of an earlier erasure went only now. ``beyond`` is what it does not reach.
    """

    commit: int | None
    rows: Mapping[str, int]
    cleared: int
    gone: tuple[str, ...]
    made: tuple[str, ...]
    quarantined: tuple[str, ...]
    finished: tuple[str, ...] = ()
    beyond: Beyond = field(default_factory=Beyond)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to erase."""
        return not (self.gone or self.quarantined)

    def document(self) -> dict[str, object]:
        """The report as JSON has it."""
        return {
            "schema": "pirene.store-erase/1",
            "commit": self.commit,
            "rows": dict(sorted(self.rows.items())),
            "cleared": self.cleared,
            "removed": [*self.gone, *self.quarantined],
            "made": list(self.made),
            "finished": list(self.finished),
            "not_reached": self.beyond.document(),
        }


def erase(
    store: Store, target: Target, reason: str, *, author: str | None = None, dry_run: bool = False
) -> ErasureReport:
    """Erase from a store; nothing is written in a dry run.

    Raises StoreError (a target or reason that is none), DamagedStoreError for a segment that is not as recorded (its
    rows must not get a new digest), UnsupportedStoreError for one of a newer version, ReadFailedError,
    WriteFailedError: repeat it.
    """
    if not reason.strip():
        raise StoreError("an erasure needs a reason", hint="--reason TEXT; never with what is erased in it")
    erasure = _Erasure(store, target)
    if dry_run:
        report = erasure.look()
    else:
        with turn(store.storage):
            finished = tuple(finish(store))
            report = replace(erasure.commit(reason, author), finished=finished)
            finish(store)
    try:
        return replace(report, beyond=beyond(store, erasure.traces))
    except StoreError as error:
        if report.commit is None:
            raise
        raise NotLookedForError(report.commit, error) from error


class NotLookedForError(StoreError):
    """An erasure is done, and what it does not reach could not be found out."""

    def __init__(self, commit: int, error: StoreError) -> None:
        said = f"the erasure is done (commit {commit}), but not found out is what it does not reach: {error}"
        super().__init__(said, hint=error.hint)
        self.exit_code = error.exit_code


class _Erasure:
    """One erasure on its way to a commit: what it found of segments, and the new ones that it made for some."""

    def __init__(self, store: Store, target: Target) -> None:
        self._store = store
        self._target = target
        self.traces = Traces()
        self._nonce = new_nonce()
        self._known: dict[str, Change | None] = {}
        self._made: dict[str, Segment | None] = {}
        self._written = 0

    def look(self) -> ErasureReport:
        """What there is to erase."""
        snapshot = self._store.snapshot()
        return self._report(snapshot, self._changes(snapshot))

    def commit(self, reason: str, author: str | None) -> ErasureReport:
        """Steps 1 to 3: until no other commit comes between looking and publishing."""
        try:
            while True:
                snapshot = self._store.snapshot()
                changes = self._changes(snapshot)
                report = self._report(snapshot, changes)
                if not changes:
                    return report
                self._write(snapshot, changes)
                remove_quarantined(self._store, report.quarantined)
                commit = self._next(snapshot, changes, self._said(reason, changes, report.gone), author)
                if publish(self._store.storage, commit):
                    self._store.follow(commit)
                    return replace(report, commit=commit.number, made=tuple(each.path for each in commit.segments))
        except StoreError as error:
            if isinstance(error, NotWrittenError) or not isinstance(error, WriteFailedError):
                self._discard(self._made.keys())  # else the commit may be visible, and with it these
            raise

    def _changes(self, snapshot: Snapshot) -> list[Change]:
        with erasure_named(self._store.storage, snapshot):
            return changes_by(self._store.storage, snapshot, self._rules(), self._known)

    def _rules(self) -> list[Rule]:
        things = self._target.things
        rules = list(rules_for_keys(things, self._target.keys)) if self._target.keys else []
        if self._target.output:
            rules.append(rule_for_output(things))
        if not (self._target.keys or self._target.output):
            # What came since about files that were erased earlier, by writers that did not know, goes with these.
            rules += rules_for_files(self._target.files | files_erased(self._store.all_commits()))
        return rules

    def _report(self, snapshot: Snapshot, changes: Sequence[Change]) -> ErasureReport:
        rows: Counter[str] = Counter()
        for change in changes:
            rows.update({change.old.table: sum(change.rows.values())})
        self.traces = traces(self._store, snapshot, changes, self._target.files)
        searched = [text for text in self.traces.texts if len(text) >= SHORTEST_TEXT]
        return ErasureReport(
            commit=None,
            rows={table: count for table, count in rows.items() if count},
            cleared=sum(change.cleared for change in changes),
            gone=self._gone(snapshot, changes),
            made=(),
            quarantined=quarantined_with(self._store, searched),
        )

    def _gone(self, snapshot: Snapshot, changes: Sequence[Change]) -> tuple[str, ...]:
        """The segments to remove: those that change, and all of their tables that were replaced earlier, for any of
        these may hold the same rows, and no answer needs them.
        """
        tables = {change.old.table for change in changes}
        commits = list(self._store.all_commits()) if tables else []
        live = {segment.path for segment in snapshot.live()}
        superseded = {
            segment.path
            for commit in commits
            for segment in commit.segments
            if commit.number <= snapshot.number and segment.table in tables and segment.path not in live
        }
        return tuple(sorted((superseded - gone_from(commits)) | {change.old.path for change in changes}))

    def _write(self, snapshot: Snapshot, changes: Sequence[Change]) -> None:
        """Make a new segment for each that changes; those made for segments that somebody has replaced since go."""
        number = snapshot.number + 1
        self._discard(self._made.keys() - {change.old.path for change in changes})
        self._name_for(number)
        for change in changes:
            if change.old.path not in self._made:
                name = f"{number:012d}-{self._nonce}-{self._written}"
                self._made[change.old.path] = change.write(self._store.storage, name)
                self._written += 1

    def _name_for(self, number: int) -> None:
        """Name the segments for the commit of a number; if one is gone meanwhile, all have to be made again."""
        made = {path: segment for path, segment in self._made.items() if segment is not None}
        named = named_for(self._store.storage, list(made.values()), number)
        if named is None:
            self._discard(made.keys())
        else:
            self._made.update(zip(made, named, strict=True))

    def _discard(self, paths: Collection[str]) -> None:
        for path in list(paths):
            segment = self._made.pop(path)
            if segment is not None:
                self._store.storage.remove(segment.path)

    def _next(self, snapshot: Snapshot, changes: Sequence[Change], erased: Erased, author: str | None) -> Commit:
        return next_commit(
            self._store,
            snapshot,
            CommitKind.ERASE,
            self._nonce,
            [segment for segment in self._made.values() if segment is not None],
            author=author,
            replaces=[change.old.path for change in changes],
            erased=erased,
        )

    def _said(self, reason: str, changes: Sequence[Change], gone: tuple[str, ...]) -> Erased:
        rows: Counter[RowsOf] = Counter()
        for change in changes:
            for number, count in change.rows.items():
                rows[change.old.origin or self._store.store_id, change.old.table, number] += count
        cleared = sum(change.cleared for change in changes)
        return Erased(reason, dict(rows), cleared, gone, tuple(sorted(self._target.files)))
