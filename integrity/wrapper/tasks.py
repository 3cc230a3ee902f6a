"""A list of tasks in one job: each an attempt with a record of its own, one after the other or on several cores.

The interpreter starts once, and a wrapper is forked for each core. A task that fails keeps none of the others from
being run: a record says what became of each, and none means that the task was not run.
"""

import select

from integrity.wrapper.errors import EXIT_SUCCEEDED, EXIT_UNRECORDED, UnusableError
from integrity.wrapper.facts import facts
from integrity.wrapper.json_text import parse, unparse
from integrity.wrapper.processes import PR_SET_CHILD_SUBREAPER, libc_prctl
from integrity.wrapper.run import complain
from integrity.wrapper.stop import Stop
from integrity.wrapper.values import typed
from integrity.wrapper.workers import Workers, share_memory

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Task:
    """One task: the description of its attempt, and the path of its record."""

    def __init__(self, line: bytes) -> None:
        document = parse(line.decode("utf-8"))
        if not isinstance(document, dict):
            raise UnusableError("expected a JSON object, found %s" % type(document).__name__)
        unparse(document)  # a worker is told of it in JSON, which has no form for NaN and 1e999
        self.description: "Mapping[str, Any]" = typed(document, "job", dict)
        self.record: str = typed(document, "record", str)


def read_tasks(data: bytes) -> "list[Task]":
    """Tasks, one a line; empty lines count for nothing. Raises UnusableError, which names the line."""
    tasks = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            try:
                tasks.append(Task(line))
            except (ValueError, RecursionError, UnusableError) as error:
                raise UnusableError("line %d of the tasks: %s" % (number, error)) from error
    return tasks


class TaskList:
    """Tasks at work. Told to stop it starts no more of them, and passes the signal on to those that run."""

    def __init__(self, tasks: "list[Task]", cores: int) -> None:
        self._waiting = tasks[::-1]
        self._cores = cores
        self._status = EXIT_SUCCEEDED
        self._stop = Stop()
        self._workers = Workers(self._stop.close)
        self._passed_on = 0

    def run(self) -> int:
        """Run them; the highest exit status that one of them had, 4 where one has no record."""
        self._stop.install()
        libc_prctl()(PR_SET_CHILD_SUBREAPER, 1)
        facts()
        share_memory()
        poll = select.poll()
        poll.register(self._stop.wake, select.POLLIN)
        poll.register(self._workers.news, select.POLLIN)
        while self._start() or self._workers.busy:
            poll.poll()
            self._stop.drain()
            self._pass_on()
            for _, status in self._workers.ended():
                self._note(EXIT_UNRECORDED if status < 0 else status)
        self._workers.close()
        if self._waiting:
            self._note(complain("told to stop: %d tasks were not run" % len(self._waiting), EXIT_UNRECORDED))
        return self._status

    def _start(self) -> bool:
        """Start what there is room for; whether any task is at work."""
        while self._waiting and self._workers.busy < self._cores and self._stop.signal is None:
            task = self._waiting.pop()
            try:
                self._workers.start(task.description, task.record, task)
            except OSError as error:
                self._note(complain("cannot fork a wrapper for %r: %s" % (task.record, error), EXIT_UNRECORDED))
        return self._workers.busy > 0

    def _pass_on(self) -> None:
        while self._stop.signal is not None and self._passed_on < self._stop.count:
            self._passed_on += 1
            self._workers.stop(self._stop.signal, lambda task: True)

    def _note(self, status: int) -> None:
        self._status = max(self._status, status)
