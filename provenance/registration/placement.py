"""Files that are known and appear at further places: outputs of jobs that were reused, in the folder of the new run.

A copy of its own is a replica of that file. A link is none: what is there is the replica that it leads to. Either takes
the place of what was there before, whose copy is `replaced`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.digest import Stat
from provenance.copies.replicas import LIVE_STATES, add_event, found_good, last_holders
from provenance.identity import FileId

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.segments.batch import Batch
    from provenance.store import Store


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that has appeared at ``url``, as a link or as a copy of its own.

    ``stat`` is that of the copy when its bytes were read back (None: they were not).
    """

    file: FileId
    url: str
    site: str
    link: bool
    stat: Stat | None = None


def add_placed(
    store: Store, batch: Batch, places: Sequence[Placed], *, at: dt.datetime, snapshot: Snapshot | None = None
) -> None:
    """Add what that means for copies to ``batch``; nothing for what the store knows to be so already."""
    holders = last_holders(store, [place.url for place in places], snapshot=snapshot)
    for place in places:
        holder = holders.get(place.url)
        before = None if holder is None or not holder.here or holder.state not in LIVE_STATES else holder
        if before is not None and (place.link or before.id != place.file):
            source, file = before.id
            reason = "an output that was reused appeared there"
            add_event(
                batch, "replaced", source=source, file=file, url=place.url, site=before.site, at=at, reason=reason
            )
            before = None
        if not place.link and (before is None or place.stat is not None):
            source, file = place.file
            # Bytes that were found bad are gone: those that were put in their place have been read back.
            event = "registered" if before is None else found_good(before.state)
            add_event(batch, event, source=source, file=file, url=place.url, site=place.site, at=at, stat=place.stat)
