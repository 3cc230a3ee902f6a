"""What goes to a worker: where each input is now, and what its bytes must be."""

import os
import stat

from integrity.wrapper.notation import to_bytes
from integrity.wrapper.sha256 import digest_of
from planner.engines.pool.node_step.documents import read_document
from planner.engines.pool.node_step.refused import NEVER, RefusedError

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from planner.engines.pool.node_step.documents import Document
    from planner.engines.pool.node_step.pool import Pool

ATTEMPT_BITS = 10  # of the ordinal of a produced file (provenance/identity.py; a test holds them together)
OUTPUT_BITS = 20


def find_input(pool: "Pool", plan: "Document", use: "Document") -> "tuple[bytes, Document] | None":
    """(where it is now, its entry in the description); None for an optional one that nobody made."""
    if use["producer"] is not None:
        handed = read_document(pool.handed(use["producer"]))
        if handed is not None:
            return find_produced(pool, plan, use, handed)
    if use["from"] is not None:
        return to_bytes(pool.instead_of(use) or use["from"]), use["entry"]
    return not_there(use)


def find_produced(
    pool: "Pool", plan: "Document", use: "Document", handed: "Document"
) -> "tuple[bytes, Document] | None":
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
    parts = [bytes.fromhex(key["before"]), len(read).to_bytes(8, "big")]
    for name in sorted(read):
        for part in (name.encode("utf-8", "surrogatepass"), read[name]):
            parts += [len(part).to_bytes(8, "big"), part]
    return digest_of(b"".join([*parts, bytes.fromhex(key["after"])]))
