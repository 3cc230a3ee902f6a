"""The five entities: their built-in fields with one type each, what a row belongs to, and a row itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.query.oracle.facts import Saying

TYPES: dict[str, dict[str, str]] = {
    "files": {
        "id": "text", "name": "text", "stem": "text", "size": "size", "sha256": "digest", "created": "time",
        "origin": "text", "digest_origin": "text", "verified": "time", "status": "text", "sites": "texts",
    },
    "jobs": {
        "id": "text", "name": "text", "namespace": "text", "version": "text", "transformation": "text",
        "type": "text", "status": "text", "site": "text", "host": "text", "attempts": "integer",
        "exit_code": "integer", "signal": "integer", "started": "time", "ended": "time", "duration": "duration",
        "cpu_seconds": "duration", "max_rss": "size", "arguments": "texts", "decision": "text", "reason": "text",
    },
    "workflows": {
        "id": "text", "name": "text", "status": "text", "user": "text", "host": "text", "engine": "text",
        "started": "time", "ended": "time", "duration": "duration", "parent": "text", "job_count": "integer",
        "failed_count": "integer",
    },
    "replicas": {
        "name": "text", "sha256": "digest", "size": "size", "site": "text", "url": "text", "registered": "time",
        "verified": "time", "state": "text",
    },
    "checks": {
        "name": "text", "stage": "text", "verdict": "text", "class": "text", "expected": "digest",
        "actual": "digest", "protection": "text", "at": "time", "seconds": "duration", "host": "text",
    },
}  # fmt: skip
PATHS = {
    "files": {"job": "jobs", "workflow": "workflows"},
    "jobs": {"workflow": "workflows"},
    "workflows": {},
    "replicas": {"file": "files"},
    "checks": {"file": "files", "job": "jobs", "workflow": "workflows"},
    "groups": {},
}
DESCRIBED = {"files": "file", "jobs": "job", "workflows": "workflow"}
Key = tuple[Any, ...]


@dataclass(slots=True)
class Thing:
    """A row of an entity. ``order`` puts rows in their own order; ``links``: path -> key of the thing at its end."""

    entity: str
    key: Key
    fields: dict[str, Any]
    order: Key
    metadata: dict[str, Saying | None] = field(default_factory=dict)
    links: dict[str, Key | None] = field(default_factory=dict)
