"""An attestation of a run: which files it made, from which, signed with the key that signs commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrity.attestation.envelope import IN_TOTO, enveloped
from integrity.attestation.statement import Artifact, Build, statement
from integrity.errors import KeyFileError
from provenance.answers.runs import run_state
from provenance.errors import StoreError
from provenance.log.keys import own_key
from provenance.reading.views import fetch, report_sql

if TYPE_CHECKING:
    from provenance.answers.runs import Run
    from provenance.store import Store

_KIND = "https://pirene.invalid/buildtypes/%s/v1"
"""``workflow`` or ``exec``: it names a kind of computation, and is the address of nothing."""
_BUILDER = "urn:uuid:%s"
_READ, _WRITE = "read", "write"
_DETAILS = (
    "SELECT user_name, host, planner_version, lower(hex(workflow_sha256)), lower(hex(plan_sha256)) "
    "FROM workflows WHERE run = $1"
)


def attested(store: Store, run: Run) -> bytes:
    """The envelope. Raises StoreError: the run made nothing that is known; KeyFileError: there is no key."""
    key = own_key()
    if key is None:
        raise KeyFileError("an attestation has to be signed", hint="see the warning above")
    products: list[Artifact] = []
    dependencies: list[Artifact] = []
    rows = fetch(store, report_sql("attested_files"), [run.run])
    written = {(row[2], row[3]) for row in rows if row[0] == _WRITE}
    for direction, role, name, sha256, size_bytes, kind in rows:
        said = {"role": role, "size_bytes": size_bytes, "kind": kind if kind != "file" else None}
        artifact = Artifact(str(name), bytes(sha256), {one: value for one, value in said.items() if value is not None})
        if direction == _WRITE:
            products.append(artifact)
        elif (name, sha256) not in written:
            dependencies.append(artifact)
    if not products:
        raise StoreError(
            f"run {run.run_id}: no job of it has ended well with outputs, so there is nothing to attest",
            hint="`pirene status` says where it is",
        )
    return enveloped(statement(_build(store, run, products, dependencies)), IN_TOTO, [key])


def _build(store: Store, run: Run, products: list[Artifact], dependencies: list[Artifact]) -> Build:
    user, host, version, workflow, plan = fetch(store, _DETAILS, [run.run])[0]
    state = run_state(store, run.run)
    asked = {
        "name": run.name,
        "engine": run.engine,
        "user": user,
        "host": host,
        "workflow_sha256": workflow,
        "plan_sha256": plan,
        "state": state.state,
    }
    if run.kind == "exec":  # one job; what the jobs of a workflow are given is in the file that has the digest
        ((arguments,),) = fetch(store, "SELECT arguments FROM jobs WHERE run = $1", [run.run])
        asked["arguments"] = arguments
    return Build(
        kind=_KIND % run.kind,
        parameters={name: value for name, value in asked.items() if value is not None},
        dependencies=dependencies,
        products=products,
        builder=_BUILDER % store.store_id,
        versions={} if version is None else {"pirene": version},
        invocation=run.run_id,
        started=state.started,
        finished=state.ended,
    )
