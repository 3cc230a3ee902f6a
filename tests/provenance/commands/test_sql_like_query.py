"""`sql` and `query` answer alike: every field that can be asked for, beside the published views that have it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from provenance.answers.entities import ENTITIES
from provenance.answers.json_text import plain
from provenance.answers.published_views import VIEWS
from provenance.answers.read_only_sql import ask
from provenance.commands.files import files
from provenance.commands.meta import meta
from provenance.commands.verify import verify
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.identity import source_of
from provenance.segments.batch import Batch
from provenance.store import Store
from query.vocabulary import Entity
from tests.provenance.commands.conftest import AT, Runs

SAME: dict[Entity, str] = {
    Entity.FILES: """
        SELECT lower(lpad(to_hex(source), 16, '0')) || '-' || file AS id, o.name, o.size_bytes AS size, o.sha256, o.created,
               o.origin, f.digest_origin, o.verified, o.status, o.sites,
               regexp_replace(parse_filename(o.name), '\\.[^.]*$', '') AS stem
        FROM file_overview AS o JOIN files AS f USING (source, file)""",
    Entity.JOBS: """
        SELECT job_id AS id, o.transformation AS name, j.namespace, j.version, o.status, o.attempts, o.decision, o.reason,
               concat(j.namespace || '::', j.name, ':' || j.version) AS transformation, j.type, j.site, j.arguments,
               o.host, o.started, o.ended, duration_seconds AS duration, cpu_seconds, max_rss_bytes AS max_rss, exit_code,
               signal
        FROM job_overview AS o JOIN jobs AS j USING (run, job)""",
    Entity.WORKFLOWS: """
        SELECT o.run_id AS id, o.workflow AS name, o.status, o.user_name AS user, o.host, o.engine, o.started, o.ended,
               epoch(o.ended - o.started) AS duration, p.run_id AS parent, o.jobs AS job_count, o.failed AS failed_count
        FROM run_overview AS o JOIN workflows AS w USING (run) LEFT JOIN workflows AS p ON p.run = w.parent_run""",
    Entity.REPLICAS: """
        SELECT name, sha256, size_bytes AS size, site, url, registered, verified, state FROM copy_overview""",
    Entity.CHECKS: """
        SELECT name, stage, verdict, finding AS "class", expected_sha256 AS expected, actual_sha256 AS actual, protection, "at",
               duration_seconds AS seconds, host
        FROM checks""",
}
COMPARED = {"file_overview", "job_overview", "run_overview", "copy_overview", "current_metadata", "reads", "writes"}


@pytest.fixture
def lived_in(runs: Runs, run_command: Callable[..., Result], tmp_path: Path) -> Store:
    """Two runs, and after them all that can be said later: digests of archived files, retirements, other bytes at a
    URL, keys set and withdrawn, a run that nobody has heard of since, one within another; some pulled, some merged.
    """
    tape = tmp_path / "tape.dat"
    tape.write_bytes(b"tape")
    run_command(files, "add", str(tape), "--adler32", f"{zlib.adler32(b'tape'):08x}", "-m", "kind=tape")
    run_command(files, "add", str(tmp_path / "left" / "done.flag"), "-m", "depth=1.50")
    run_command(verify, str(tape))
    run_command(files, "retire", str(tmp_path / "right" / "raw.dat"))
    (tmp_path / "left" / "raw.dat").write_bytes(b"other bytes")
    run_command(verify, str(tmp_path / "left" / "raw.dat"), exit_code=1)
    run_command(files, "add", str(tmp_path / "left" / "raw.dat"))
    run_command(meta, "unset", 'jobs where id = "a"', "-k", "status")
    run_command(meta, "set", 'files where name = "tape.dat"', "kind=disk", "depth=2")
    run_command(meta, "unset", 'files where name = "tape.dat"', "-k", "depth")
    other = Store.open(tmp_path / "other")
    batch = Batch()
    parent = source_of(next(iter(runs.ids.values())))
    batch.add("workflows", run=77, run_id="77", kind="workflow", name="child", planned=AT, parent_run=parent)
    reused = {"decision": "reuse", "reused_run": parent, "reused_job": 1}
    batch.add("jobs", run=77, job=1, id="c", type="job", name="n", version="1.0", **reused)
    other.commit(CommitKind.PLAN, batch)
    pull(runs.store, other)
    runs.store.compact()
    return Store.open(runs.store.root)


def answers(store: Store, text: str) -> list[str]:
    return sorted(map(str, plain(list(store.query(text).objects()))))


def by_sql(store: Store, sql: str, **parameters: object) -> list[str]:
    result = ask(store, sql, parameters)
    names = [column.name for column in result.columns]
    return sorted(str(plain(dict(zip(names, row, strict=True)))) for row in result.rows)


def test_every_view_is_compared_and_every_field() -> None:
    assert {view.name for view in VIEWS} == COMPARED
    assert set(SAME) == set(ENTITIES)


def test_fields_are_the_same(lived_in: Store) -> None:
    for entity, sql in SAME.items():
        fields = list(ENTITIES[entity].fields)
        quoted = ", ".join(f'"{field}"' for field in fields)
        there = by_sql(lived_in, f"SELECT {quoted} FROM ({sql})")
        assert there == answers(lived_in, f"{entity.value} show {', '.join(fields)}")
        assert len(there) > 2
    (found_later,) = by_sql(lived_in, "SELECT sha256 FROM files WHERE name = 'tape.dat'")
    assert hashlib.sha256(b"tape").hexdigest() in found_later


def test_metadata_is_the_same(lived_in: Store) -> None:
    for entity, kind in ((Entity.FILES, "file"), (Entity.JOBS, "job"), (Entity.WORKFLOWS, "workflow")):
        sql = f"SELECT key, coalesce(written, text_form) FROM current_metadata WHERE entity = '{kind}'"
        asked = (row[-1] for row in lived_in.query(f"{entity.value} show *").rows(as_text={"metadata"}))
        pairs = [pair for held in asked if isinstance(held, dict) for pair in held.items()]
        assert sorted(map(str, ask(lived_in, sql).rows)) == sorted(map(str, pairs))
        assert len(pairs) > 2


@pytest.mark.parametrize(("view", "relation"), [("reads", "consumed by"), ("writes", "produced by")])
def test_edges_are_the_same(lived_in: Store, view: str, relation: str) -> None:
    found = 0
    for (job,) in list(ask(lived_in, "SELECT DISTINCT job_id FROM job_overview").rows):
        edges = f"SELECT DISTINCT v.file_source AS source, v.file FROM {view} AS v JOIN jobs AS j ON j.run = v.run"
        sql = f"SELECT name FROM files JOIN ({edges} AND j.job = v.job WHERE j.id = '{job}') USING (source, file)"
        there = by_sql(lived_in, sql)
        assert there == answers(lived_in, f'files {relation} (jobs where id = "{job}") show name')
        found += len(there)
    assert found > 2
