"""The rows of all entities as of one commit, as facts make them, and who read and wrote what."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.query.oracle.facts import Row, Said, Saying, World
from tests.query.oracle.runs_told import jobs_of, workflows_of
from tests.query.oracle.things import DESCRIBED, TYPES, Key, Thing


@dataclass(slots=True)
class State:
    """All rows as of one commit, and who read and wrote what: (file, job) pairs. ``types``: entity -> field -> type."""

    things: dict[str, dict[Key, Thing]]
    reads: set[tuple[Key, Key]]
    writes: set[tuple[Key, Key]]
    keys: dict[str, dict[str, list[Saying | None]]]
    queries: dict[str, str]
    types: dict[str, dict[str, str]] = field(default_factory=lambda: dict(TYPES))

    def rows(self, entity: str) -> list[Thing]:
        """The rows of an entity in their own order."""
        return sorted(self.things[entity].values(), key=lambda thing: thing.order)


def state(world: World, horizon: int) -> State:
    """What can be asked about as of commit ``horizon``."""
    metadata = world.current(horizon)
    copies = _copies(world, horizon)
    jobs = jobs_of(world, horizon)
    files = _files(world, horizon, copies)
    things = {
        "files": files,
        "jobs": jobs,
        "workflows": workflows_of(world, horizon, jobs),
        "replicas": _replicas(files, copies),
        "checks": _checks(world, horizon),
    }
    keys: dict[str, dict[str, list[Saying | None]]] = {entity: defaultdict(list) for entity in DESCRIBED}
    for entity, word in DESCRIBED.items():
        for (said_of, *_), values in metadata.items():
            if said_of == word:
                for key, value in values.items():
                    keys[entity][key].append(value)
        # A key that became known later is no error in a question about the past: nothing had it then.
        for said_of, _, _, key, _, _ in (saying for told in world.commits for saying in told.sayings):
            if said_of == word:
                keys[entity].setdefault(key, [])
        for key, thing in things[entity].items():
            thing.metadata = metadata.get((word, key[0], key[1] if len(key) > 1 else 0), {})
    reads, writes = _edges(world, horizon, files)
    newest = sorted(world.rows("queries", horizon), key=lambda pair: pair[1]["version"])
    return State(things, reads, writes, keys, {row["name"]: row["query"] for _, row in newest})


def elements(value: Saying | None) -> tuple[Said, ...]:
    """The values of a list, or the one value; nothing for nulls and withdrawals."""
    listed = value if isinstance(value, tuple) else () if value is None else (value,)
    return tuple(each for each in listed if each.text is not None)


def _files(world: World, horizon: int, copies: dict[Key, dict[str | None, dict[str, Any]]]) -> dict[Key, Thing]:
    later: dict[Key, list[Row]] = defaultdict(list)
    for _, row in world.rows("file_digests", horizon):
        later[row["source"], row["file"]].append(row)
    found = {}
    for _, row in world.rows("files", horizon):
        key = (row["source"], row["file"])
        known = [row, *later[key]]
        mine = copies.get(key, {})
        good = [copy for copy in mine.values() if copy["state"] == "ok"]
        states = {copy["state"] for copy in mine.values()}
        status = (
            "ok" if good else "retired" if "retired" in states else "damaged" if "quarantined" in states else "gone"
        )
        job = row.get("job")
        found[key] = Thing(
            "files", key,
            {
                "id": f"{key[0] % (1 << 64):016x}-{key[1]}", "name": row["name"], "stem": _stem(row["name"]),
                "size": _first(known, "size_bytes"), "sha256": _first(known, "sha256"), "created": row["created"],
                "origin": row["origin"], "digest_origin": _first(known, "digest_origin"),
                "verified": _latest(copy["verified"] for copy in good), "status": status,
                "sites": sorted({copy["site"] for copy in good if copy["site"] is not None}),
            },
            key,
            links={"job": (key[0], job) if job is not None else None,
                   "workflow": (key[0],) if job is not None else None},
        )  # fmt: skip
    return found


def _first(rows: list[Row], column: str) -> Any:
    return next((row[column] for row in rows if row.get(column) is not None), None)


def _latest(times: Iterable[dt.datetime | None]) -> dt.datetime | None:
    return max((time for time in times if time is not None), default=None)


def _stem(name: str) -> str:
    base = name.rpartition("/")[2]
    head, _, tail = base.rpartition(".")
    return head if head and tail else base


def _copies(world: World, horizon: int) -> dict[Key, dict[str | None, dict[str, Any]]]:
    """File -> url -> site, state, registered, verified. None as url: what was decided about the file itself."""
    events: dict[tuple[Key, str | None], list[tuple[int, Row]]] = defaultdict(list)
    for commit, row in world.rows("replicas", horizon):
        events[(row["source"], row["file"]), row.get("url")].append((commit, row))
    found: dict[Key, dict[str | None, dict[str, Any]]] = defaultdict(dict)
    for (key, url), told in events.items():
        told.sort(key=lambda pair: (pair[0], pair[1]["at"]))
        state = _copy_state([row for _, row in told])
        read = [row["at"] for _, row in told if row["event"] == "verified" or _read(row)]
        registered = [row["at"] for _, row in told if row["event"] == "registered"]
        if registered or url is None:
            found[key][url] = {
                "site": told[-1][1].get("site"), "state": state, "registered": min(registered, default=None),
                "verified": max(read, default=None),
            }  # fmt: skip
    return found


def _read(row: Row) -> bool:
    """Whether an event that makes a copy good says that its bytes were read."""
    return row["event"] in ("registered", "reinstated") and row.get("inode") is not None


def _copy_state(told: list[Row]) -> str:
    """What was said last. Bytes found bad stay bad until they are read and found good."""
    places = [place for place, row in enumerate(told) if row["event"] != "verified"]
    last: str = told[places[-1]]["event"]
    if last == "missing":
        return "ok" if places[-1] < len(told) - 1 else "missing"
    if last not in ("registered", "reinstated"):
        return last
    bad = max((place for place, row in enumerate(told) if row["event"] == "quarantined"), default=-1)
    good = max((place for place, row in enumerate(told) if _read(row)), default=-1)
    return "quarantined" if bad > good else "ok"


def _replicas(files: dict[Key, Thing], copies: dict[Key, dict[str | None, dict[str, Any]]]) -> dict[Key, Thing]:
    found = {}
    for file, urls in copies.items():
        for url, copy in urls.items():
            if url is not None and file in files:
                fields = {name: files[file].fields[name] for name in ("name", "sha256", "size")}
                key = (*file, url)
                found[key] = Thing("replicas", key, {**fields, **copy, "url": url}, key, links={"file": file})
    return found


def _checks(world: World, horizon: int) -> dict[Key, Thing]:
    found = {}
    for _, row in world.rows("checks", horizon):
        key = (row["source"], row["number"])
        run, job = row.get("run"), row.get("job")
        found[key] = Thing(
            "checks", key,
            {
                "name": row["name"], "stage": row["stage"], "verdict": row["verdict"], "class": row.get("finding"),
                "expected": row.get("expected_sha256"), "actual": row.get("actual_sha256"),
                "protection": row["protection"], "at": row["at"], "seconds": row.get("duration_seconds"),
                "host": row.get("host"),
            },
            key,
            links={"file": (row["file_source"], row["file"]), "workflow": (run,) if run is not None else None,
                   "job": (run, job) if run is not None and job is not None else None},
        )  # fmt: skip
    return found


def _edges(world: World, horizon: int, files: dict[Key, Thing]) -> tuple[set[tuple[Key, Key]], set[tuple[Key, Key]]]:
    """Who read and who wrote what; a reused job has the edges of the one that really ran."""
    reads = {
        ((row["source"], row["file"]), (row["run"], row["job"]))
        for _, row in world.rows("uses", horizon)
        if row["direction"] == "read" and row["role"] != "executable"
    }
    writes = {(key, file.links["job"]) for key, file in files.items() if file.links["job"] is not None}
    ran = {(row["run"], row["job"]) for _, row in world.rows("invocations", horizon)}
    for _, row in world.rows("jobs", horizon):
        original = (row.get("reused_run"), row.get("reused_job"))
        mine = (row["run"], row["job"])
        if row["decision"] == "reuse" and original[0] is not None and mine not in ran:
            reads |= {(file, mine) for file, job in reads if job == original}
            writes |= {(file, mine) for file, job in writes if job == original}
    return reads, writes
