from __future__ import annotations

import json
import shlex
from pathlib import Path

import click
import pytest

from integrity.damage_rate import upper_bound
from provenance.audits.scrubs import Limits, SampleSize, scrub_store
from provenance.commands.audit import audit
from provenance.commands.query import query
from provenance.commands.scrub import scrub
from provenance.errors import NotAStoreError
from provenance.registration.raw_files import add_files
from provenance.store import Store


def flip(path: Path, position: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.fixture
def many(store: Store, tmp_path: Path) -> list[Path]:
    """Forty registered files."""
    paths = [tmp_path / "data" / f"{number:02}.dat" for number in range(40)]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(path.name.encode() * 50)
    add_files(store, paths)
    return paths


def read_by(store: Store, stage: str = "scrub") -> list[str]:
    """Names of the files that were looked at, in the order of the looks."""
    rows = store.rows(
        "SELECT name FROM checks WHERE stage = ? ORDER BY commit_number, number", [stage], tables=["checks"]
    )
    return [name for (name,) in rows]


def test_all_is_read_and_recorded(runs, json_of):
    report = json_of(scrub)
    assert (report["schema"], report["verdict"], report["sample"]) == ("pirene.audit/1", "clean", None)
    assert report["coverage"] == {"replicas": 6, "verified": 6, "never_verified": 0, "unprotected": 0}
    assert report["gaps"] == []
    assert report["effort"]["read_bytes"] == 2 * len("mid of ") + 2 * len("leftright")
    assert len(json_of(query, 'checks where stage = "scrub" and verdict = "ok"')) == 6


def test_damage_is_found_and_put_in_quarantine(runs, json_of):
    flip(runs.output("left", "mid.dat"))
    report = json_of(scrub, exit_code=1)
    (finding,) = report["findings"]
    assert (finding["class"], finding["stage"]) == ("content-mismatch", "scrub")
    assert finding["affected"] == {"files": ["done.flag"], "jobs": ["b"], "read_by": ["b"]}
    assert [row["name"] for row in json_of(query, 'files where status = "damaged"')] == ["mid.dat"]
    flip(runs.output("left", "mid.dat"))
    assert json_of(scrub)["verdict"] == "clean"
    assert json_of(query, 'files where status = "damaged"') == []


def test_the_scope_is_a_run_or_a_query(runs, json_of):
    assert json_of(scrub, "left")["coverage"]["replicas"] == 3
    assert json_of(scrub, 'files where name = "mid.dat"')["coverage"]["replicas"] == 2


def test_what_failed_is_read_first_then_what_was_verified_longest_ago(many, store, json_of):
    json_of(audit, 'files where name != "07.dat"')
    flip(many[31])
    json_of(audit, 'files where name = "31.dat"', exit_code=1)
    json_of(audit, 'files where name in ("03.dat", "04.dat")')
    json_of(scrub, exit_code=1)
    order = read_by(store)
    assert order[0] == "31.dat"
    assert order[1] == "07.dat", "it was registered before the others were read"
    assert order[-2:] == ["03.dat", "04.dat"]
    assert sorted(order) == [path.name for path in many]


def test_a_scrub_that_ran_out_of_time_goes_on_where_it_stopped(many, store, monkeypatch):
    """The time is up after so many looks, whatever the clock says; scrubs go on until each copy had its turn."""
    looks = 0

    def is_over(pace: object) -> bool:
        nonlocal looks
        looks += 1
        return looks > 12

    monkeypatch.setattr("integrity.pace.Pace.is_over", property(is_over))
    seen: list[str] = []
    for _ in range(40):
        looks = 0
        report = scrub_store(store, limits=Limits(seconds=3600))
        assert report.exit_code == 3
        assert report.verdict == "incomplete"
        assert [gap.reason.name for gap in report.coverage.gaps] == ["NO_TIME"]
        fresh = read_by(store)[len(seen) :]
        assert 0 < len(fresh) == report.coverage.verified < 40
        seen += fresh
        if len(seen) >= 40:
            break
    assert len(set(seen[:40])) == 40, "nothing twice before all had their turn"


def test_an_interrupted_scrub_keeps_what_it_has_read(many, store):
    def interrupt(_: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    left = 9
    with pytest.raises(KeyboardInterrupt):
        scrub_store(store, advance=interrupt)
    assert len(read_by(store)) == 9


def test_a_sample_and_its_bound(many, json_of, store):
    report = json_of(scrub, "--sample", "10", exit_code=3)
    sample = report["sample"]
    assert report["verdict"] == "incomplete"
    assert report["coverage"] == {"replicas": 40, "verified": 10, "never_verified": 0, "unprotected": 0}
    assert [(gap["why"], gap["copies"]) for gap in report["gaps"]] == [("not-drawn", 30)]
    assert (sample["population"], sample["wanted"], sample["read"], sample["damaged"]) == (40, 10, 10, 0)
    assert sample["damage_rate_at_most"] == pytest.approx(1 - 0.05 ** (1 / 10))
    assert sample["confidence"] == 0.95
    again = json_of(scrub, "--sample", "10", exit_code=3)["sample"]
    assert again["seed"] != sample["seed"], "each sample is drawn anew"
    assert json_of(scrub, "--sample", "100%")["sample"]["damage_rate_at_most"] == 0.0
    for path in many:
        flip(path)
    worst = json_of(scrub, "--sample", "10%", exit_code=1)["sample"]
    assert (worst["wanted"], worst["damaged"], worst["damage_rate_at_most"]) == (4, 4, 1.0)


def test_a_sample_with_damage_has_the_bound_of_clopper_and_pearson(many, json_of):
    for path in many[::2]:
        path.unlink()
    sample = json_of(scrub, "--sample", "20", exit_code=1)["sample"]
    assert 0 < sample["damaged"] < 20, "otherwise: once in 10^11 draws"
    assert sample["damage_rate"] == sample["damaged"] / 20
    assert sample["damage_rate_at_most"] == upper_bound(20, sample["damaged"])


def test_a_sample_that_was_cut_short_goes_on_with_the_same_draw(many, store, monkeypatch, run_command):
    """What its report says that should be done is done as it stands."""
    looks = 0

    def is_over(pace: object) -> bool:
        nonlocal looks
        looks += 1
        return looks > 6

    size = SampleSize(count=20)
    with monkeypatch.context() as patch:
        patch.setattr("integrity.pace.Pace.is_over", property(is_over))
        first = scrub_store(store, limits=Limits(seconds=7200, sample=size))
    assert first.sample is not None
    before = read_by(store)
    assert 0 < first.sample.read == len(before) < 20
    assert first.sample.rate_at_most == pytest.approx(1 - 0.05 ** (1 / len(before)))
    program, command, *words = shlex.split(first.reproduce[0])
    assert (program, command) == ("pirene", "scrub")
    assert words[words.index("--max-duration") + 1] == "7200s"
    at = words.index("--store")
    second = json.loads(run_command(scrub, *words[:at], "--format", "json", exit_code=3).stdout)
    assert second["sample"]["seed"] == first.sample.seed.hex()
    assert second["sample"]["read"] == second["sample"]["wanted"] == 20
    assert second["coverage"]["verified"] == 20
    assert second["sample"]["read_earlier"] == len(before)
    assert second["sample"]["earliest"] is not None
    after = read_by(store)
    assert len(after) == len(set(after)) == 20


def test_a_sample_that_was_read_is_read_again(many, json_of, store, run_command):
    """The command that a report prints finds damage that came after it: nothing counts for having been read once."""
    first = json_of(scrub, "--sample", "100%")
    words = shlex.split(first["reproduce"][0])[2:]
    words = words[: words.index("--store")]
    assert first["sample"]["read_earlier"] == 0 and first["sample"]["earliest"] is None
    assert json_of(scrub, *words)["effort"]["read_bytes"] == first["effort"]["read_bytes"] > 0
    flip(many[3])
    again = json_of(scrub, *words, exit_code=1)
    assert [finding["name"] for finding in again["findings"]] == ["03.dat"]
    assert (again["sample"]["seed"], again["sample"]["damaged"]) == (first["sample"]["seed"], 1)
    more = json_of(scrub, *words, exit_code=1)["sample"]
    assert (more["read"], more["read_earlier"], more["damaged"]) == (40, 39, 1), "it goes on with what is not good"
    text = run_command(scrub, *words, exit_code=1).stdout
    assert "(seed: commit " in text and "; 1 read now, 39 earlier, since 20" in text


def test_a_later_look_that_was_bad_outweighs_the_sample(many, json_of):
    """Whoever looked: here an audit, after which the copy reads well by chance of nobody."""
    first = json_of(scrub, "--sample", "100%")["sample"]
    words = ("--sample", "100%", "--from", str(first["commit"]))
    for path in (many[3], many[7]):
        flip(path)
    json_of(audit, exit_code=1)
    flip(many[7])
    again = json_of(scrub, *words, exit_code=1)
    assert [finding["name"] for finding in again["findings"]] == ["03.dat"]
    assert (again["sample"]["read_earlier"], again["sample"]["damaged"]) == (38, 1)
    flip(many[3])
    assert json_of(scrub, *words)["sample"]["read_earlier"] == 39, "read, good, and no look was bad after it"


def test_what_cannot_be_verified_is_not_drawn_and_is_named(store, tmp_path, json_of):
    import datetime as dt

    from provenance.history.commits import CommitKind
    from provenance.registration.registration import Registration, register
    from provenance.segments.batch import Batch

    (tmp_path / "near").write_bytes(b"near")
    batch = Batch()
    entries = [
        Registration("far", "s3://bucket/far", sha256=bytes(32), size_bytes=5),
        Registration("unknown", (tmp_path / "near").as_uri(), size_bytes=4),
    ]
    register(store, batch, 99, entries, at=dt.datetime.now(dt.UTC))
    store.commit(CommitKind.REGISTER, batch)
    report = json_of(scrub, "--sample", "5", exit_code=3)
    assert report["sample"]["population"] == report["sample"]["read"] == 0
    assert report["sample"]["damage_rate_at_most"] == 0.0 or report["sample"]["damage_rate"] is None
    assert {(gap["why"], *gap["examples"]) for gap in report["gaps"]} == {
        ("elsewhere", "far"),
        ("no-digest", "unknown"),
    }


@pytest.mark.parametrize("command", [audit, scrub])
def test_a_store_without_copies_is_not_clean(command, store, run_command, json_of):
    assert json_of(command, exit_code=3)["verdict"] == "incomplete"
    lines = run_command(command, exit_code=3).stdout.splitlines()
    assert lines[0] == "incomplete: 0 of 0 copies read and compared"
    assert lines[1] == f"The store {store.root} holds no copies of files: is it the one that is meant?"
    assert "None of what was asked for" in run_command(command, "files", exit_code=3).stdout
    assert 'type="not-verified"' in run_command(command, "--format", "junit", exit_code=3).stdout


@pytest.mark.parametrize("command", [audit, scrub])
@pytest.mark.parametrize("name", ["wrong", None])
def test_a_store_that_is_not_there_is_not_made(command, name, tmp_path_factory, run_command, monkeypatch):
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PIRENE_STORE", raising=False)
    with pytest.raises(NotAStoreError, match=f"{folder / (name or '.pirene')}: there is no store") as caught:
        run_command(command, invocation={"store": name})
    assert caught.value.exit_code == 2
    assert not any(folder.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--max-duration", "5 parsecs"), "no such unit: parsecs"),
        (("--max-duration", "5MB"), "expected a duration"),
        (("--max-duration", "soon"), "expected a duration"),
        (("--bandwidth", "0MB"), "expected bytes a second"),
        (("--bandwidth", "3s"), "expected bytes a second"),
        (("--sample", "0"), "expected a number of copies"),
        (("--sample", "101%"), "expected a number of copies"),
        (("--sample", "-1"), "expected a number of copies"),
        (("--from", "3"), "give its --sample as well"),
        (("--sample", "3", "--from", "99"), "this store has commits up to"),
    ],
)
def test_limits_that_mean_nothing(runs, run_command, words, message):
    from provenance.errors import StoreError

    try:
        output = run_command(scrub, *words, exit_code=2).output
    except (StoreError, click.UsageError) as error:
        output = str(error)
    assert message in " ".join(output.split())


def test_bandwidths_and_durations_as_people_write_them(runs, json_of):
    report = json_of(scrub, "--bandwidth", "50MB/s", "--max-duration", "1.5h", "--sample", "12.5%", exit_code=3)
    again, _ = report["reproduce"]
    assert "--max-duration 5400s --bandwidth 50000000B --sample 12.5% --from " in again
    assert report["sample"]["wanted"] == 1


def test_a_report_for_people(runs, run_command):
    flip(runs.output("left", "mid.dat"))
    text = run_command(scrub, exit_code=1).stdout
    assert "damaged: 1 finding; 6 of 6 copies read and compared" in text
    assert "content-mismatch: mid.dat" in text
    text = run_command(scrub, "right", "--sample", "1", exit_code=3).stdout
    assert "sample: 1 of 1 that were drawn from 3 copies, 0 damaged (seed: commit " in text
    assert "at 95 % confidence at most 95 % of these copies are damaged" in text
    assert "not verified: 2, it was not drawn for the sample (" in text
