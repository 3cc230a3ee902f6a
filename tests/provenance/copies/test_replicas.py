"""Copies that are asked for by place or by file: what the view of all copies says of them, found without it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.copies.replicas import GIVEN_UP, LIVE_STATES, SEEN_BAD, Replica, by_file, last_holders
from provenance.history.commits import CommitKind
from provenance.reading.views import fetch
from provenance.segments.batch import Batch
from provenance.store import Store

AT = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
STATES = LIVE_STATES | GIVEN_UP | SEEN_BAD
URLS = ("file:///a", "file:///b", "s3://c")
events = st.tuples(
    st.integers(1, 3), st.integers(0, 2), st.sampled_from(URLS), st.booleans(),
    st.sampled_from(["registered", "verified", "missing", "quarantined", "reinstated", "retired", "replaced"]),
)  # fmt: skip


def added(store: Store, happened: list[Any]) -> None:
    """Rows of files, and events one after the other, the later half in a commit of its own."""
    for half in (happened[::2], happened[1::2]):
        batch = Batch()
        for source, file, url, read, event in half:
            inode = 7 if read else None
            batch.add("replicas", source=source, file=file, url=url, site="x", event=event, at=AT, inode=inode)
        store.commit(CommitKind.REGISTER, batch)
    batch = Batch()
    for source, file in {(each[0], each[1]) for each in happened}:
        batch.add("files", source=source, file=file, name=f"{source}-{file}", origin="raw", kind="file")
    store.commit(CommitKind.REGISTER, batch)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(events, max_size=12))
def test_as_the_view_of_all_copies_has_them(tmp_path_factory: Any, happened: list[Any]) -> None:
    store = Store.open(tmp_path_factory.mktemp("copies"))
    added(store, happened)
    everything = [
        Replica(source, file, f"{source}-{file}", url, *rest)
        for source, file, url, *rest in fetch(
            store,
            """SELECT source, file, url, site, sha256, size_bytes, seen_bytes, modified_ns, changed_ns, inode, device,
                      state, origin, job, attempt, digest_origin, verified, since, checksums, here FROM replica_rows""",
        )
    ]
    ids = [(source, file) for source in (1, 3) for file in (0, 2)]
    found = by_file(store, ids, states=STATES)
    assert {copy for copies in found.values() for copy in copies} == {copy for copy in everything if copy.id in ids}
    holders = last_holders(store, URLS[::2])
    assert holders.keys() == {copy.url for copy in everything if copy.url in URLS[::2]}
    for holder in holders.values():
        assert holder in everything
        live = [copy for copy in everything if copy.url == holder.url and copy.state in LIVE_STATES]
        assert holder in live or not live
