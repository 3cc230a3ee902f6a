"""Event logs as HTCondor wrote them and writes them: told once, in its words, however they come to the disk."""

from __future__ import annotations

import datetime as dt
import re
import time
import tracemalloc
from pathlib import Path

import htcondor2
import pytest

from planner.engines.pool.dagman_log import Round, RoundState, last_round
from planner.engines.pool.event_log import EventLog
from planner.engines.pool.events import EventKind, EventReader, NodeEvent
from planner.engines.pool.standing import NodeState, Standing

FAULTS = Path(__file__).parent / "recorded" / "faults.log"
"""HTCondor 25.14.1. Node 1 was held and released, 2 cannot get its input, 3 lost its starter, 4 its shadow, 5 was removed,
6 and 7 have POST scripts, 8 and 10 were vacated, 11 failed twice; then DAGMan was removed."""
NO_INPUT = (
    "Transfer input files failure at access point localhost while sending files to execution point slot1_2@localhost. "
    "Details: 1 total failures: first failure: reading from file /srv/pool/q/ev/nodes/2/nope: (errno 2) No such file or "
    "directory (code 13, subcode 2)"
)
LOST = "Job not found at execution machine; Can not reconnect to slot1_3@localhost, rescheduling job"
UNEXPLAINED = "HTCondor started it again and does not say why: its shadow died, or the schedd did"
TOLD = {
    1: [
        "08:54:11 submitted",
        "08:54:13 started on localhost",
        "08:54:32 held: looking at it (by user pool) (code 1, subcode 0)",
        "08:54:37 released: via condor_release (by user pool)",
        "08:54:40 started on localhost",
        "08:55:05 ended 0",
    ],
    2: [
        "08:54:11 submitted",
        f"08:54:13 held: {NO_INPUT}",
        "08:55:31 removed: DAG Removed: User removed scheduler job from queue. (by user pool)",
    ],
    3: [
        "08:54:11 submitted",
        "08:54:13 started on localhost",
        f"08:54:42 evicted: {LOST}",
        "08:54:45 started on localhost",
        "08:55:10 ended 0",
    ],
    4: [
        "08:54:11 submitted",
        "08:54:13 started on localhost",
        f"08:54:40 evicted: {UNEXPLAINED}",
        "08:54:40 started on localhost",
        "08:55:05 ended 0",
    ],
    5: ["08:54:11 submitted", "08:54:13 started on localhost", "08:54:36 removed: not needed (by user pool)"],
    6: ["08:54:11 submitted", "08:54:13 started on localhost", "08:54:13 ended 3", "08:54:14 post 0"],
    7: ["08:54:11 submitted", "08:54:13 started on localhost", "08:54:18 ended 0", "08:54:19 post 1"],
    8: [
        "08:54:11 submitted",
        "08:54:13 started on localhost",
        "08:54:36 evicted: Job vacated by schedd (code 1022, subcode 0)",
        "08:54:39 started on localhost",
        "08:55:04 ended 0",
    ],
    10: [
        "08:54:11 submitted",
        "08:54:14 started on localhost",
        "08:54:34 evicted: Job vacated by schedd (code 1022, subcode 0)",
        "08:54:40 started on localhost",
        "08:55:05 ended 0",
    ],
    11: [
        "08:54:11 submitted",
        "08:54:16 started on localhost",
        "08:54:16 ended 1",
        "08:54:18 submitted",
        "08:54:19 started on localhost",
        "08:54:19 ended 1",
    ],
}


@pytest.fixture(autouse=True)
def times_of_the_recording(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(event: NodeEvent) -> str:
    assert event.at.tzinfo is dt.UTC
    text = f"{event.at:%H:%M:%S} {event.kind.value}"
    text += f" on {event.host}" if event.host else ""
    text += f": {event.reason}" if event.reason else ""
    text += f" {event.exit_code}" if event.exit_code is not None else ""
    return text + (f" signal {event.signal}" if event.signal is not None else "")


def told(events) -> dict[int, list[str]]:
    by_job: dict[int, list[str]] = {}
    for event in events:
        by_job.setdefault(event.job, []).append(shown(event))
    return by_job


def test_tells_each_thing_once_in_htcondors_words():
    assert told(EventReader(FAULTS).news()) == TOLD


def test_reads_what_htcondors_own_reader_reads():
    ours = [(event.number, event.cluster, int(event.at.timestamp())) for event in EventLog(FAULTS).news()]
    theirs = [
        (int(event.type), event.cluster, event.timestamp) for event in htcondor2.JobEventLog(str(FAULTS)).events(0)
    ]
    assert ours == theirs
    assert len(ours) == 49


@pytest.mark.parametrize("step", [1, 97, 1000, 5000])
def test_a_log_that_grows_is_read_once(tmp_path, step):
    log = tmp_path / "log"
    reader = EventLog(log)
    assert list(reader.news()) == []
    content = FAULTS.read_bytes()[: 3000 if step == 1 else None]
    news = []
    with log.open("wb", buffering=0) as file:
        for start in range(0, len(content), step):
            file.write(content[start : start + step])
            news += reader.news()
    assert news == list(EventLog(log).news())
    assert len(news) == content.count(b"\n...\n")


@pytest.mark.parametrize("how", ["truncated", "replaced"])
@pytest.mark.parametrize("longer", [False, True])
def test_a_log_begun_anew_is_told_from_its_beginning(tmp_path, how, longer):
    log = tmp_path / "log"
    content = FAULTS.read_bytes()
    log.write_bytes(content)
    reader = EventReader(log)
    before = told(reader.news())
    assert before == TOLD
    anew = content.replace(b"(158.", b"(258.").replace(b"looking at it", b"looking again")
    if how == "replaced":
        log.unlink()
    log.write_bytes(anew + content.replace(b"2026-11-23", b"2026-11-24") * longer)
    after = told(reader.news())
    assert after[1][2] == "08:54:32 held: looking again (by user pool) (code 1, subcode 0)"
    assert len(after[1]) == len(TOLD[1]) * (2 if longer else 1)


def test_what_was_cut_off_is_passed_over(tmp_path):
    log = tmp_path / "log"
    content = FAULTS.read_bytes()
    held = content.index(b"012 (158")
    released = content.index(b"013 (158")
    cut = content[: held + 30] + b"\0\0\0\n" + content[released:]
    log.write_bytes(cut + b"nothing\n...\nthat is (an) event\n...\n\x00\xff\xfe" * 3 + b"999 (x) \n...\n")
    events = told(EventReader(log).news())
    evicted = "08:54:32 evicted: looking at it (by user pool) (code 1, subcode 0)"
    assert events[1] == [line if "held" not in line else evicted for line in TOLD[1]]
    assert {job: events[job] for job in (2, 3, 4, 6, 7, 11)} == {job: TOLD[job] for job in (2, 3, 4, 6, 7, 11)}


def test_an_eviction_waits_for_what_explains_it(tmp_path):
    """HTCondor writes that a job was evicted, and then that it was held."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    log = tmp_path / "log"
    reader = EventReader(log)
    submitted = f'000 (7.000.000) {now} Job submitted from host: <h>\n    [ DAGNodeName = "3" ]\n...\n'
    started = f"001 (7.000.000) {now} Job executing on host: <10.0.0.1:9618?addrs=x>\n...\n"
    evicted = f"004 (7.000.000) {now} Job was evicted. Code 1009 Subcode 0\n\t(0) CPU times\n\tReason: Claim\n...\n"
    log.write_text(submitted + started + evicted)
    assert [event.kind.value for event in reader.news()] == ["submitted", "started"]
    with log.open("a") as file:
        file.write(f"012 (7.000.000) {now} Job was held.\n\tReason unspecified\n\tCode 1 Subcode 0\n...\n")
    assert [(event.kind.value, event.reason) for event in reader.news()] == [
        ("held", "Reason unspecified (code 1, subcode 0)")
    ]
    with log.open("a") as file:
        file.write(started + evicted)
    assert [(event.kind.value, event.host) for event in reader.news()] == [("started", "10.0.0.1:9618")]
    time.sleep(3.1)
    assert [event.reason for event in reader.news()] == ["Claim (code 1009, subcode 0)"]
    assert list(reader.news()) == []


def test_contact_lost_and_found(tmp_path):
    at = "2026-11-23 08:54"
    log = tmp_path / "log"
    log.write_text(
        f'000 (7.000.000) {at}:01 Job submitted from host: <h>\n    DAG Node: 3\n...\n'
        f"001 (7.000.000) {at}:02 Job executing on host: <10.0.0.1:9618?addrs=x>\n...\n"
        f"022 (7.000.000) {at}:03 Job disconnected, attempting to reconnect\n    Socket closed\n    Trying slot1@w\n...\n"
        f"023 (7.000.000) {at}:04 Job reconnected to slot1@w\n    startd address: <a>\n...\n"
        f"007 (7.000.000) {at}:05 Shadow exception!\n\tout of\tdisk\n\t0  -  Run Bytes Sent By Job\n...\n"
    )  # fmt: skip
    events = list(EventReader(log).news())
    assert told(events)[3][2:] == [
        "08:54:03 disconnected: Socket closed; Trying slot1@w",
        "08:54:04 reconnected",
        "08:54:05 evicted: out of\tdisk",
    ]
    standing = Standing(events[:3]).jobs[3]
    assert (standing.state, standing.reason) == (NodeState.RUNNING, "Socket closed; Trying slot1@w")
    assert Standing(events[:4]).jobs[3].reason is None
    assert Standing(events).jobs[3].state is NodeState.IDLE


@pytest.mark.parametrize(
    ("written", "zone", "utc"),
    [
        ("2026-07-01 12:00:00", "Europe/Berlin", "2026-07-01T10:00:00+00:00"),
        ("2026-07-01 12:00:00.250", "Europe/Berlin", "2026-07-01T10:00:00.250000+00:00"),
        ("2026-07-01T12:00:00Z", "Europe/Berlin", "2026-07-01T12:00:00+00:00"),
        ("2026-07-01 12:00:00Z", "America/New_York", "2026-07-01T12:00:00+00:00"),
    ],
)
def test_times_are_utc_whatever_is_written(tmp_path, monkeypatch, written, zone, utc):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert times(tmp_path, written) == [utc]


def test_the_hour_that_comes_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    written = ["2026-10-25 02:50:00", "2026-10-25 02:10:00", "2026-10-25 02:59:00", "2026-10-25 03:00:00"]
    assert [when[11:16] for when in times(tmp_path, *written)] == ["00:50", "01:10", "01:59", "02:00"]


def test_times_without_a_year_are_not_of_the_future(tmp_path):
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for before in (dt.timedelta(hours=1), dt.timedelta(days=200)):
        assert times(tmp_path, f"{now - before:%m/%d %H:%M:%S}") == [(now - before).isoformat()]


def times(folder: Path, *written: str) -> list[str]:
    log = folder / "times"
    log.write_text("".join(f"013 (7.000.000) {text} Job was released.\n\tvia x\n...\n" for text in written))
    return [event.at.isoformat() for event in EventLog(log).news()]


def test_folds_where_jobs_stand():
    events = list(EventReader(FAULTS).news())
    ended = Standing(events)
    assert ended.counts() == {
        NodeState.IDLE: 0,
        NodeState.RUNNING: 0,
        NodeState.HELD: 0,
        NodeState.REMOVED: 2,
        NodeState.ENDED: 6,
        NodeState.POSTED: 2,
    }
    assert {job: (each.evictions, each.eviction) for job, each in ended.jobs.items() if each.evictions} == {
        3: (1, LOST),
        4: (1, UNEXPLAINED),
        8: (1, "Job vacated by schedd (code 1022, subcode 0)"),
        10: (1, "Job vacated by schedd (code 1022, subcode 0)"),
    }
    moment = dt.datetime(2026, 11, 23, 8, 54, 35, tzinfo=dt.UTC)
    then = Standing(event for event in sorted(events, key=lambda event: event.at) if event.at <= moment)
    assert {job: each.state.value for job, each in then.jobs.items()} == {
        1: "held", 2: "held", 3: "running", 4: "running", 5: "running", 6: "posted", 7: "posted", 8: "running",
        10: "idle", 11: "ended",
    }  # fmt: skip
    assert then.jobs[1].reason == "looking at it (by user pool) (code 1, subcode 0)"
    queued = {158, 159, 160, 161, 165, 166}
    assert then.vanished(queued | {162}, moment + dt.timedelta(seconds=60)) == []
    assert then.vanished(queued, moment + dt.timedelta(seconds=60)) == [5]
    assert then.vanished((), moment + dt.timedelta(seconds=60)) == [1, 2, 3, 4, 5, 8, 10]
    assert then.vanished((), moment) == [2, 3, 4, 5, 8]


def test_a_million_events_take_little_memory(tmp_path):
    """A tenth of a million here; the time is linear, and what is kept depends on jobs, not on events."""
    log = tmp_path / "log"
    block = FAULTS.read_bytes()
    with log.open("wb") as file:
        for _ in range(100_000 // 49):
            file.write(block)
    tracemalloc.start()
    standing = Standing(EventReader(log).news())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(standing.jobs) == 10
    assert standing.jobs[3].evictions == 100_000 // 49
    assert peak < 20 << 20


def test_real_faults_are_told_in_htcondors_words(by_hand):
    """Hold, release, a starter killed, a shadow killed, a job removed; and what the queue itself says of them."""
    by_hand.write({job: by_hand.waits(job) for job in (1, 2, 3, 4)})
    by_hand.submit()
    ids = {job: by_hand.running(job) for job in (1, 2, 3, 4)}
    by_hand.pool.hold(ids[1], "looking at it")
    log = by_hand.root / "run.dag.nodes.log"
    by_hand.until(lambda: "Job was held." in log.read_text())  # held in the queue, but released before, it never was
    by_hand.pool.release(ids[1])
    by_hand.pool.kill_starter(ids[2])
    by_hand.kill_shadow(ids[3])
    by_hand.pool.tool("condor_rm", "-reason", "not needed", ids[4])
    for job in (1, 2, 3):
        by_hand.go(job)
    by_hand.until_gone()
    events = {job: [re.sub("^[0-9:]+ ", "", line) for line in lines] for job, lines in news(by_hand).items()}
    begun = ["submitted", "started on localhost"]
    assert events[1] == [
        *begun,
        "held: looking at it (by user pool) (code 1, subcode 0)",
        "released: via condor_release (by user pool)",
        "started on localhost",
        "ended 0",
    ]
    assert events[2][:2] == begun
    assert re.search(
        "evicted: Job not found at execution machine; Can not reconnect to slot.*rescheduling", events[2][-3]
    )
    assert events[2][-2:] == ["started on localhost", "ended 0"]
    assert events[3] == [*begun, f"evicted: {UNEXPLAINED}", "started on localhost", "ended 0"]
    assert events[4] == [*begun, "removed: not needed (by user pool)"]


def test_an_input_that_is_not_there_is_told_once_as_held(by_hand):
    by_hand.write({1: "true"})
    (by_hand.root / "nodes/0/1/in/a file").unlink()
    (by_hand.root / "nodes/0/1/in").rmdir()
    by_hand.submit()
    by_hand.node(1, 5)
    lines = by_hand.until(lambda: (lines := news(by_hand).get(1, []))[1:] and lines)
    assert len(lines) == 2
    assert re.search(r" held: Transfer input files failure .*nodes/0/1/in.*\(code 13, subcode 2\)$", lines[1])


def test_a_restart_of_the_schedd_is_no_event_of_jobs(by_hand_alone):
    by_hand = by_hand_alone
    by_hand.write({1: by_hand.waits(1)})
    by_hand.submit()
    by_hand.running(1)
    by_hand.pool.restart_schedd()
    by_hand.until(lambda: (found := by_hand.find()) and found["status"] == "running")
    by_hand.node(1, 2)
    by_hand.go(1)
    by_hand.until_gone()
    lines = [re.sub("^[0-9:]+ ", "", line) for line in news(by_hand)[1]]
    assert lines == ["submitted", "started on localhost", "ended 0"]
    round_ = last_round(by_hand.root / "run.dag.dagman.log")
    assert (round_.state, round_.exit_code, round_.starts) == (RoundState.ENDED, 0, 2)


def test_how_rounds_end(by_hand):
    log = by_hand.root / "run.dag.dagman.log"
    assert last_round(log) is None
    by_hand.write({1: "true", 2: "exit 3"})
    cluster = by_hand.submit()
    by_hand.until_gone()
    first = last_round(log)
    assert first == Round(cluster, RoundState.ENDED, first.at, exit_code=1, starts=1)
    (by_hand.root / "run.dag.rescue001").write_text("DONE 1\nDONE 2\n")
    cluster = by_hand.submit()
    by_hand.until_gone()
    assert last_round(log) == Round(cluster, RoundState.ENDED, last_round(log).at, exit_code=0, starts=1)


def test_a_dagman_that_is_killed_held_and_removed(by_hand):
    log = by_hand.root / "run.dag.dagman.log"
    by_hand.write({1: by_hand.waits(1)})
    cluster = by_hand.submit()
    by_hand.running(1)
    by_hand.pool.kill_dagman(cluster)
    again = by_hand.until(lambda: (found := last_round(log)).starts == 2 and found)
    assert (again.cluster, again.state) == (cluster, RoundState.RUNNING)
    assert "(signal 9)" in again.reason
    by_hand.pool.hold(f"{cluster}.0", "wait")
    held = by_hand.until(lambda: (found := last_round(log)).state is RoundState.HELD and found)
    assert held.reason == "wait (by user pool) (code 1, subcode 0)"
    by_hand.call("remove", by_hand.run_id, "enough")
    removed = last_round(log)
    assert (removed.state, removed.reason, removed.starts) == (RoundState.REMOVED, "enough (by user pool)", 2)


def news(by_hand) -> dict[int, list[str]]:
    return told(EventReader(by_hand.root / "run.dag.nodes.log").news())


def test_every_kind_has_a_state():
    for kind in EventKind:
        event = NodeEvent(1, kind, dt.datetime.now(dt.UTC), 7)
        assert Standing([event]).jobs[1].cluster == 7
