"""In-toto Statements (v1) whose predicate is SLSA provenance (v1): which files were made, from which, by what.

Source: the in-toto Attestation Framework, specification v1, and slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrity.attestation.envelope import IN_TOTO, opened_envelope
from integrity.errors import EvidenceError
from integrity.log.note import VerifierKey

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file: ``name``, ``sha256`` (32 bytes; of a folder that of its sorted manifest), and what else is to be said of
    it, as ``annotations``.
    """

    name: str
    sha256: bytes
    annotations: Mapping[str, object]

    def document(self) -> dict[str, Any]:
        """A ResourceDescriptor."""
        described: dict[str, Any] = {"name": self.name, "digest": {"sha256": self.sha256.hex()}}
        return described | {"annotations": dict(self.annotations)} if self.annotations else described


@dataclass(frozen=True, slots=True)
class Build:
    """One computation: what it was (``kind``, a URI), what was asked for from outside (``parameters``), what it read
    (``dependencies``) and made (``products``), who ran it (``builder``, a URI, with ``versions`` of programs), which
    one it was and when. Times are aware; None: not known.
    """

    kind: str
    parameters: Mapping[str, object]
    dependencies: Sequence[Artifact]
    products: Sequence[Artifact]
    builder: str
    versions: Mapping[str, str]
    invocation: str
    started: dt.datetime | None
    finished: dt.datetime | None


def statement(build: Build) -> bytes:
    """The statement as JSON. ValueError: nothing was made."""
    if not build.products:
        raise ValueError("a statement is about something")
    times = {"startedOn": _time(build.started), "finishedOn": _time(build.finished)}
    document = {
        "_type": STATEMENT,
        "subject": [product.document() for product in build.products],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": build.kind,
                "externalParameters": dict(build.parameters),
                "resolvedDependencies": [one.document() for one in build.dependencies],
            },
            "runDetails": {
                "builder": {"id": build.builder, "version": dict(build.versions)},
                "metadata": {
                    "invocationId": build.invocation,
                    **{name: time for name, time in times.items() if time is not None},
                },
            },
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class Attested:
    """A statement that trusted keys signed: ``subject`` are (name, sha256 in hex)."""

    subject: tuple[tuple[str, str], ...]
    signers: tuple[VerifierKey, ...]
    statement: Mapping[str, Any]

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "schema": "pirene.log-verify/1",
            "verdict": "attested",
            "signed_by": [key.text for key in self.signers],
            "statement": dict(self.statement),
        }


def opened_statement(envelope: bytes, trusted: Sequence[VerifierKey]) -> Attested:
    """The statement in an envelope. Raises EvidenceError as `opened_envelope`, and for what is no statement."""
    kind, payload, signers = opened_envelope(envelope, trusted)
    try:
        said = json.loads(payload)
        if (kind, said["_type"]) != (IN_TOTO, STATEMENT):
            raise ValueError(f"it is of the type {kind!r}")
        subject = tuple((str(one["name"]), str(one["digest"]["sha256"])) for one in said["subject"])
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"no in-toto Statement of files: {str(error)[:200]}") from None
    return Attested(subject, signers, said)


def _time(time: dt.datetime | None) -> str | None:
    """RFC 3339 in UTC, as the specification asks for."""
    return None if time is None else time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
