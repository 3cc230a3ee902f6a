"""`store erase` as a shell sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from provenance.check.whole import check_store
from provenance.commands.exchange import push as push_command
from provenance.commands.meta import meta as meta_command
from provenance.commands.store import store as store_command
from provenance.errors import StoreError, WriteFailedError
from provenance.history.commits import CommitKind
from provenance.storage.local import LocalStorage
from provenance.store import Store
from query.errors import QueryError

pytestmark = pytest.mark.usefixtures("folders_of_the_user")
RunCommand = Callable[..., Result]


def erased(store: Store) -> list[Any]:
    return [commit for commit in Store.open(store.root).commits() if commit.kind is CommitKind.ERASE]


def test_without_yes_it_says_what_would_go_and_with_it_goes(runs: Any, run_command: RunCommand) -> None:
    store: Store = runs.store
    arguments = ("erase", 'files where name = "mid.dat"', "--reason", "asked to be forgotten")
    said = run_command(store_command, *arguments)
    assert said.exit_code == 0
    assert "rows would be erased" in said.stdout
    assert "nothing was written: --yes erases this for good" in said.stderr
    assert erased(store) == []
    done = run_command(store_command, *arguments, "--yes")
    assert done.exit_code == 0, done.output
    assert done.stdout == said.stdout.replace("would be ", "")
    (commit,) = erased(store)
    assert commit.erased.reason == "asked to be forgotten"
    assert f"commit {commit.number} says so" in done.stderr
    assert Store.open(store.root).rows("SELECT count(*) FROM files WHERE name = 'mid.dat'", tables=["files"]) == [(0,)]
    assert [one for one in check_store(store.storage).findings if one.kind.verdict.exit_code] == []
    assert "nothing to erase" in run_command(store_command, *arguments, "--yes").stdout
    assert "0 segments" in run_command(store_command, "erase", "--finish").stderr
    said = f"erased    1 time, the last by commit {commit.number}: asked to be forgotten\n"
    assert said in run_command(store_command, "info").stdout
    (told,) = json.loads(run_command(store_command, "info", "--format", "json").stdout)["erasures"]
    assert told["reason"] == commit.erased.reason
    assert (told["commit"], told["files"], told["rows"]) == (commit.number, 2, sum(commit.erased.rows.values()))


def test_json_says_the_same(runs: Any, run_command: RunCommand) -> None:
    arguments = ("erase", 'files where name = "mid.dat"', "--reason", "asked to", "--format", "json")
    said = json.loads(run_command(store_command, *arguments).stdout)
    assert erased(runs.store) == []
    done = json.loads(run_command(store_command, *arguments, "--yes").stdout)
    (commit,) = erased(runs.store)
    assert (done["schema"], done["commit"], done["dry_run"]) == ("pirene.store-erase/1", commit.number, False)
    assert sum(done["rows"].values()) == sum(commit.erased.rows.values())
    assert (done["removed"], done["made"]) == (list(commit.erased.gone), [each.path for each in commit.segments])
    assert done["not_reached"]["copies"]
    assert said == {**done, "commit": None, "made": [], "dry_run": True}
    assert json.loads(run_command(store_command, "erase", "--finish", "--format", "json").stdout)["finished"] == []


def test_others_hear_of_it_by_the_next_pull(runs: Any, run_command: RunCommand, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other")
    run_command(push_command, str(other.root))
    run_command(store_command, "erase", 'files where name = "mid.dat"', "--reason", "asked to", "--yes")
    (commit,) = erased(runs.store)
    rows = sum(commit.erased.rows.values())
    told = json.loads(run_command(push_command, str(other.root), "--dry-run", "--format", "json").stdout)
    said = {"store": runs.store.store_id, "commit": commit.number, "reason": "asked to", "rows": rows}
    assert told["erasures"] == [said]
    heard = run_command(push_command, str(other.root)).stderr
    assert f"erased {rows} rows and the output of 0 attempts: asked to\nwhat was pulled of that before is kept" in heard
    assert "erased" not in run_command(push_command, str(other.root)).stderr


def test_check_finishes_what_was_interrupted(
    runs: Any, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "remove", lambda self, name: None)
        with pytest.raises(WriteFailedError):
            run_command(store_command, "erase", "files", "--reason", "asked to", "--yes")
        unmended = run_command(store_command, "check", "--repair", exit_code=3).stdout
    assert "its erasure could not be finished: " in unmended
    left = [one for one in run_command(store_command, "check", exit_code=3).stdout.splitlines() if "unerased: " in one]
    assert left
    mended = run_command(store_command, "check", "--repair").stdout
    for one in left:
        assert f"{one.replace('unerased: ', 'mended: ')}: erased, as a commit says of it" in mended


def test_output_of_jobs_is_cleared(runs: Any, run_command: RunCommand) -> None:
    done = run_command(store_command, "erase", "jobs", "--output", "--reason", "a password", "--yes")
    assert done.exit_code == 0, done.output
    assert "cleared of their output" in done.stdout
    sql = "SELECT count(*), count(stdout_tail), count(stderr_tail) FROM invocations"
    ((attempts, *tails),) = Store.open(runs.store.root).rows(sql, tables=["invocations"])
    assert attempts > 0
    assert tails == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("files",), "expected QUERY and --reason TEXT"), (("files", "--finish"), "--finish goes alone")],
)
def test_usage(runs: Any, run_command: RunCommand, arguments: tuple[str, ...], said: str) -> None:
    assert said in run_command(store_command, "erase", *arguments, exit_code=2).output
    assert erased(runs.store) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("jobs", "--reason", "x"), "only files can be erased as a whole"),
        (("files", "--output", "--reason", "x"), "only jobs have output"),
        (("files", "--reason", " "), "an erasure needs a reason"),
    ],
)
def test_what_is_no_erasure_is_refused(
    runs: Any, run_command: RunCommand, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(StoreError, match=said):
        run_command(store_command, "erase", *arguments)
    assert erased(runs.store) == []


def test_repeated_it_finishes_though_the_query_finds_nothing_any_more(
    runs: Any, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command(meta_command, "set", "raw.dat", "secret=hunter2-hunter2")
    arguments = ("erase", 'files where secret = "hunter2-hunter2"', "--key", "secret", "--reason", "leaked", "--yes")
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "remove", lambda self, name: None)
        with pytest.raises(WriteFailedError):
            run_command(store_command, *arguments)
    assert [one.kind for one in check_store(runs.store.storage).findings if one.kind.verdict.exit_code]
    with pytest.raises(QueryError):
        run_command(store_command, *arguments)
    assert [one for one in check_store(runs.store.storage).findings if one.kind.verdict.exit_code] == []
