"""The plan of a repair: for each damaged file a good copy of its content, else the jobs that make it again.

Good copies of a file are those of all files with the same sha256. A copy counts as good if this audit found it so, or
if it was good when it was last looked at and lies outside of the audit's scope. Where several jobs made the same
content, the one that did so last makes it again for all.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from integrity.findings import Verdict, meaning
from integrity.repair import Recopy, RepairPlan, Rerun, Restore, needed
from provenance.audits.dependents import Dependents, FileKey, JobKey
from provenance.audits.looks import Looks
from provenance.reading.views import Reading
from provenance.urls import local_path

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_COPIES_OF_CONTENT = """
SELECT f.sha256, r.source, r.file, r.url FROM replica_rows AS r
JOIN files AS f ON f.source = r.source AND f.file = r.file
WHERE r.state = 'ok' AND r.here AND f.sha256 IN (SELECT unnest($1::BLOB[])) ORDER BY r.url
"""
_LAST_MAKERS = """
SELECT sha256, arg_max(source, (created, source, file)), arg_max(file, (created, source, file)) FROM files
WHERE job IS NOT NULL AND sha256 IN (SELECT unnest($1::BLOB[])) GROUP BY sha256
"""
_CONTENTS = """
SELECT source, file, sha256, name FROM files
WHERE (source, file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))
"""


class GoodCopies:
    """Where good copies of files are, as far as is known once an audit has looked."""

    def __init__(self, store: Store, snapshot: Snapshot, looks: Looks) -> None:
        self._bad = {copy.key for copy, _ in looks.bad}
        self._contents: dict[FileKey, tuple[bytes | None, str]] = {}
        self._urls: dict[bytes, list[str]] = {}
        self._made: dict[bytes, FileKey] = {}
        self._store = store
        self._snapshot = snapshot

    def look_up(self, files: Iterable[FileKey]) -> None:
        """Read what is known of the copies of these files, all at once."""
        new = [file for file in files if file not in self._contents]
        if not new:
            return
        with Reading(self._store, self._snapshot) as reading:
            keys = [[source for source, _ in new], [file for _, file in new]]
            for source, file, sha256, name in reading.rows(_CONTENTS, keys):
                self._contents[source, file] = (sha256, str(name))
            digests = {sha256 for sha256, _ in map(self._content, new) if sha256 is not None} - self._urls.keys()
            self._urls |= {sha256: [] for sha256 in digests}
            if digests:
                for sha256, source, file, url in reading.rows(_COPIES_OF_CONTENT, [sorted(digests)]):
                    if (source, file, url) not in self._bad and url not in self._urls[sha256]:
                        self._urls[sha256].append(url)
                for sha256, source, file in reading.rows(_LAST_MAKERS, [sorted(digests)]):
                    self._made[sha256] = (source, file)
        for file in new:
            self._contents.setdefault(file, (None, ""))

    def _content(self, file: FileKey) -> tuple[bytes | None, str]:
        return self._contents.get(file, (None, ""))

    def made_last(self, files: Sequence[FileKey]) -> list[FileKey]:
        """For each content of these files, the one that a job made last; where no job did, the file itself."""
        self.look_up(files)
        made = list(dict.fromkeys(self._made.get(self.sha256(file) or b"", file) for file in files))
        self.look_up(made)
        return made

    def sha256(self, file: FileKey) -> bytes | None:
        """The digest of a file that was looked up."""
        return self._content(file)[0]

    def name(self, file: FileKey) -> str:
        """The name of a file that was looked up."""
        return self._content(file)[1]

    def urls(self, file: FileKey) -> tuple[str, ...]:
        """Where good copies of the content of a file are that was looked up."""
        sha256 = self._content(file)[0]
        return () if sha256 is None else tuple(self._urls[sha256])


def repair_plan(looks: Looks, good: GoodCopies, dependents: Dependents) -> RepairPlan:
    """What brings back all copies that an audit found damaged or missing."""
    places: dict[FileKey, list[tuple[str, str]]] = {}
    for copy, check in looks.bad:
        if check.finding is not None and meaning(check.finding) is Verdict.DAMAGED:
            source, file, url = copy.key
            assert source is not None and file is not None
            places.setdefault((source, file), []).append((check.expectation.name, url))

    wanted = good.made_last(sorted(places))
    _look_up_what_is_needed(wanted, good, dependents)
    found = needed(
        wanted,
        lambda file: bool(good.urls(file)),
        dependents.maker,
        lambda job: good.made_last(dependents.inputs(job)),
    )
    recopies = tuple(
        Recopy(name, url, good.urls(file)) for file in places if good.urls(file) for name, url in places[file]
    )
    restores = tuple(
        Restore(good.name(file), good.sha256(file), tuple(url for _, url in places.get(file, ())))
        for file in found.to_restore
    )
    reruns = tuple(_rerun(job, dependents) for job in found.jobs)
    return RepairPlan(restores, recopies, reruns, tuple(_commands(recopies)))


def _look_up_what_is_needed(wanted: Sequence[FileKey], good: GoodCopies, dependents: Dependents) -> None:
    """Look up all that `needed` will ask about, many files at a time: asking the store one by one takes hours."""
    met = set(wanted)
    level = wanted
    while level:
        makers = {dependents.maker(file) for file in level if not good.urls(file)} - {None}
        read = {file for job in makers if job is not None for file in dependents.inputs(job)}
        level = [file for file in good.made_last(sorted(read)) if file not in met]
        met.update(level)


def _rerun(job: JobKey, dependents: Dependents) -> Rerun:
    name = dependents.job_name(job)
    makes = tuple(sorted(dependents.file_name(file) for file in dependents.outputs(job)))
    return Rerun("?", "?", "?", makes) if name is None else Rerun(name.id, name.workflow, name.run_id, makes)


def _commands(recopies: Sequence[Recopy]) -> Iterable[str]:
    """`cp` for copies that are here. Jobs need none of their own: planned again, a workflow runs just those."""
    for step in recopies:
        bad, good = local_path(step.url), next(filter(None, map(local_path, step.good)), None)
        if bad is not None and good is not None:
            yield shlex.join(["cp", "-R", "-T", "--", str(good), str(bad)])
