"""The keys of a user, in a folder of theirs: one to sign with, made on first use, and those that they trust.

``signing-key`` is one line (`integrity.log.note.SigningKey`), which only the user may read. ``trusted-keys`` is a list
that people may write: a public key on each line; ``#`` begins a comment at the beginning of a line and after white
space, since names may have it elsewhere. It counts only if nobody else may write it. The own key is trusted without
being there; a key that was replaced is put there, so that what it signed stays signed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from integrity.errors import KeyFileError, OwnKeyError
from integrity.log.note import SigningKey, VerifierKey

_SIGNING, _TRUSTED = "signing-key", "trusted-keys"
_OF_OTHERS = 0o077
_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
_COMMENT = re.compile(r"(?:^|\s)#.*")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._@-]+")


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """The folder with a user's keys; it need not exist."""

    path: Path

    @property
    def signing_path(self) -> Path:
        """Where the private key is."""
        return self.path / _SIGNING

    @property
    def trusted_path(self) -> Path:
        """Where the list of trusted public keys is."""
        return self.path / _TRUSTED

    def signing_key(self, user: str) -> SigningKey:
        """The key of this user, which is made if there is none yet; of many who make one at once all get the same.

        Raises KeyFileError: it cannot be made; OwnKeyError: it cannot be read, others may read it, or it is none.
        """
        found = self._existing()
        if found is None:
            self._create(SigningKey.generate(key_name(user)), replace=False)
            found = self._existing()
        if found is None:
            raise KeyFileError(f"{self.signing_path}: the key vanished while it was made")
        return found

    def rotate(self, user: str) -> SigningKey:
        """A new key in the place of the old one, whose public half is trusted from here on; of many who do so at once
        each replaces the key of the one before. Raises KeyFileError.
        """
        if self._existing() is None:
            return self.signing_key(user)
        with self._locked_list() as descriptor:
            old = self._existing()
            if old is not None:
                self._add(descriptor, old.verifier(), "own key until it was replaced")
            new = SigningKey.generate(key_name(user))
            self._create(new, replace=True)
        return new

    def trusted(self, *, with_own: bool = True) -> tuple[VerifierKey, ...]:
        """The keys that the user trusts, their own first, or without it. Raises OwnKeyError; KeyFileError for a list
        that is none, or that others may write.
        """
        own = self._existing() if with_own else None
        try:
            with self.trusted_path.open("rb") as file:
                self._require_own(file.fileno())
                listed = _keys_in(file.read(), self.trusted_path)
        except FileNotFoundError:
            listed = []
        except OSError as error:
            raise _failed(self.trusted_path, error) from error
        return tuple(dict.fromkeys([*([own.verifier()] if own else []), *listed]))

    def trust(self, key: VerifierKey, why: str) -> bool:
        """Put a key on the list; False: it is there. Raises KeyFileError, also for what no list can have."""
        with self._locked_list() as descriptor:
            return self._add(descriptor, key, why)

    def _add(self, descriptor: int, key: VerifierKey, why: str) -> bool:
        """Put a key on the list, which is open and locked."""
        line = f"{key.text}  # {' '.join(why.split())}"
        try:
            encoded = line.encode() + b"\n"
        except UnicodeEncodeError:
            raise KeyFileError(f"{line!r}: the list of trusted keys is Unicode (UTF-8), this is not") from None
        if _keys_in(encoded, self.trusted_path) != [key]:
            raise KeyFileError(f"{key.name!r}: the list of trusted keys takes it for a comment")
        try:
            with os.fdopen(os.dup(descriptor), "r+b") as file:
                data = file.read()
                if key in _keys_in(data, self.trusted_path):
                    return False
                file.write(encoded if not data or data.endswith(b"\n") else b"\n" + encoded)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise _failed(self.trusted_path, error) from error
        return True

    @contextlib.contextmanager
    def _locked_list(self) -> Iterator[int]:
        """The list of trusted keys, made if there is none, open to be read and added to, while nobody else does."""
        try:
            self._make_folder()
            descriptor = _opened_locked(self.trusted_path)
        except OSError as error:
            raise _failed(self.trusted_path, error) from error
        try:
            self._require_own(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _require_own(self, descriptor: int) -> None:
        """Raise KeyFileError if others may say whom the user trusts: write the list that is open, or replace it."""
        for path, status in ((self.path, self.path.stat()), (self.trusted_path, os.fstat(descriptor))):
            mode = stat.S_IMODE(status.st_mode)
            if mode & _WRITTEN_BY_OTHERS:
                raise KeyFileError(
                    f"{path}: others may write the list of trusted keys (mode {mode:04o})",
                    hint=f"chmod go-w {path}, once you have looked at which keys are in {self.trusted_path}",
                )
            if status.st_uid not in (0, os.geteuid()):
                raise KeyFileError(
                    f"{path}: the list of trusted keys is another user's (uid {status.st_uid})",
                    hint="have it given to you, or name another folder for keys with XDG_CONFIG_HOME",
                )

    def _existing(self) -> SigningKey | None:
        path = self.signing_path
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(4096).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            failed = _failed(path, error)
            raise OwnKeyError(str(failed), hint=failed.hint) from error
        if mode & _OF_OTHERS:
            raise OwnKeyError(
                f"{path}: others may read this private key (mode {mode & 0o777:04o})",
                hint=f"chmod 600 {path}; if it was so for long, `pirene log key --rotate` makes a new one",
            )
        try:
            return SigningKey.parse(text.removesuffix("\n"))
        except ValueError as error:
            hint = "restore it from a backup, or remove it: the next commit makes a new one"
            raise OwnKeyError(f"{path}: no private key: {error}", hint=hint) from None

    def _create(self, key: SigningKey, *, replace: bool) -> None:
        """Write the key aside, readable by nobody else from its first moment on, and give it its name."""
        temporary = self.path / f"{_SIGNING}.{os.urandom(8).hex()}.tmp"
        try:
            self._make_folder()
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, key.text.encode() + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if replace:
                temporary.replace(self.signing_path)
            else:
                _link(temporary, self.signing_path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _failed(self.signing_path, error) from error

    def _make_folder(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give a file a name unless that is taken, which is as good: somebody else's key is there."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def _opened_locked(path: Path) -> int:
    """A file, made if there is none, open to be read and added to, as soon as nobody else has it so; where there are
    no locks, at once.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        with contextlib.ExitStack() as opened:
            opened.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            if _is_at(descriptor, path):  # else an editor has put another in its place meanwhile
                opened.pop_all()
                return descriptor


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def key_name(user: str) -> str:
    """The name of a key of this user on this machine: ``pirene/USER@HOST``, of characters that any name may have."""
    return "pirene/" + _NOT_IN_NAMES.sub("_", f"{user}@{socket.gethostname()}")


def read_keys(path: Path) -> list[VerifierKey]:
    """The public keys in a list; none if there is no such file. Raises KeyFileError that names the line."""
    try:
        return _keys_in(path.read_bytes(), path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _failed(path, error) from error


def _keys_in(data: bytes, path: Path) -> list[VerifierKey]:
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise KeyFileError(f"{path}: no list of public keys: it is not UTF-8") from None
    found: list[VerifierKey] = []
    for number, line in enumerate(lines, start=1):
        word = _COMMENT.sub("", line).strip()
        if word:
            try:
                found.append(VerifierKey.parse(word))
            except ValueError as error:
                raise KeyFileError(
                    f"{path}, line {number}: no public key: {error}", hint="expected NAME+ID+KEY; see `pirene log key`"
                ) from None
    return found


def _failed(path: Path, error: OSError) -> KeyFileError:
    return KeyFileError(f"{path}: {error.strerror or error}", hint="XDG_CONFIG_HOME names another folder for keys")
