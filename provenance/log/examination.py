"""The log and the commits side by side: is each commit what the log, those after it and its author say it is.

Four things speak of a commit, none of which follows from the others to whoever would change it: its own seal, its
author's signature, the roots that later commits state, and the tiles. Where they contradict each other the signature
decides which of them was altered. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from integrity.log.note import VerifierKey
from integrity.merkle import Tree, leaf_hash
from provenance.errors import NOT_THERE, ReadFailedError
from provenance.history.commits import FOLDER as COMMITS
from provenance.history.commits import commit_name, numbers_in
from provenance.history.entry import entry
from provenance.log.commit_document import Voucher, document_in, says_nothing_before, voucher
from provenance.log.discrepancy import REBUILD, Discrepancy, Gravity, require_read, unread
from provenance.log.file_comparison import absent, commits_beyond, compare_files
from provenance.log.logged_files import LoggedFiles, read_files
from provenance.log.pulled_commits import PulledCommits

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


@dataclass(frozen=True, slots=True)
class Examination:
    """``size`` commits, with the log's ``root`` over them as it should be (32 bytes); ``logged`` of them are in its
    files (None: there are none), ``signed`` ones have a signature of a key that is trusted. ``leaves`` are the hashes
    of their entries, up to the first of which none is known.
    """

    size: int
    root: bytes
    logged: int | None
    signed: int
    leaves: tuple[bytes, ...]
    discrepancies: tuple[Discrepancy, ...]

    @property
    def is_altered(self) -> bool:
        """Whether something is not what was recorded."""
        return any(one.gravity is Gravity.ALTERED for one in self.discrepancies)


def examine(storage: Storage, store_id: str, trusted: tuple[VerifierKey, ...]) -> Examination:
    """Compare them. Raises ReadFailedError, UnsupportedStoreError for a commit of a newer format."""
    examination = examine_readable(storage, store_id, trusted)
    require_read(examination.discrepancies)
    return examination


def examine_readable(storage: Storage, store_id: str, trusted: tuple[VerifierKey, ...]) -> Examination:
    """The same of what can be read; each file that cannot is a discrepancy. The root is then not to be signed, nor is
    anything to be concluded from leaves that are not known. Raises UnsupportedStoreError.
    """
    files = read_files(storage, store_id, trusted)  # first: a commit is there before the log says so
    return _Walk(storage, store_id, trusted, files, PulledCommits(storage, trusted)).whole()


@dataclass(slots=True)
class _Walk:
    """From the first commit to the last, with the tree over those before."""

    storage: Storage
    store_id: str
    trusted: tuple[VerifierKey, ...]
    files: LoggedFiles
    pulled: PulledCommits
    found: list[Discrepancy] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    tree: Tree = field(default_factory=Tree)
    unread: dict[int, ReadFailedError] = field(default_factory=dict)
    """Commits of which nothing is known."""
    signed: int = 0
    seen: int = 0
    """The largest log in files that a commit has seen."""
    rewritten: list[tuple[int, str]] = field(default_factory=list)
    """(commit, file) of pulled commits that are in another file than the one that the pull made."""
    erased: int = 0
    """The newest erasure."""
    lost: bool = False
    """Whether there is a commit of which no leaf is known: nothing after it can be compared with roots."""

    def whole(self) -> Examination:
        self.found += self.files.discrepancies
        numbers = self._numbers()
        if numbers is None:  # then the log, too, has nothing to be compared with
            return self._examined(0)
        newest = max(numbers, default=0)
        next_number = 1
        for number, data in zip(numbers, self.storage.together(self._read, numbers), strict=True):
            self._gap(next_number, number)
            self._commit(number, data)
            next_number = number + 1
        self.found += commits_beyond(self.files, newest)
        if self.rewritten:
            self._erased_since(newest)
        for number, path in self.rewritten:
            if number > self.erased:  # only an erasure writes pulled commits anew
                self._altered(commit_name(number), "pulled commits as they were pulled", f"{path}, another file")
        if not self.lost:
            blamed = {one.path for one in self.found}
            self.found += compare_files(self.storage, self.files, self.leaves, self.seen, blamed)
        return self._examined(newest)

    def _examined(self, newest: int) -> Examination:
        checkpoint = self.files.checkpoint
        return Examination(
            size=newest,
            root=self.tree.root(),
            logged=checkpoint.size if checkpoint else None,
            signed=self.signed,
            leaves=tuple(self.leaves),
            discrepancies=tuple(self.found),
        )

    def _numbers(self) -> list[int] | None:
        """Of the commits that are there, sorted; None: nobody knows which there are."""
        try:
            return numbers_in(self.storage)
        except NOT_THERE:
            return []
        except ReadFailedError as error:
            self.found.append(unread(COMMITS, "the commits", error))
            return None

    def _gap(self, first: int, end: int) -> None:
        """Commits that are not there, up to one that is: named once, however many they are, and not looked for."""
        if first == end:
            return
        self.found.append(absent(first, end - 1, "the commit that was recorded there"))
        for number in range(first, end):
            if number not in self.files.leaves:
                self.lost = True
                return
            self._append(number, self.files.leaves[number][0])

    def _read(self, number: int) -> bytes | None:
        try:
            return self.storage.read(commit_name(number))
        except NOT_THERE:
            return None
        except ReadFailedError as error:
            self.unread[number] = error
            return None

    def _commit(self, number: int, data: bytes | None) -> None:
        """One commit: for itself, against the root that it states, against its place in the tiles."""
        name = commit_name(number)
        document = document_in(data, self.store_id, number, self.storage.where(name))
        logged = self.files.leaves.get(number)
        if isinstance(document, str):
            if number in self.unread:
                self.found.append(unread(name, "a commit", self.unread[number]))
            else:
                self._altered(name, "the commit that was recorded there", document)
            self._append(number, logged[0] if logged else None)
            return
        vouched = voucher(document, self.trusted)
        self._signature(name, vouched)
        self.seen = max(self.seen, min(document.get("logged", 0), number - 1))
        leaf = leaf_hash(entry(document))
        if logged and logged[0] != leaf:
            leaf = self._contradiction(name, vouched, leaf, *logged)
        self._root_before(number, document, vouched)
        if "erased" in document:
            self.erased = number
        self._pulled(number, document)
        self._append(number, leaf)

    def _pulled(self, number: int, document: dict[str, Any]) -> None:
        try:
            found = list(self.pulled.examine(number, document))
        except ReadFailedError as error:
            self.found.append(unread(commit_name(number), "the commits that it pulled", error))
            return
        now = document_in(self._read(number), self.store_id, number, commit_name(number)) if found else document
        if now != document and not isinstance(now, str):
            self._pulled(number, now)  # an erasure has given the pulled commits another file meanwhile
            return
        self.found += found
        for pulled in document.get("pulled", ()):
            if pulled.get("pulled_sha256", pulled["sha256"]) != pulled["sha256"]:
                self.rewritten.append((number, pulled["path"]))

    def _erased_since(self, newest: int) -> None:
        """An erasure that was published, and took to rewriting, while the commits were read."""
        for number in self._numbers() or ():
            if number > newest:
                document = document_in(self._read(number), self.store_id, number, commit_name(number))
                if not isinstance(document, str) and "erased" in document:
                    self.erased = number

    def _contradiction(self, name: str, vouched: Voucher, leaf: bytes, logged: bytes, tile: str) -> bytes:
        """A commit and a tile that do not agree; gives the leaf to go on with."""
        if vouched is Voucher.TRUSTED:
            self._altered(tile, f"the hash of {name}, which its author signed", "another", REBUILD)
            return leaf
        self._altered(name, f"the commit that {tile} has the hash of", "another")
        return logged

    def _root_before(self, number: int, document: dict[str, Any], vouched: Voucher) -> None:
        stated, name = document["log_root"], commit_name(number)
        if vouched is Voucher.TRUSTED and says_nothing_before(document):
            advice = "ask its author whether commits before it were damaged then: what they were, it does not say"
            self._say(Gravity.UNVERIFIED, name, "the root over the commits before it", "none", advice)
        if self.lost or stated is None or stated == self.tree.root().hex():
            return
        expected, found = f"a history before it with the root {stated}", f"one with {self.tree.root().hex()}"
        if vouched is not Voucher.TRUSTED or number == 1:
            self._altered(name, expected, found)
            return
        # The author knew another history; commits that have roots of their own agree up to the one before.
        self._altered(commit_name(number - 1), f"what commit {number} was made after, signed", "something else")
        self.lost = True

    def _signature(self, name: str, vouched: Voucher) -> None:
        match vouched:
            case Voucher.TRUSTED:
                self.signed += 1
            case Voucher.FALSE:
                self._altered(name, "what its author signed", "something else")
            case Voucher.UNKNOWN:
                advice = "ask whose key it is, and `pirene log trust` it"
                self._say(Gravity.UNVERIFIED, name, "a signature of a key that you trust", "one of another", advice)
            case Voucher.NONE:
                advice = "ask who made it: somebody without a key, an older version, or who took the signature off"
                self._say(Gravity.UNVERIFIED, name, "a signature", "none", advice)

    def _append(self, number: int, leaf: bytes | None) -> None:
        if leaf is None or number != len(self.leaves) + 1:
            self.lost = True
            return
        self.leaves.append(leaf)
        self.tree.append(leaf)

    def _altered(self, path: str, expected: str, found: str, advice: str | None = None) -> None:
        self._say(Gravity.ALTERED, path, expected, found, advice)

    def _say(self, gravity: Gravity, path: str, expected: str, found: str, advice: str | None) -> None:
        said = Discrepancy(gravity, path, expected, found)
        self.found.append(said if advice is None else Discrepancy(gravity, path, expected, found, advice))
