"""Runs one attempt of one job: verifies inputs, runs the command, hashes outputs, writes one invocation record.

It exists because nobody else stands where the bytes are read: on the worker, right before and right after the command.
It needs nothing but the standard library of Python 3.6 (what the workers of EL8 have), and is started by its path:
``python3 -I -S integrity/kickstart.py`` where it is installed, ``python3 -I -S kickstart.pyz`` (one file with the same
modules, integrity/archive.py) where it is not; the local engine's launcher imports it and calls ``run_attempt`` in
forked children. So the modules in here import each other and no other module of ours.
``docs/formats/invocation.md`` describes the documents.

It refuses: to start a command one of whose inputs is not, byte for byte, what was expected; to call an attempt a
success if an input was touched while the command ran, an output is missing or a symbolic link; to write over a record.

Paths, arguments and environment are bytes in here, whatever the locale says; documents hold them as UTF-8 with
surrogate escapes. A process that calls ``run_attempt`` must have no other children: whatever it has is waited for.
"""

MODULES = (
    "errors",
    "notation",
    "json_text",
    "libc",
    "processes",
    "sha256",
    "signals",
    "values",
    "limits",
    "beneath",
    "description",
    "stop",
    "in_time",
    "paths",
    "content",
    "facts",
    "private_copies",
    "cores",
    "verification",
    "staging",
    "executable",
    "streams",
    "record_file",
    "start",
    "command",
    "execution",
    "metadata",
    "attempt",
    "run",
    "workers",
    "tasks",
    "command_line",
)
"""The modules in here, each after those that it needs."""
