#!/usr/bin/env python3
"""What happens beside every job on the submit host: the PRE and the POST step of its node in the DAG.

    node_step.py pre JOB             lay out what goes to the worker: inputs, executable, job description
    node_step.py post JOB RETURN     take in what came back: check it, bring it to its place, let readers know

Steps exist because a job's description names the digests of its inputs, and these are known only when its parents have
ended. The digest of an intermediate file comes from the checked record of the attempt that made it, never from the
file itself. A node that succeeds releases its children, so the POST step says yes only when every output has arrived
with the digest that the worker recorded and is in its place.

Copied into the run folder beside the wrapper and run by whatever python3 (3.6 or newer) DAGMan finds: only the standard
library, and the wrapper's own ways of hashing. Steps of different nodes share no file that one of them writes, so any
number may run at once; each may be killed and repeated at any point. Exit codes: 0 yes, 1 no, 2 no and trying again
would not help.
"""

import errno
import fcntl
import hashlib
import json
import os
import stat
import sys
import time

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Any, Dict

    Document = Dict[str, Any]

YES = 0
NO = 1
NEVER = 2

JOBS_PER_FOLDER = 1000
INDEX_BYTES = 85  # each line of the index of nodes.jsonl: offset and sha256
RECORD_SCHEMA = "pirene.invocation/1"
STATUSES = ("succeeded", "failed", "integrity_failed")
ATTEMPT_BITS = 10  # of the ordinal of a produced file (provenance/identity.py; a test holds them together)
OUTPUT_BITS = 20
LAST_BYTES = 1024  # of a job's stderr are looked at for its last words
WRAPPER_ALTERED = 65  # what the shell on the worker ends with, as sysexits.h has it for data that is no good
DESCRIPTION_ALTERED = 66
FOLDERS_MISSING = 73
ALTERED = {WRAPPER_ALTERED: "kickstart.pyz", DESCRIPTION_ALTERED: "job.json"}
# What the shell that starts the wrapper, the wrapper itself and DAGMan say by the return value if there is no record.
WITHOUT_RECORD = {
    2: "the wrapper could not use its description (see its stderr)",
    4: "the wrapper could not write its record (is the worker's disk full?)",
    FOLDERS_MISSING: "the worker could not make the folders to run in (see its stderr; is its disk full?)",
    126: "python3 of the worker cannot be run",
    127: "the worker has no python3 along its PATH",
    -1001: "HTCondor did not take the job (see run.dag.dagman.out)",  # these are DAGMan's own
    -1002: "HTCondor removed the job",
    -1003: "DAGMan could not read its log of events (see run.dag.dagman.out)",
}


class RefusedError(Exception):
    """The attempt does not count; ``code`` is NO or NEVER. ``altered``: the file of ours that did not reach the worker
    as it was sent; it did not start, and the engine has it sent again.
    """

    def __init__(self, message: str, code: int = NO, altered: "str | None" = None) -> None:
        super().__init__(message)
        self.code = code
        self.altered = altered


# -------------------------------------------------------------------------------------------------------- the folder


def to_bytes(text: str) -> bytes:
    """The bytes that a string of a document stands for: UTF-8 with surrogate escapes, in every locale."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """How a document holds these bytes."""
    return data.decode("utf-8", "surrogateescape")


class Pool:
    """The pool's part of a run folder, in bytes (planner/engines/pool/pool_folder.py has its layout)."""

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

    def refusal(self, job: int, attempt: int) -> bytes:
        """What is said of one attempt that does not count."""
        return os.path.join(self.refusals(job), b"%d-%d.json" % (job, attempt))

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
        found = hashlib.sha256(line).hexdigest()
        if found.encode("ascii") != expected:
            words = (job, to_text(expected), found)
            message = "nodes.jsonl was altered since the run was planned: expected for job %d the sha256 %s, found %s"
            raise RefusedError(message % words, NEVER)
        return dict(json.loads(line.decode("ascii")))

    def instead_of(self, use: "Document") -> "str | None":
        """Another copy that an input is to be read from; None: the one that the plan names."""
        paths = read_document(os.path.join(self.root, b"instead.json")) or {}
        return paths.get(instead_key(use["producer"], use["entry"]["name"]))

    def announce(self, job: int, attempt: int) -> None:
        """Tell the engine, if one is watching, that there is news of an attempt: it looks into this folder only."""
        folder = os.path.join(self.root, b"news")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, b"%d-%d" % (job, attempt)), "wb"):
            pass


def instead_key(producer: "int | None", name: str) -> str:
    """What an input is called in `instead.json`: the number of the job that makes it (0: none) and its name."""
    return "%d/%s" % (producer or 0, name)


def read_document(path: bytes) -> "Document | None":
    """A JSON object; None where there is none, or one that a crash has cut off."""
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read().decode("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def write_document(path: bytes, document: "Mapping[str, Any]") -> None:
    """Write a JSON object; it is there whole or not at all."""
    write_whole(path, in_json(document))


def in_json(document: "Mapping[str, Any]") -> bytes:
    """A JSON object as documents hold it."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def write_whole(path: bytes, data: bytes) -> None:
    """Write a file; it is there whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = b"%s.%d.tmp" % (path, os.getpid())
    with open(temporary, "wb") as file:
        file.write(data)
    os.rename(temporary, path)


def time_of_day() -> str:
    """Now, by the clock of this side, as documents hold it."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%06dZ" % (now % 1 * 1000000)


def remove(path: bytes) -> None:
    """Remove a file or a folder, where there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        for folder, folders, files in os.walk(path, topdown=False):
            for name in files + [each for each in folders if os.path.islink(os.path.join(folder, each))]:
                os.unlink(os.path.join(folder, name))
            os.rmdir(folder)
    elif os.path.lexists(path):
        os.unlink(path)


def clear(folder: bytes, kept: bytes) -> None:
    """Remove all that is in a folder, except for one name."""
    for name in os.listdir(folder):
        if name != kept:
            remove(os.path.join(folder, name))


def lock(pool: Pool, job: int) -> int:
    """Wait for a step of the same node that is still at work: a DAGMan that was killed leaves its steps behind, and its
    successor repeats them. The lock is one byte of the DAG, which nobody else opens; closing the descriptor ends it.
    """
    descriptor = os.open(os.path.join(pool.root, b"run.dag"), os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, job)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):  # a file system without locks
            os.close(descriptor)
            raise
    return descriptor


# ------------------------------------------------------------------------------------------------------ the PRE step


def pre(pool: Pool, job: int) -> int:
    """Lay out the next attempt of a job in its node's folder."""
    if os.path.lexists(pool.given_up(job)):
        return NEVER  # it failed in an earlier round of the same run, and nothing has changed since
    attempt = next_attempt(pool, job)
    try:
        plan = pool.plan_of(job)
        remove(pool.handed(job))  # what an earlier attempt handed over is not what readers get from now on
        lay_out_attempt(pool, plan, job, attempt)
    except RefusedError as error:
        refuse(pool, job, attempt, error, started=False)
        return error.code
    except OSError as error:
        refuse(pool, job, attempt, RefusedError("it cannot be laid out: %s" % error, NEVER), started=False)
        return NEVER
    return YES


def lay_out_attempt(pool: Pool, plan: "Document", job: int, attempt: int) -> None:
    """Fill the folder of a node anew, its description last. Raises RefusedError, OSError."""
    given = os.path.join(pool.node(job), b"in")
    os.makedirs(given, exist_ok=True)
    clear(pool.node(job), b"in")
    clear(given, b"job.json")  # it keeps the number of an attempt of which nothing else may be known
    os.mkdir(os.path.join(given, b"work"))
    inputs = []
    for use in plan["inputs"]:
        found = find_input(pool, plan, use)
        if found is not None:
            source, entry = found
            inputs.append(entry)
            lay_out(source, os.path.join(given, b"work", to_bytes(entry["path"])))
    if plan["executable"] is not None:
        lay_out(to_bytes(plan["executable"]["from"]), os.path.join(given, b"work", to_bytes(plan["executable"]["to"])))
    description = plan["description"]
    description.update(attempt=attempt, inputs=description["inputs"] + inputs, reuse_key=reuse_key(plan["key"], inputs))
    data = in_json(description)
    # As `sha256sum -c` reads it: it goes to the worker beside the description, which is the last of all to be there.
    write_whole(
        os.path.join(given, b"job.json.sha256"), b"%s  job.json\n" % hashlib.sha256(data).hexdigest().encode("ascii")
    )
    write_whole(os.path.join(given, b"job.json"), data)


def next_attempt(pool: Pool, job: int) -> int:
    """A number that no attempt of the job has had: those that left a record, were refused, or were only laid out."""
    start = b"%d-" % job
    used = [laid_out(pool, job)]
    for folder in (pool.records(job), pool.refusals(job)):
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            continue
        used += [int(name[len(start) : -5]) for name in names if name.startswith(start) and name.endswith(b".json")]
    return max(used) + 1


def laid_out(pool: Pool, job: int) -> int:
    """The number of the attempt in a node's folder; 0 if there is none."""
    description = read_document(os.path.join(pool.node(job), b"in", b"job.json"))
    return 0 if description is None else int(description["attempt"])


def find_input(pool: Pool, plan: "Document", use: "Document") -> "tuple[bytes, Document] | None":
    """(where it is now, its entry in the description); None for an optional one that nobody made."""
    if use["producer"] is not None:
        handed = read_document(pool.handed(use["producer"]))
        if handed is not None:
            return find_produced(pool, plan, use, handed)
    if use["from"] is not None:
        return to_bytes(pool.instead_of(use) or use["from"]), use["entry"]
    return not_there(use)


def find_produced(pool: Pool, plan: "Document", use: "Document", handed: "Document") -> "tuple[bytes, Document] | None":
    """The same for an output of a job that has run; what it made in the past does not count any more."""
    for output in handed["outputs"]:
        if output["name"] == use["entry"]["name"]:
            entry = dict(use["entry"])
            ordinal = handed["job"] << (ATTEMPT_BITS + OUTPUT_BITS) | handed["attempt"] << OUTPUT_BITS
            entry.update(sha256=output["sha256"], size=output["stat"]["size"], digest_origin="produced")
            entry.update(source=plan["run"], file=ordinal | output["position"])
            return pool.place(output["place"]), entry
    return not_there(use)


def not_there(use: "Document") -> "tuple[bytes, Document] | None":
    """An optional input that nobody made is left out. Raises RefusedError for any other."""
    if use["entry"]["optional"]:
        return None
    message = "its input %s was not made: it is optional for the job that makes it" % use["entry"]["name"]
    raise RefusedError(message, NEVER)


def lay_out(source: bytes, destination: bytes) -> None:
    """Make ``destination`` lead to a file; a folder becomes one of links, since HTCondor follows links to files only.

    What is not there, or cannot be read, is left out: the wrapper finds it missing, and says so in its record.
    """
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            os.makedirs(destination)
            for name in os.listdir(source):
                lay_out(os.path.join(source, name), os.path.join(destination, name))
        elif stat.S_ISREG(mode) and os.access(source, os.R_OK):
            os.makedirs(os.path.dirname(destination), exist_ok=True)
            os.symlink(os.path.realpath(source), destination)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return


def reuse_key(key: "Document | None", inputs: "list[Document]") -> "str | None":
    """The key of planner/reuse_key.py, whose parts around the inputs the plan has; None if an input has no digest."""
    if key is None or any(entry["sha256"] is None for entry in inputs):
        return None
    read = {entry["name"]: bytes.fromhex(entry["sha256"]) for entry in inputs if entry["role"] != "checkpoint"}
    digest = hashlib.sha256(bytes.fromhex(key["before"]))
    digest.update(len(read).to_bytes(8, "big"))
    for name in sorted(read):
        for part in (name.encode("utf-8", "surrogatepass"), read[name]):
            digest.update(len(part).to_bytes(8, "big") + part)
    digest.update(bytes.fromhex(key["after"]))
    return digest.hexdigest()


# ----------------------------------------------------------------------------------------------------- the POST step


def post(pool: Pool, job: int, returned: int) -> int:
    """Take in what came back of the attempt in the node's folder."""
    attempt = laid_out(pool, job)
    handed = read_document(pool.handed(job))
    if handed is not None and attempt in (0, handed["attempt"]):
        pool.announce(job, handed["attempt"])  # the step had done its work when it, or DAGMan, was killed
        remove(pool.node(job))
        return YES
    try:
        plan = pool.plan_of(job)
        record = arrived_record(pool, plan, job, attempt, returned)
        spool(pool, job, attempt)
        if record["status"] != "succeeded":
            pool.announce(job, attempt)
            return NEVER if record["status"] == "integrity_failed" else NO
        outputs = take_outputs(pool, plan, job, record)
    except RefusedError as error:
        refuse(pool, job, attempt, error, started=True)
        return error.code
    except OSError as error:
        refuse(pool, job, attempt, RefusedError("what came back cannot be taken in: %s" % error), started=True)
        return NO
    handed = {"job": job, "attempt": attempt, "outputs": outputs, "at": time_of_day(), "host": os.uname().nodename}
    write_document(pool.handed(job), handed)
    pool.announce(job, attempt)
    remove(pool.node(job))
    return YES


def refuse(pool: Pool, job: int, attempt: int, error: RefusedError, started: bool) -> None:
    """Write down why an attempt does not count, and tell whoever reads DAGMan's log."""
    document = {"job": job, "attempt": attempt, "started": started, "retry": error.code == NO, "reason": str(error)}
    write_document(pool.refusal(job, attempt), dict(document, altered=error.altered))
    pool.announce(job, attempt)


def arrived_record(pool: Pool, plan: "Document", job: int, attempt: int, returned: int) -> "Document":
    """The record that came back, of this attempt, as its wrapper wrote it. Raises RefusedError."""
    path = os.path.join(pool.node(job), b"out", b"record.json")
    try:
        with open(path, "rb") as file:
            data = file.read()
        with open(path + b".sha256", "rb") as file:
            expected = file.read().strip().decode("ascii", "replace")
    except FileNotFoundError:
        if returned in ALTERED:
            raise not_as_sent(pool, job, ALTERED[returned]) from None
        raise RefusedError("no record came back: %s" % how_it_ended(pool, job, returned)) from None
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise RefusedError("its record was altered on its way back: expected sha256 %s, found %s" % (expected, found))
    try:
        record = json.loads(data.decode("ascii"))
        problem = problem_of(record, plan, job, attempt)
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("its record cannot be believed: %s: %s" % (type(error).__name__, error), NEVER) from error
    if problem is not None:
        raise RefusedError("its record cannot be believed: %s" % problem, NEVER)
    return record  # type: ignore[no-any-return]


def problem_of(record: "Document", plan: "Document", job: int, attempt: int) -> "str | None":
    """Why a record is not that of this attempt; None if it is. Ingest checks every value of it."""
    expected = {"schema": RECORD_SCHEMA, "run_id": plan["description"]["run_id"], "job": job, "attempt": attempt}
    for key, value in expected.items():
        if record[key] != value:
            return "%s: expected %r, found %r" % (key, value, record[key])
    if record["status"] not in STATUSES:
        return "status: found %r" % record["status"]
    names = [output["name"] for output in record["outputs"]]
    declared = [output["name"] for output in plan["description"]["outputs"]]
    if record["status"] == "succeeded" and names != declared:
        return "outputs: expected %r, found %r" % (declared, names)
    return None


def not_as_sent(pool: Pool, job: int, name: str) -> RefusedError:
    """Why the shell on the worker started nothing: it could not find a file of ours to be as it was sent."""
    how = "%s did not reach the worker as it was sent: its sha256 is another, or there is no sha256sum" % name
    return RefusedError(how + last_said(pool, job), NEVER, name)


def how_it_ended(pool: Pool, job: int, returned: int) -> str:
    """What DAGMan's return value of a job without a record means, and what the job said last."""
    if returned in WITHOUT_RECORD:
        how = WITHOUT_RECORD[returned]
    elif returned < 0:
        how = "the wrapper was ended by signal %d" % -returned
    else:
        how = "the job ended with exit code %d" % returned
    return how + last_said(pool, job)


def last_said(pool: Pool, job: int) -> str:
    """What to add to how a job ended."""
    said = last_words(os.path.join(pool.node(job), b"stderr"))
    return "; its stderr ends: %s" % said if said else ""


def last_words(path: bytes) -> str:
    """The last line of a file that is not blank, as far as it is no longer than a sentence."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return ""
    said = [line for line in lines if line.strip()]
    return said[-1].decode("utf-8", "backslashreplace")[-LAST_BYTES // 4 :] if said else ""


def spool(pool: Pool, job: int, attempt: int) -> None:
    """Give the record its lasting name. One that is there under that name is this one: numbers are used once."""
    arrived = os.path.join(pool.node(job), b"out", b"record.json")
    os.makedirs(pool.records(job), exist_ok=True)
    descriptor = os.open(arrived, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(arrived, pool.record(job, attempt))
    except FileExistsError:
        return


def take_outputs(pool: Pool, plan: "Document", job: int, record: "Document") -> "list[Document]":
    """Check every output that arrived and bring it to its place. Raises RefusedError."""
    taken = []
    for position, (output, where) in enumerate(zip(record["outputs"], plan["places"])):  # noqa: B905
        if output["sha256"] is None:
            continue  # an optional one that was not made
        arrived = os.path.join(pool.node(job), b"out", b"%d" % position)
        try:
            status = take_output(arrived, pool.place(where["place"]), output["sha256"])
        except OSError as error:
            message = "its output %s cannot be brought to %s: %s" % (output["name"], where["place"], error.strerror)
            raise RefusedError(message) from error
        taken.append(
            {"position": position, "name": output["name"], "sha256": output["sha256"], **where, "stat": status}
        )
    return taken


def take_output(arrived: bytes, place: bytes, sha256: str) -> "Document":
    """Check one output and bring it to its place; its stat there. A step that was killed may have done so already."""
    if not os.path.lexists(arrived) and os.path.lexists(place):
        return checked(place, sha256)
    checked(arrived, sha256)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(arrived) or (os.path.isdir(place) and not os.path.islink(place)):
        if not os.path.isdir(arrived):
            raise RefusedError("a folder is in the way at %s" % to_text(place), NEVER)
        remove(place)
    try:
        os.rename(arrived, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_over(arrived, place, sha256)
    return stat_of(wrapper("content").survey, place)


def copy_over(arrived: bytes, place: bytes, sha256: str) -> None:
    """Bring a file or folder to another file system: whole and checked, or not at all."""
    import shutil  # takes 4 ms of the few that a step has, and is hardly ever needed

    temporary = b"%s.%d.pirene" % (place, os.getpid())
    try:
        if os.path.isdir(arrived):
            shutil.copytree(os.fsdecode(arrived), os.fsdecode(temporary))
        else:
            shutil.copy2(arrived, temporary)
        checked(temporary, sha256)
        os.rename(temporary, place)
    finally:
        remove(temporary)


def checked(path: bytes, sha256: str) -> "Document":
    """Hash a file or folder; its stat. Raises RefusedError if it is not what the worker recorded."""
    unreadable = wrapper("errors").UnreadableError
    try:
        found, content = wrapper("content").read_content(path, False, False, None, lambda: None)
    except FileNotFoundError:
        raise RefusedError("%s did not arrive" % to_text(path)) from None
    except unreadable as error:
        raise RefusedError("%s cannot be read: %s" % (to_text(path), error)) from None
    if content.sha256 != sha256:
        text = "%s is not as the worker recorded it: expected sha256 %s, found %s"
        raise RefusedError(text % (to_text(path), sha256, content.sha256))
    return stat_of(lambda _: found, path)


def stat_of(survey: "Callable[[int], Any]", path: bytes) -> "Document":
    """The stat of a file or folder as documents hold it (integrity/digest.py: Stat)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = survey(descriptor)
    finally:
        os.close(descriptor)
    return {key: getattr(found, key) for key in ("size", "mtime_ns", "ctime_ns", "inode", "device")}


def wrapper(name: str) -> "ModuleType":
    """A module of the wrapper: imported only by steps that need one."""
    return __import__("integrity.wrapper." + name, fromlist=[name])


# --------------------------------------------------------------------------------------------------- the command line


def main(arguments: "list[str]", pool: Pool) -> int:
    """`pre JOB` or `post JOB RETURN`."""
    if [arguments[:1], len(arguments)] not in ([["pre"], 2], [["post"], 3]):
        sys.stderr.write("usage: node_step.py pre JOB | post JOB RETURN\n")
        return NEVER
    job = int(arguments[1])
    descriptor = lock(pool, job)
    try:
        return pre(pool, job) if arguments[0] == "pre" else post(pool, job, int(arguments[2]))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    HERE = os.path.dirname(os.path.abspath(os.fsencode(__file__)))
    sys.path.append(os.fsdecode(os.path.join(HERE, b"kickstart.pyz")))  # as it is on workers
    sys.exit(main(sys.argv[1:], Pool(HERE)))
