"""The schedd of this machine, through HTCondor's bindings, which no other module imports, and this one only when asked.

The bindings raise one class of exception for everything, drop what they do not expect and expand what looks like a
macro; what leaves here is typed, and its errors say who did not do what.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from planner.errors import PlannerError

_T = TypeVar("_T")

PATIENCE_SECONDS = 60.0  # a schedd that restarts is back by then
POLL_SECONDS = 0.5
_OLDEST = (25, 0)  # of one series with the bindings: an older schedd refuses their FS authentication
_NO_CONFIGURATION = "/dev/null"  # what the bindings set CONDOR_CONFIG to when they find none
_UNSAYABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|\$\$|\$[A-Za-z_]*\(")


class QueueError(PlannerError):
    """HTCondor does not do what was asked of it."""


class QueueUnreachableError(QueueError):
    """No schedd answers at the moment: it is stopped, or restarts."""


def query(constraint: str, attributes: Sequence[str]) -> list[Mapping[str, Any]]:
    """Jobs in the queue, in the order of the queue. Raises QueueError, QueueUnreachableError."""
    with _told_apart("show its jobs"):
        return list(_schedd().query(constraint, list(attributes)))


def submit(description: Mapping[str, str]) -> int:
    """Submit one job; its cluster. Raises QueueError; QueueUnreachableError, and yet the job may be in the queue."""
    with _told_apart("take the job"):
        job = bindings().Submit(dict(description))
        return int(_schedd().submit(job).cluster())


def remove(constraint: str, reason: str) -> None:
    """Begin to remove jobs, of which there may be none. Raises QueueError: refused, or another user's jobs."""
    with _told_apart("remove jobs"):
        # With a code, which nobody reads: a reason without one is dropped by the bindings.
        done = _schedd().act(bindings().JobAction.Remove, constraint, (reason, 0))
    if done["TotalPermissionDenied"]:
        raise QueueError(
            "HTCondor does not let you remove these jobs: they are another user's",
            hint="Ask whoever started the run, or do this as that user.",
        )


def patiently(ask: Callable[[], _T], seconds: float = PATIENCE_SECONDS) -> _T:
    """What ``ask`` returns as soon as the schedd answers; its last error when it does not for ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except QueueUnreachableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def dagman_program() -> Path:
    """Where condor_dagman is: on PATH, else beside HTCondor's other programs. Raises QueueError."""
    folder = str(bindings().param.get("BIN") or "")
    found = shutil.which("condor_dagman") or shutil.which("condor_dagman", path=folder)
    if found is None:
        raise QueueError(
            f"condor_dagman is not on PATH, nor in HTCondor's own folder of programs ({folder or 'not configured'})",
            hint="Run this on a submit host, with HTCondor's programs on PATH.",
        )
    return Path(found).absolute()


def path_value(path: Path) -> str:
    """A path as a value of the submit language. Raises QueueError for one that cannot be said there.

    DAGMan hands paths on in that language without quoting: what looks like a macro would be expanded on the way.
    """
    bad = _UNSAYABLE.search(str(path))
    if bad is not None:
        raise QueueError(
            f"HTCondor cannot be given the path {str(path)!r}: it holds {bad[0]!r}",
            hint="Plan the run into another folder (--run-dir).",
        )
    return str(path)


def quoted(text: str) -> str:
    """A string of the ClassAd language; ``text`` has neither control characters nor backslashes."""
    return '"' + text.replace('"', '\\"') + '"'


def bindings() -> ModuleType:
    """The bindings, once they can be of use. Raises QueueError: not installed, no configuration."""
    named = os.environ.get("CONDOR_CONFIG")
    if named not in (None, "ONLY_ENV") and not os.path.exists(named):  # noqa: PTH110 - it need not be a file
        raise QueueError(
            f"CONDOR_CONFIG names {named}, which is not there",
            hint="Unset it, or name the configuration of this submit host.",
        )
    try:
        import htcondor2
    except ImportError as error:
        raise QueueError(
            f"HTCondor's Python bindings cannot be loaded: {error}", hint="`pip install htcondor` brings them (Linux)."
        ) from error
    if os.environ.get("CONDOR_CONFIG") == _NO_CONFIGURATION:
        raise QueueError(
            "HTCondor is not configured on this machine: there is neither CONDOR_CONFIG nor /etc/condor/condor_config",
            hint="Run this on a submit host of the pool, or use the local engine.",
        )
    module: ModuleType = htcondor2
    return module


def _schedd() -> Any:
    """Looked up anew each time: a restart changes its address."""
    htcondor2 = bindings()
    try:
        ad = htcondor2.Collector().locate(htcondor2.DaemonType.Schedd)
    except htcondor2.HTCondorException:
        ad = _advertised_here(htcondor2)
    _check_version(str(ad["CondorVersion"]))
    return htcondor2.Schedd(ad)


def _advertised_here(htcondor2: ModuleType) -> Any:
    """What the collector knows of this machine's schedd: its address file can be elsewhere, or not for this user."""
    param = htcondor2.param
    ads = htcondor2.Collector().locateAll(htcondor2.DaemonType.Schedd)
    names = {os.uname().nodename, param.get("FULL_HOSTNAME"), param.get("SCHEDD_NAME"), "localhost"}
    here = [ad for ad in ads if {str(ad["Name"]), str(ad.get("Machine"))} & names]
    if len(here) == 1:
        return here[0]
    raise QueueUnreachableError(
        f"there is no schedd to talk to: {param.get('SCHEDD_ADDRESS_FILE')} is not there or not readable, and the "
        f"collector {param.get('COLLECTOR_HOST')} knows {len(here) or 'none'} of this machine",
        hint="Is HTCondor running here? `condor_status -schedd` lists what the pool knows.",
    )


def _check_version(said: str) -> None:
    match = re.search(r"\$CondorVersion: ([0-9]+)\.([0-9]+)", said)
    if match is None or (int(match[1]), int(match[2])) < _OLDEST:
        raise QueueError(
            f"the schedd says it is {said!r}; needed is HTCondor {_OLDEST[0]}.{_OLDEST[1]} or later",
            hint="Update HTCondor on this submit host.",
        )


@contextmanager
def _told_apart(what: str) -> Iterator[None]:
    """Only the words of what the bindings raise tell whether nobody answered or somebody refused."""
    exception = bindings().HTCondorException
    try:
        yield
    except exception as error:
        words = " ".join(str(error).split())
        if "AUTHENTICATE" in words or "DENIED" in words:
            raise QueueError(f"the schedd does not {what}, for it does not know you: {words}", hint=_who()) from error
        if words.startswith(("Failed to connect", "Failed to fetch", "Unable to locate", "communication error")):
            raise QueueUnreachableError(
                f"this machine's schedd does not answer: {words}",
                hint="If it is restarting, try again in a minute; `condor_q` asks it too.",
            ) from error
        raise QueueError(f"the schedd does not {what}: {words}", hint=_who()) from error


def _who() -> str:
    if os.geteuid() == 0:
        return "You are root, and HTCondor runs no jobs of root's: use another user."
    return "`condor_ping -type schedd WRITE` shows how HTCondor sees you; its side is in SchedLog."
