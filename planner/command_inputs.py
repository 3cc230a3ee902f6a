"""What `pirene exec` is asked for, and the files that its command reads: those that the store knows are what it knows,
others are hashed before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from integrity.digest import hash_path
from planner.errors import PlannerError
from planner.passes.copies import Copies, as_planned
from provenance.copies.replicas import Replica, by_path, file_url
from provenance.identity import FileId
from provenance.registration.registration import Registration
from provenance.store import Store
from provenance.users import owner_of


class CommandUsageError(PlannerError):
    """What was asked for cannot be started: a missing input, an unknown command, one file given twice."""


@dataclass(frozen=True, slots=True)
class SingleCommand:
    """What the user asked for: paths as written, ``metadata`` as KEY=VALUE texts, the command's argument vector.
    ``protection`` is a word of planner/job_choices.py.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    inouts: tuple[str, ...]
    metadata: tuple[str, ...]
    reuse: bool
    command: tuple[str, ...]
    protection: str = "guard"


@dataclass(frozen=True, slots=True)
class CommandInput:
    """A file that the command reads: ``known`` is what the store knows of it, or this run registers it as a first
    sight, with the digest that it has now; then it has its ``id`` once that is done.
    """

    name: str
    role: str
    known: Replica | Registration
    sha256: bytes
    id: FileId | None = None

    @property
    def digest_origin(self) -> str:
        """Where the expected digest comes from."""
        return "recorded" if isinstance(self.known, Replica) else "observed"

    @property
    def described(self) -> Mapping[str, object]:
        """What the wrapper is told of it."""
        assert self.id is not None
        source, number = self.id
        return {
            "name": self.name,
            "path": self.name,
            "role": self.role,
            "sha256": self.sha256.hex(),
            "size": self.known.size_bytes,
            "digest_origin": self.digest_origin,
            "optional": False,
            "url": self.known.url,
            "source": source,
            "file": number,
        }


def command_inputs(store: Store, request: SingleCommand) -> list[CommandInput]:
    """The files to read: known ones with their recorded digest, new ones with the digest that they have now."""
    named = [(name, "input") for name in request.inputs] + [(name, "inout") for name in request.inouts]
    missing = [name for name, _ in named if not Path(name).exists()]
    if missing:
        raise CommandUsageError(
            f"no such input: {', '.join(missing)}",
            hint="--in and --inout name files that are there before the command runs.",
        )
    known = by_path(store, [_absolute(name) for name, _ in named])
    files = []
    for name, role in named:
        replica = known.get(_absolute(name))
        if replica is not None and replica.sha256 is not None:
            files.append(CommandInput(name, role, replica, replica.sha256))
        else:
            files.append(_first_sight(name, role))
    return files


def _first_sight(name: str, role: str) -> CommandInput:
    path = _absolute(name)
    hashed = hash_path(path)
    entry = Registration(
        name=name,
        url=file_url(path),
        sha256=hashed.sha256,
        size_bytes=hashed.stat.size,
        stat=hashed.stat,
        kind=hashed.kind,
        owner=owner_of(path),
        checksum_seconds=hashed.seconds,
    )
    return CommandInput(name, role, entry, hashed.sha256)


def as_recorded(file: CommandInput) -> bool:
    """Whether an input has the bytes that the reuse key speaks of; if not, the wrapper is to refuse it."""
    if isinstance(file.known, Registration):
        return True
    return Copies().check(as_planned(file.known, str(_absolute(file.name)), file.name)).finding is None


def _absolute(name: str) -> Path:
    """The place that a name means, symbolic links kept: the name is what the user knows the file by."""
    return Path(os.path.abspath(name))  # noqa: PTH100 - Path.resolve follows links


def executable_path(name: str) -> Path:
    """Where the command is; it must be there."""
    found = shutil.which(name)
    if found is None:
        raise CommandUsageError(f"no such command: {name}", hint="Give a path, or a name that is on PATH.")
    return _absolute(found)


def check_names(request: SingleCommand) -> None:
    """Raise CommandUsageError for a name that is empty or given twice."""
    names = [*request.inputs, *request.outputs, *request.inouts]
    if "" in names:
        raise CommandUsageError("expected the path of a file, found an empty one", hint="Is a shell variable not set?")
    paths = [_absolute(name) for name in names]
    for name, path in zip(names, paths, strict=True):
        if paths.count(path) > 1:
            raise CommandUsageError(
                f"{name} is given twice", hint="A file that the command changes in place is an --inout."
            )
