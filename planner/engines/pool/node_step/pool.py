"""The pool's part of a run folder, as steps see it: in bytes (planner/engines/pool/pool_folder.py has its layout)."""

import errno
import fcntl
import os

from integrity.wrapper.json_text import parse
from integrity.wrapper.notation import to_bytes, to_text
from integrity.wrapper.sha256 import digest_of
from planner.engines.pool.node_step.documents import read_document, write_document
from planner.engines.pool.node_step.refused import NEVER, NO, RefusedError

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from planner.engines.pool.node_step.documents import Document

JOBS_PER_FOLDER = 1000
INDEX_BYTES = 85  # each line of the index of nodes.jsonl: offset and sha256


class Pool:
    """Paths below RUN/pool, which is ``root``, and what is said there."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.run_dir = os.path.dirname(root)

    def sharded(self, folder: bytes, job: int, name: bytes = b"") -> bytes:
        """``folder``/K/``name``, K being the thousand that the job belongs to."""
        return os.path.join(folder, b"%d" % (job // JOBS_PER_FOLDER), name)

    def node(self, job: int) -> bytes:
        """The folder of a node at work."""
        return self.sharded(os.path.join(self.root, b"nodes"), job, b"%d" % job)

    def records(self, job: int) -> bytes:
        """The folder of a job's records."""
        return self.sharded(os.path.join(self.run_dir, b"records"), job)

    def record(self, job: int, attempt: int) -> bytes:
        """The record of an attempt."""
        return os.path.join(self.records(job), b"%d-%d.json" % (job, attempt))

    def handed(self, job: int) -> bytes:
        """What a good attempt has handed over."""
        return self.sharded(os.path.join(self.root, b"handed"), job, b"%d.json" % job)

    def given_up(self, job: int) -> bytes:
        """There if the engine wants no more attempts of a job in this round."""
        return self.sharded(os.path.join(self.root, b"given_up"), job, b"%d" % job)

    def refusals(self, job: int) -> bytes:
        """The folder of what is said of attempts that do not count."""
        return self.sharded(os.path.join(self.root, b"refused"), job)

    def place(self, text: str) -> bytes:
        """A place of the plan: absolute, or below the run folder."""
        return os.path.join(self.run_dir, to_bytes(text))

    def plan_of(self, job: int) -> "Document":
        """The static part of a job's description (planner/engines/pool/dag.py writes it). Raises RefusedError if it is
        not as it was written.
        """
        with open(os.path.join(self.root, b"nodes.jsonl"), "rb") as file:
            file.seek((job - 1) * INDEX_BYTES)
            offset, _, expected = file.read(INDEX_BYTES).strip().partition(b" ")
            end = os.fstat(file.fileno()).st_size
            file.seek(min(int(offset), end) if offset.isdigit() else end)
            line = file.readline().rstrip(b"\n")
        found = digest_of(line)
        if found.encode("ascii") != expected:
            words = (job, to_text(expected), found)
            message = "nodes.jsonl was altered since the run was planned: expected for job %d the sha256 %s, found %s"
            raise RefusedError(message % words, NEVER)
        return dict(parse(line.decode("ascii")))

    def laid_out(self, job: int) -> int:
        """The number of the attempt in a node's folder; 0 if there is none."""
        description = read_document(os.path.join(self.node(job), b"in", b"job.json"))
        return 0 if description is None else int(description["attempt"])

    def instead_of(self, use: "Document") -> "str | None":
        """Another copy that an input is to be read from; None: the one that the plan names."""
        paths = read_document(os.path.join(self.root, b"instead.json")) or {}
        return paths.get(instead_key(use["producer"], use["entry"]["name"]))

    def refuse(self, job: int, attempt: int, error: RefusedError, started: bool) -> None:
        """Write down why an attempt does not count, and announce it. ``started``: a worker may have run it."""
        document = {"job": job, "attempt": attempt, "started": started, "retry": error.code == NO, "reason": str(error)}
        path = os.path.join(self.refusals(job), b"%d-%d.json" % (job, attempt))
        write_document(path, dict(document, altered=error.altered))
        self.announce(job, attempt)

    def announce(self, job: int, attempt: int) -> None:
        """Tell the engine, if one is watching, that there is news of an attempt: it looks into this folder only."""
        folder = os.path.join(self.root, b"news")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, b"%d-%d" % (job, attempt)), "wb"):
            pass

    def lock(self, job: int) -> int:
        """Wait for a step of the same node that is still at work: a DAGMan that was killed leaves its steps behind, and
        its successor repeats them. The lock is one byte of the DAG, which nobody else opens; closing the descriptor
        ends it.
        """
        descriptor = os.open(os.path.join(self.root, b"run.dag"), os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, job)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):  # a file system without locks
                os.close(descriptor)
                raise
        return descriptor


def instead_key(producer: "int | None", name: str) -> str:
    """What an input is called in `instead.json`: the number of the job that makes it (0: none) and its name."""
    return "%d/%s" % (producer or 0, name)
