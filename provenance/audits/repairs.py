"""The plan of a repair: for each damaged file a good copy of its content, else the jobs that make it again.

Good copies of a file are those of all files with the same sha256. A copy counts as good if this audit found it so, or
if it was good when it was last looked at and this audit did not look. A job makes contents again that an attempt of it
made which succeeded; one that was refused, or failed, made nothing. Of many jobs that made the same content the newest
are thought of, first of all those that made the very files that are damaged.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from integrity.findings import Verdict, meaning
from integrity.repair import Past, Recopy, RepairPlan, Restore, needed
from provenance.audits.dependents import Dependents
from provenance.audits.looks import Looks
from provenance.identity import FileId, JobId
from provenance.reading.views import Reading
from provenance.urls import local_path

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

Content = bytes | FileId
"""A sha256; a file of which none is known stands for itself."""

_MAKERS_AT_MOST = 8
"""Empty files are made by every other job there is."""
_BESIDE = ".pirene-repair"
"""Not the name of the bad copy and more, which may be too long then."""
_CONTENTS = """
SELECT source, file, sha256, name FROM files
WHERE (source, file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))
"""
_COPIES_OF_CONTENT = """
SELECT f.sha256, r.source, r.file, r.url, r.state FROM replica_rows AS r
JOIN files AS f ON f.source = r.source AND f.file = r.file
WHERE r.state IN ('ok', 'quarantined', 'missing') AND r.here AND f.sha256 IN (SELECT unnest($1::BLOB[])) ORDER BY r.url
"""
_MAKERS = f"""
SELECT f.sha256, f.source, f.job FROM files AS f
JOIN invocations AS i ON i.run = f.source AND i.job = f.job AND i.attempt = f.attempt
WHERE i.status = 'succeeded' AND f.sha256 IN (SELECT unnest($1::BLOB[]))
GROUP BY f.sha256, f.source, f.job
QUALIFY row_number() OVER (PARTITION BY f.sha256 ORDER BY max(f.created) DESC, f.source, f.job) <= {_MAKERS_AT_MOST}
ORDER BY max(f.created) DESC, f.source, f.job
"""
_OWNED = "SELECT DISTINCT sha256 FROM files WHERE job IS NULL AND sha256 IN (SELECT unnest($1::BLOB[]))"


class Contents:
    """What is known of contents once an audit has looked: names, copies, and how they came about."""

    def __init__(self, store: Store, snapshot: Snapshot, looks: Looks) -> None:
        self._store = store
        self._snapshot = snapshot
        self._bad = {copy.key for copy, _ in looks.bad}
        self._good = looks.good
        self._files: dict[FileId, Content] = {}
        self._names: dict[Content, str] = {}
        self._urls: dict[Content, list[str]] = {}
        self._lost: dict[Content, list[str]] = {}
        self._makers: dict[Content, list[JobId]] = {}
        self._owned: set[Content] = set()

    def look_up(self, files: Iterable[FileId]) -> None:
        """Read what is known of the contents of these files, all at once."""
        new = sorted(set(files) - self._files.keys())
        if not new:
            return
        met = set(self._names)
        with Reading(self._store, self._snapshot) as reading:
            keys = [[source for source, _ in new], [file for _, file in new]]
            for source, file, sha256, name in reading.rows(_CONTENTS, keys):
                self._files[source, file] = (source, file) if sha256 is None else sha256
                self._names.setdefault(self._files[source, file], str(name))
            for key in new:
                self._names.setdefault(self._files.setdefault(key, key), "")
            digests = sorted(content for content in self._names.keys() - met if isinstance(content, bytes))
            if digests:
                self._look_up_contents(reading, digests)

    def _look_up_contents(self, reading: Reading, digests: list[bytes]) -> None:
        for sha256, source, file, url, state in reading.rows(_COPIES_OF_CONTENT, [digests]):
            key = (source, file, url)
            is_good = key in self._good or (state == "ok" and key not in self._bad)
            urls = (self._urls if is_good else self._lost).setdefault(sha256, [])
            if url not in urls:
                urls.append(url)
        for sha256, run, job in reading.rows(_MAKERS, [digests]):
            self._makers.setdefault(sha256, []).append((run, job))
        self._owned |= {sha256 for (sha256,) in reading.rows(_OWNED, [digests])}

    def of(self, file: FileId) -> Content:
        """The content of a file that was looked up."""
        return self._files[file]

    def name(self, content: Content) -> str:
        """The name of one of the files with a content."""
        return self._names[content]

    def urls(self, content: Content) -> tuple[str, ...]:
        """Where good copies of a content are."""
        return tuple(self._urls.get(content, ()))

    def lost_urls(self, content: Content) -> tuple[str, ...]:
        """Where copies of a content were that are good no more."""
        return tuple(self._lost.get(content, ()))

    def makers(self, content: Content) -> Sequence[JobId]:
        """The jobs that made a content, the newest first."""
        return self._makers.get(content, ())

    def has_owner(self, content: Content) -> bool:
        """Whether a content was registered: then somebody else may have it still."""
        return content in self._owned


def repair_plan(looks: Looks, contents: Contents, dependents: Dependents) -> RepairPlan:
    """What brings back all copies that an audit found damaged or missing."""
    places: dict[FileId, list[tuple[str, str]]] = {}
    for copy, check in looks.bad:
        if check.finding is not None and meaning(check.finding) is Verdict.DAMAGED:
            source, file, url = copy.key
            assert source is not None and file is not None
            places.setdefault((source, file), []).append((check.expectation.name, url))
    _look_up_what_may_be_needed(places, contents, dependents)
    own_makers = {dependents.maker(file) for file in places}
    found = needed(
        (contents.of(file) for file in sorted(places)),
        Past(
            has_copy=lambda content: bool(contents.urls(content)),
            makers=lambda content: sorted(contents.makers(content), key=lambda job: job not in own_makers),
            inputs=lambda job: [contents.of(file) for file in dependents.inputs(job)],
            has_owner=contents.has_owner,
        ),
    )
    recopies = tuple(
        Recopy(name, url, good)
        for file in places
        if (good := contents.urls(contents.of(file)))
        for name, url in places[file]
    )
    damaged: dict[Content, list[tuple[str, str]]] = {}
    for damaged_file, some in places.items():
        damaged.setdefault(contents.of(damaged_file), []).extend(some)
    return RepairPlan(
        restores=tuple(_restore(content, damaged.get(content, ()), contents) for content in found.to_restore),
        recopies=recopies,
        reruns=dependents.reruns(found.jobs),
        commands=tuple(_commands(recopies)),
    )


def _look_up_what_may_be_needed(files: Iterable[FileId], contents: Contents, dependents: Dependents) -> None:
    """Look up all that `needed` will ask about, many files at a time: asking the store one by one takes hours."""
    met: set[Content] = set()
    level = list(files)
    while level:
        contents.look_up(level)
        new = {contents.of(file) for file in level} - met
        met |= new
        jobs = {job for content in new if not contents.urls(content) for job in contents.makers(content)}
        level = [file for job in jobs for file in dependents.inputs(job)]


def _restore(content: Content, damaged: Sequence[tuple[str, str]], contents: Contents) -> Restore:
    name = damaged[0][0] if damaged else contents.name(content)
    urls = tuple(dict.fromkeys([url for _, url in damaged])) or contents.lost_urls(content)
    return Restore(name, content if isinstance(content, bytes) else None, urls)


def _commands(recopies: Sequence[Recopy]) -> Iterator[str]:
    """For a shell, one for each copy that is here. A bad copy goes once a good one is beside it, whole, and goes first:
    a folder would keep files that nobody recorded, and what is there may be no file at all, or nothing.
    """
    for step in recopies:
        bad, good = local_path(step.url), next(filter(None, map(local_path, step.good)), None)
        if bad is not None and good is not None:
            beside = bad.with_name(_BESIDE)
            steps = (
                ("mkdir", "-p", bad.parent),
                ("rm", "-rf", beside),
                ("cp", "-R", "-T", good, beside),
                ("rm", "-rf", bad),
                ("mv", "-T", beside, bad),
            )
            yield " && ".join(shlex.join(map(str, words)) for words in steps)
