"""One command without a workflow: `pirene exec`. A run of one job in the current folder, with the same wrapper and
records.

Logical names are paths as they were written. What the store knows at an input's place is what the input must be; what
it does not know is hashed before and registered as a first sight. The record is spooled below the store until it is in
it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import integrity
from integrity.digest import hash_path
from planner.command_inputs import (
    CommandInput,
    SingleCommand,
    as_recorded,
    check_names,
    command_inputs,
    executable_path,
)
from planner.command_reuse import Reused, reuse_outputs
from planner.command_spool import ATTEMPT, JOB, Spool, take_up
from planner.reuse_key import reuse_key
from planner.version import VERSION
from provenance.copies.replicas import Replica, file_url
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.identity import new_run_id, source_of
from provenance.metadata import Value, parse_assignments
from provenance.metadata_rows import add_metadata
from provenance.registration.placement import add_placed
from provenance.registration.registration import Registration, register
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.users import current_user

_PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
_BY_THE_KERNEL = 0x80  # si_code of a signal that a terminal sends to all processes in its foreground (sigaction(2))
_LOOK_SECONDS = 0.5  # whether the wrapper has ended, or a signal went to another thread of ours (a database's)
KICKSTART = Path(integrity.__file__).with_name("kickstart.py")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How it ended: ``failure`` None when it succeeded; ``reused_from`` what it was reused from, if it did not run.

    ``refused``: an input was not what the store knows, so the command never started. ``interrupted``: it failed because
    it was told to stop. ``said``: what of its record could not be taken in, one sentence each.
    """

    run_id: uuid.UUID
    failure: str | None
    reused_from: str | None = None
    refused: bool = False
    interrupted: bool = False
    said: tuple[str, ...] = ()


def run_command(store: Store, request: SingleCommand) -> CommandResult:
    """Verify, run and record one command; or take its outputs from the past. Raises CommandUsageError before anything
    ran.
    """
    take_up(store)
    store.snapshot()  # one that this version cannot read is refused before anything is made in it
    metadata = parse_assignments(request.metadata)
    check_names(request)
    executable = executable_path(request.command[0])
    run_id = new_run_id()
    inputs = command_inputs(store, request)
    executable_sha256 = hash_path(executable).sha256
    key = reuse_key(
        executable_sha256=executable_sha256,
        container_sha256=None,
        arguments=request.command[1:],
        streams=(None, None, None),
        environment={},
        inputs={file.name: file.sha256 for file in inputs},
        outputs=[*request.outputs, *request.inouts],
        salt="",
    )
    reused = None
    if request.reuse and not request.inouts and all(as_recorded(file) for file in inputs):
        reused = reuse_outputs(store, key, request.outputs)
    run = _Run(store, request, run_id, inputs, executable, executable_sha256, key)
    if reused is not None:
        run.plan(metadata, reused)
        store.project()
        return CommandResult(run_id, None, f"{reused.success.id} of run {reused.success.run_id}")
    with run.owned():  # before the store says that it runs: nobody may think that it has died
        run.plan(metadata, None)
        return run.execute()


class _Run:
    """The one job, from its plan commit to its last state."""

    def __init__(
        self,
        store: Store,
        request: SingleCommand,
        run_id: uuid.UUID,
        inputs: Sequence[CommandInput],
        executable: Path,
        executable_sha256: bytes,
        key: bytes,
    ) -> None:
        self._store = store
        self._request = request
        self._run_id = run_id
        self._run = source_of(run_id)
        self._inputs = inputs
        self._executable = executable
        self._executable_sha256 = executable_sha256
        self._key = key
        self._spool = Spool.of(store, run_id)

    def plan(self, metadata: Mapping[str, Value], reused: Reused | None) -> None:
        """Record what is about to run or was reused, with files that nobody had seen before, in one commit."""
        now = dt.datetime.now(dt.UTC)
        snapshot = self._store.snapshot()

        def rows(state: Snapshot) -> Batch:
            return self._planned(metadata, reused, state, now)

        self._store.commit(
            CommitKind.PLAN, rows(snapshot), rebase=lambda newest, _: rows(newest), base=snapshot, author=current_user()
        )

    def _planned(
        self, metadata: Mapping[str, Value], reused: Reused | None, state: Snapshot, now: dt.datetime
    ) -> Batch:
        """The rows of the plan, as the store is in ``state``."""
        user = current_user()
        here = str(Path.cwd())
        batch = Batch()
        batch.add(
            "workflows", run=self._run, run_id=str(self._run_id), kind="exec", name=Path(self._request.command[0]).name,
            user_name=user, host=os.uname().nodename, submit_dir=here, output_dir=here, engine="local",
            planner_version=VERSION, planned=now,
        )  # fmt: skip
        batch.add("workflow_states", run=self._run, state="succeeded" if reused else "running", at=now)
        decision = (
            {"decision": "run", "reason": "given to exec"}
            if reused is None
            else {
                "decision": "reuse",
                "ground": "proven",
                "reason": f"the same as {reused.success.id} of run {reused.success.run_id}",
                "reused_run": reused.success.run,
                "reused_job": reused.success.job,
            }
        )
        batch.add(
            "jobs", run=self._run, job=JOB, id="exec", type="exec", name=Path(self._request.command[0]).name,
            arguments=list(self._request.command[1:]), environment=[], site="local", executable=str(self._executable),
            executable_sha256=self._executable_sha256, reuse_key=self._key, **decision,
        )  # fmt: skip
        entries = [file.known for file in self._inputs if isinstance(file.known, Registration)]
        ids = iter(register(self._store, batch, self._run, entries, at=now, author=user, snapshot=state))
        self._inputs = [
            replace(file, id=file.known.id if isinstance(file.known, Replica) else next(ids)) for file in self._inputs
        ]
        if reused is not None:
            add_placed(self._store, batch, reused.placed, at=now, snapshot=state)
        for key, value in metadata.items():
            add_metadata(batch, "job", self._run, JOB, key, value, origin="static", author=user, at=now)
        return batch

    def owned(self) -> AbstractContextManager[None]:
        """Hold the folder that the record of this run goes to."""
        return self._spool.owned()

    def execute(self) -> CommandResult:
        """Run the wrapper in the foreground, take its record into the store and say how it ended."""
        status = _run_wrapper(self._description(), self._spool.record)
        without = f"the wrapper ended with status {status} and left no record"
        taken = self._spool.take_in(self._store, self._run, without=without)
        self._store.project()
        failure = taken.failure
        if failure is not None and taken.refused:
            failure += "".join(f"; {sentence}" for sentence in _known_bytes(self._store, self._run))
        return CommandResult(
            self._run_id, failure, refused=taken.refused, interrupted=taken.interrupted, said=taken.said
        )

    def _description(self) -> Mapping[str, object]:
        return {
            "schema": "pirene.job/1",
            "run_id": str(self._run_id),
            "job": JOB,
            "id": "exec",
            "attempt": ATTEMPT,
            "transformation": {"namespace": None, "name": Path(self._request.command[0]).name, "version": None},
            "site": "local",
            "work_dir": None,
            "stage_in": [],
            "argv": list(self._request.command),
            "environment": {"set": {}, "clear": False, "record": []},
            "passthrough": True,
            "inputs": [self._described_executable(), *(file.described for file in self._inputs)],
            "outputs": [
                {"name": name, "path": name, "role": role, "optional": False}
                for names, role in ((self._request.outputs, "output"), (self._request.inouts, "inout"))
                for name in names
            ],
            "metadata_file": str(self._spool.folder / "metadata"),
            "reuse_key": self._key.hex(),
            "protection": {
                "level": self._request.protection,
                "folder": str(self._spool.folder / "protected"),
                "arguments": True,
            },
        }

    def _described_executable(self) -> Mapping[str, object]:
        return {
            "name": str(self._executable), "path": str(self._executable), "role": "executable",
            "sha256": self._executable_sha256.hex(), "size": None, "digest_origin": "observed", "optional": False,
            "url": file_url(self._executable), "source": None, "file": None,
        }  # fmt: skip


def _known_bytes(store: Store, run: int) -> list[str]:
    """What the store knows of bytes that were found in the place of inputs, one sentence each."""
    sql = "SELECT name, finding FROM checks WHERE run = ? AND finding IN ('stale', 'swapped') ORDER BY number"
    whose = {"stale": "an earlier version of it", "swapped": "another file"}
    rows = store.rows(sql, [run], tables=["checks"])
    return [f"{name} is {finding}: it has the bytes of {whose[finding]}" for name, finding in rows]


def _run_wrapper(description: Mapping[str, object], record: Path) -> int:
    """Run the wrapper on our terminal; its exit status. What the terminal sends (Ctrl-C) reaches it by itself, what
    somebody sends to us alone is passed on.
    """
    description_path = record.with_name("job.json")
    description_path.write_text(json.dumps(description), encoding="ascii")
    # Waited for instead of handled: a handler is not told who sent a signal. It has those that another thread took in
    # the moment before we wait. What was ignored when we started (nohup) stays ignored in both.
    watched = {number for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}
    to_pass_on: list[int] = []
    handlers = {number: signal.signal(number, lambda number, frame: to_pass_on.append(number)) for number in watched}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*watched, signal.SIGCHLD})
    try:
        wrapper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KICKSTART), "--job", str(description_path), "--record", str(record)],
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
        )
        while (status := wrapper.poll()) is None:
            came = signal.sigtimedwait({*watched, signal.SIGCHLD}, _LOOK_SECONDS)
            if came is not None and came.si_signo in watched and came.si_code != _BY_THE_KERNEL:
                to_pass_on.append(came.si_signo)
            while to_pass_on:
                wrapper.send_signal(to_pass_on.pop(0))
        while signal.sigtimedwait(watched, 0) is not None:
            pass  # it came too late for the wrapper, and is not for us
        return status
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
