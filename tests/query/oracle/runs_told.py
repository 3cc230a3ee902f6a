"""Jobs and workflows, as what was told of plans, attempts and states makes them."""

from __future__ import annotations

from collections import defaultdict

from tests.query.oracle.facts import Row, World
from tests.query.oracle.things import Key, Thing


def jobs_of(world: World, horizon: int) -> dict[Key, Thing]:
    """Jobs, with what their last attempts and the engine said of them."""
    attempts: dict[Key, Row] = {}
    for _, row in world.rows("invocations", horizon):
        key = (row["run"], row["job"])
        if key not in attempts or attempts[key]["attempt"] < row["attempt"]:
            attempts[key] = row
    states: dict[Key, list[tuple[int, Row]]] = defaultdict(list)
    for commit, row in world.rows("job_states", horizon):
        states[row["run"], row["job"]].append((commit, row))
    found = {}
    for _, row in world.rows("jobs", horizon):
        key = (row["run"], row["job"])
        last = attempts.get(key, {})
        told = [each for _, each in sorted(states[key], key=lambda pair: (pair[0], pair[1]["at"]))]
        failed = max((each["attempt"] for each in told if each["state"] == "failed" and each.get("attempt")), default=0)
        name = row.get("name")
        space, version = row.get("namespace"), row.get("version")
        whole = (f"{space}::" if space is not None else "") + (name or "") + (f":{version}" if version else "")
        found[key] = Thing(
            "jobs", key,
            {
                "id": row["id"], "name": name, "namespace": space, "version": version, "transformation": whole or None,
                "type": row["type"], "status": _job_status(row, last, told, failed), "site": row.get("site"),
                "host": last.get("host"), "attempts": max(last.get("attempt", 0), failed),
                "exit_code": last.get("exit_code"), "signal": last.get("signal"), "started": last.get("started"),
                "ended": last.get("ended"), "duration": last.get("duration_seconds"),
                "cpu_seconds": last.get("cpu_seconds"), "max_rss": last.get("max_rss_bytes"),
                "arguments": row.get("arguments"), "decision": row["decision"], "reason": row.get("reason"),
            },
            key,
            links={"workflow": (key[0],)},
        )  # fmt: skip
    return found


def _job_status(job: Row, last: Row, told: list[Row], failed: int) -> str:
    number = last.get("attempt", 0)
    verdicts = [row for row in told if row["state"] not in ("held", "released", "evicted", "removed")]
    if verdicts and verdicts[-1]["state"] == "failed" and failed >= number:
        return "failed"
    begun = [row.get("attempt") or 0 for row in told if row["state"] in ("submitted", "started")]
    if max(begun, default=0) > number:
        return "running"
    if last:
        return str(last["status"])
    if told:
        return "not_run" if told[-1]["state"] in ("not_run", "removed") else "running"
    return "reused" if job["decision"] == "reuse" else "planned"


def workflows_of(world: World, horizon: int, jobs: dict[Key, Thing]) -> dict[Key, Thing]:
    """Runs, with what became of them and of their jobs."""
    states: dict[int, list[tuple[int, Row]]] = defaultdict(list)
    for commit, row in world.rows("workflow_states", horizon):
        states[row["run"]].append((commit, row))
    rows = [row for _, row in world.rows("workflows", horizon)]
    names = {row["run"]: row["run_id"] for row in rows}
    found = {}
    for row in rows:
        run = row["run"]
        told = [each for _, each in sorted(states[run], key=lambda pair: (pair[0], pair[1]["at"]))]
        status = told[-1]["state"] if told else "planned"
        started = min((each["at"] for each in told if each["state"] == "running"), default=None)
        ended = told[-1]["at"] if status in ("succeeded", "failed", "incomplete") else None
        mine = [job.fields["status"] for key, job in jobs.items() if key[0] == run]
        found[run,] = Thing(
            "workflows", (run,),
            {
                "id": row["run_id"], "name": row.get("name"), "status": status, "user": row.get("user_name"),
                "host": row.get("host"), "engine": row.get("engine"), "started": started, "ended": ended,
                "duration": (ended - started).total_seconds() if started is not None and ended is not None else None,
                "parent": names.get(row.get("parent_run", run)) if row.get("parent_run") is not None else None,
                "job_count": len(mine), "failed_count": sum(each in ("failed", "integrity_failed") for each in mine),
            },
            (row["run_id"], run),
        )  # fmt: skip
    return found
