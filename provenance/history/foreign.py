"""What a store has from others: which of their commits, which place those have among its own, since when they show.

A pull keeps the commits of another store as they are, one on each line of a file below ``foreign/``; one local commit
lists them. Rows that came with them carry the commit numbers of the store that they come from. Two things have to be
known of such a number: with which local commit its rows became visible here, which is what *as of* goes by, and where
its commit stands in the order of all commits, which decides what was said last. That order is the same in every store:
by time, then by store, then by number. It never says the contrary of what a store knew: a commit is later than
all that its store held when it was made, pulled commits included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from provenance.checked_json import DIGEST, INT64_MAX, UUID, JsonObject
from provenance.errors import DamagedStoreError
from provenance.history.column_statistics import MAX_NUMBER

FOLDER = "foreign"
ORDER_STEP = 1 << 32
"""Between two commits of the store itself there is room for so many pulled ones."""


@dataclass(frozen=True, slots=True)
class PulledCommit:
    """One commit of another store. ``time`` is that of its document, whose text sorts as time does; ``follows`` is the
    last local commit before it in the order of all commits (0: none).
    """

    time: str
    follows: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """Commits of one other store that one local commit brings: those numbered from ``first`` on.

    Their documents are the lines of the file ``path``, which has ``size`` bytes with ``sha256`` (lower-case hex).
    ``twice`` are runs of which they bring invocation records that another store, or this one, has taken in as well.
    ``root`` (hex) is the Merkle root over their entries (`provenance.history.entry`), ``pulled_sha256`` the digest that
    the file had when they came, which an erasure changes; None: they came before there were such. ``unvouched`` counts
    commits which the store that they came from had after them, merges of rows that came from there, and which nobody
    vouched for whom the user trusted; of commits that came together the first have it.
    """

    store: str
    first: int
    path: str
    size: int
    sha256: str
    commits: tuple[PulledCommit, ...]
    twice: tuple[int, ...] = ()
    root: str | None = None
    pulled_sha256: str | None = None
    unvouched: int = 0

    @property
    def last(self) -> int:
        """The number of the last of these commits."""
        return self.first + len(self.commits) - 1


def path_of(store: str, first: int, sha256: str) -> str:
    """The name of the file with commits of ``store`` from ``first`` on: its content decides, so races are harmless."""
    return f"{FOLDER}/{store}/{first:012d}-{sha256}.jsonl"


def pulled_document(pulled: Pulled) -> dict[str, Any]:
    """What the document of a commit says of them."""
    document: dict[str, Any] = {
        "store": pulled.store,
        "first": pulled.first,
        "path": pulled.path,
        "size": pulled.size,
        "sha256": pulled.sha256,
        "commits": [{"time": commit.time, "follows": commit.follows} for commit in pulled.commits],
    }
    if pulled.twice:
        document["twice"] = list(pulled.twice)
    if pulled.root is not None and pulled.pulled_sha256 is not None:
        document |= {"root": pulled.root, "pulled_sha256": pulled.pulled_sha256}
    if pulled.unvouched:
        document["unvouched"] = pulled.unvouched
    return document


def pulled_from(document: JsonObject) -> Pulled:
    """The reverse of `pulled_document`. Raises MalformedError for what is none.

    Names of files are made of store, number and digest, and such a document also comes from other people's stores.
    """
    store, first = document.matching("store", UUID, "the id of a store"), document.integer("first", 1, MAX_NUMBER)
    sha256 = document.matching("sha256", DIGEST, "64 hexadecimal digits")
    if document.text("path") != path_of(store, first, sha256):
        raise document.fail("path", f"{FOLDER}/STORE/NUMBER-DIGEST.jsonl with its store, first number and sha256")
    commits = tuple(map(_pulled_commit, document.objects("commits")))
    if not commits or first + len(commits) - 1 > MAX_NUMBER:
        raise document.fail("commits", f"at least one, and numbers up to {MAX_NUMBER}")
    runs = document.list_of("twice", int, "integers") if "twice" in document else ()
    if not all(-INT64_MAX - 1 <= run <= INT64_MAX for run in runs):
        raise document.fail("twice", "a list of integers of 64 bits")
    root, pulled_sha256 = (_digest_or_none(document, key) for key in ("root", "pulled_sha256"))
    if (root is None) is not (pulled_sha256 is None):
        raise document.fail("root" if root is None else "pulled_sha256", "both root and pulled_sha256, or neither")
    size = document.integer("size", 0)
    unvouched = document.integer("unvouched", 1, MAX_NUMBER) if "unvouched" in document else 0
    return Pulled(
        store, first, document.text("path"), size, sha256, commits, tuple(runs), root, pulled_sha256, unvouched
    )


def _digest_or_none(document: JsonObject, key: str) -> str | None:
    return document.matching(key, DIGEST, "64 hexadecimal digits") if key in document else None


def _pulled_commit(document: JsonObject) -> PulledCommit:
    document.exact_time("time")
    return PulledCommit(document.text("time"), document.integer("follows", 0, MAX_NUMBER))


@dataclass(frozen=True)
class Foreign:
    """All that was pulled, as of one local commit: a value, which later pulls extend to another.

    ``pulls`` are pairs (number of the local commit, what it brought), in order.
    """

    pulls: tuple[tuple[int, Pulled], ...] = ()

    @classmethod
    def made_of(cls, pulls: Iterable[tuple[int, Pulled]]) -> Foreign:
        """All of these. Raises DamagedStoreError if one does not follow those before it."""
        listed = tuple(pulls)
        known: dict[str, int] = {}
        for number, pulled in listed:
            _require_next(number, pulled, known.get(pulled.store, 0))
            known[pulled.store] = pulled.last
        return cls(listed)

    def after(self, number: int, pulled: Sequence[Pulled]) -> Foreign:
        """With what local commit ``number`` brings. Raises DamagedStoreError if it does not follow what is here."""
        for each in pulled:
            _require_next(number, each, self.known(each.store))
        return Foreign((*self.pulls, *((number, each) for each in pulled)))

    def stores(self) -> tuple[str, ...]:
        """The other stores, sorted by id."""
        return tuple(sorted(self._by_store))

    def of(self, store: str) -> Sequence[tuple[int, Pulled]]:
        """What was pulled of one store, in order: (number of the local commit, what it brought)."""
        return self._by_store.get(store, ())

    def known(self, store: str, as_of: int | None = None) -> int:
        """The newest commit of ``store`` that is here (0: none), or that was here as of a local commit."""
        pulls = self.of(store)
        count = len(pulls) if as_of is None else bisect_right(pulls, as_of, key=lambda pull: pull[0])
        return pulls[count - 1][1].last if count else 0

    def visible(self, store: str, first: int, last: int) -> list[int]:
        """For the commits ``first`` to ``last`` of a store: the local commit with which their rows became visible.

        Raises DamagedStoreError if they were not all pulled.
        """
        if not 1 <= first <= last <= self.known(store):
            raise DamagedStoreError(
                f"there are rows of commits {first} to {last} of store {store}, "
                f"of which commits up to {self.known(store)} were pulled",
                hint="restore the store from a backup",
            )
        numbers = (number for number, pulled in self.of(store) for _ in pulled.commits)
        return list(numbers)[first - 1 : last]

    def order(self, store: str, first: int, last: int) -> list[int]:
        """For the commits ``first`` to ``last`` of a store: their places in the order of all commits.

        That of local commit n is n times ORDER_STEP. They are ones that were pulled.
        """
        return self._order[store][first - 1 : last]

    @cached_property
    def twice(self) -> tuple[int, ...]:
        """Runs of which invocation records were taken in by several of the stores, sorted."""
        return tuple(sorted({run for _, pulled in self.pulls for run in pulled.twice}))

    @cached_property
    def _by_store(self) -> dict[str, list[tuple[int, Pulled]]]:
        found: dict[str, list[tuple[int, Pulled]]] = {}
        for number, pulled in self.pulls:
            found.setdefault(pulled.store, []).append((number, pulled))
        return found

    @cached_property
    def _order(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {store: [] for store in self.stores()}
        place, behind = 0, -1
        listed = (
            (commit.time, store, number, commit.follows)
            for store, pulls in self._by_store.items()
            for number, commit in enumerate((commit for _, pulled in pulls for commit in pulled.commits), start=1)
        )
        for _, store, _, follows in sorted(listed):
            place = place + 1 if follows == behind else 1
            behind = follows
            found[store].append(follows * ORDER_STEP + place)
        return found


def _require_next(number: int, pulled: Pulled, known: int) -> None:
    if pulled.first != known + 1:
        raise DamagedStoreError(
            f"commit {number} pulls commits of store {pulled.store} from {pulled.first} on; expected {known + 1}"
        )


NOTHING = Foreign()
"""Of a store that never pulled."""
