"""S3 as it is: answers get lost, servers pass over conditions, names are mistyped. Nothing is lost, and one line says why."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from provenance.errors import (
    NotAStoreError,
    NotWrittenError,
    ReadFailedError,
    StoreError,
    UnsupportedStoreError,
    UserFolderError,
    WriteFailedError,
)
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.ingest.quarantine import quarantine
from provenance.segments.batch import Batch
from provenance.storage import s3, s3_client
from provenance.store import Store
from tests.servers.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.servers.s3 import BUCKET, S3Server


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith(("AWS_", "PIRENE_"))]:
        monkeypatch.delenv(name)
    for name, value in seaweedfs.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def url() -> str:
    return f"s3://{BUCKET}/{os.urandom(6).hex()}"


@pytest.fixture
def proxy(seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """What stands between the store and the server from here on."""
    with faulty_proxy(seaweedfs.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's retries wait for seconds; how long does not matter here."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.01)


def facts(run: int) -> Batch:
    batch = Batch()
    batch.add("job_edges", run=run, parent=1, child=2)
    return batch


def runs(url: str) -> list[tuple[int]]:
    return Store.open(url).rows("SELECT run FROM job_edges ORDER BY run", tables=["job_edges"])


def test_a_commit_whose_answer_was_lost_counts_once(url: str, proxy: FaultyProxy, impatient: None) -> None:
    store = Store.open(url)
    lost: list[str] = []

    def lose_the_first(method: str, path: str) -> Fault:
        if method == "PUT" and "/commits/" in path and not lost:
            lost.append(path)
            return Fault.REPLY_LOST
        return Fault.NONE

    proxy.fault = lose_the_first
    made = store.commit(CommitKind.PLAN, facts(1))
    assert made is not None
    assert made.number == 1
    assert len(lost) == 1
    assert [commit.nonce for commit in Store.open(url).all_commits()] == [made.nonce]
    assert runs(url) == [(1,)]


def test_a_commit_of_which_no_answer_ever_came_is_found_by_its_nonce(
    url: str, proxy: FaultyProxy, impatient: None
) -> None:
    store = Store.open(url)
    proxy.fault = lambda method, path: Fault.REPLY_LOST if method == "PUT" and "/commits/" in path else Fault.NONE
    made = store.commit(CommitKind.PLAN, facts(1))
    assert made is not None
    assert runs(url) == [(1,)]


def test_an_answer_that_was_lost_is_not_taken_for_ones_own_if_a_rival_won(
    url: str, proxy: FaultyProxy, impatient: None
) -> None:
    store, rival = Store.open(url), Store.open(url)
    came: list[str] = []

    def rival_first(method: str, path: str) -> Fault:
        if method == "PUT" and path.endswith("commits/000000000001.json") and not came:
            came.append(path)
            rival.commit(CommitKind.PLAN, facts(2))
            return Fault.REPLY_LOST
        return Fault.NONE

    proxy.fault = rival_first
    made = store.commit(CommitKind.PLAN, facts(1))
    assert made is not None
    assert made.number == 2
    assert runs(url) == [(1,), (2,)]


def test_a_server_that_does_not_do_it_is_an_error_and_nothing_is_acknowledged(
    url: str, proxy: FaultyProxy, impatient: None
) -> None:
    store = Store.open(url)
    proxy.fault = lambda method, path: Fault.OVERLOADED if method == "PUT" and "/commits/" in path else Fault.NONE
    with pytest.raises(WriteFailedError, match=r"could not write commits/000000000001\.json") as caught:
        store.commit(CommitKind.PLAN, facts(1))
    assert not isinstance(caught.value, NotWrittenError)  # it may still come about: its segments stay
    assert runs(url) == []
    proxy.fault = lambda method, path: Fault.NONE
    store.commit(CommitKind.PLAN, facts(1))
    assert runs(url) == [(1,)]


def test_an_answer_that_broke_off_is_asked_for_again(url: str, proxy: FaultyProxy, tmp_path: Path) -> None:
    Store.open(url).commit(CommitKind.PLAN, facts(1))
    broken: set[str] = set()

    def once_each(method: str, path: str) -> Fault:
        there = "?" not in path and "000000000002" not in path
        if method == "GET" and there and path not in broken:
            broken.add(path)
            return Fault.REPLY_CUT
        return Fault.NONE

    proxy.fault = once_each
    assert runs(url) == [(1,)]
    assert len(broken) == 3  # store.json, the commit, the segment


def test_an_answer_that_always_breaks_off_leaves_nothing_behind(url: str, proxy: FaultyProxy, tmp_path: Path) -> None:
    Store.open(url).commit(CommitKind.PLAN, facts(1))
    proxy.fault = lambda method, path: Fault.REPLY_CUT if ".parquet" in path else Fault.NONE
    with pytest.raises(ReadFailedError, match=f"{url}: "):
        runs(url)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_commit_takes_few_requests(url: str, proxy: FaultyProxy) -> None:
    store = Store.open(url)
    store.commit(CommitKind.PLAN, facts(1))
    proxy.seen.clear()
    store.commit(CommitKind.PLAN, facts(2))
    commits = [("GET", "2"), ("PUT", "2")]  # is it taken? then take it
    asked = [(method, path.rsplit("/", 1)[1].removesuffix(".json").lstrip("0")) for method, path in proxy.seen]
    assert [one for one in asked if ".parquet" not in one[1]] == commits
    assert len(asked) == len(commits) + 1


def test_a_store_of_several_commits_opens_with_several_requests_at_a_time(url: str, proxy: FaultyProxy) -> None:
    store = Store.open(url)
    for number in range(10):
        store.commit(CommitKind.PLAN, facts(number))
    proxy.fault = lambda method, path: Fault.SLOW
    proxy.most_under_way = 0
    assert [commit.number for commit in Store.open(url).all_commits()] == list(range(1, 11))
    assert 4 <= proxy.most_under_way <= 8


def test_a_server_without_conditions_is_found_out_before_anything_is_lost(
    url: str, rclone_s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in rclone_s3.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UnsupportedStoreError, match="knows no conditional writes"):
        Store.open(url)
    assert "Contents" not in rclone_s3.client().list_objects_v2(Bucket=BUCKET, Prefix=url.rsplit("/", 1)[1])

    # A store that somebody copied there can be read, and stays as it is.
    local = Store.open(tmp_path / "local")
    local.commit(CommitKind.PLAN, facts(7))
    for path in (path for path in local.root.rglob("*") if path.is_file()):
        key = f"{url.rsplit('/', 1)[1]}/{path.relative_to(local.root).as_posix()}"
        rclone_s3.client().put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    assert runs(url) == [(7,)]

    def keys() -> set[str]:
        listed = rclone_s3.client().list_objects_v2(Bucket=BUCKET, Prefix=url.rsplit("/", 1)[1])
        return {each["Key"] for each in listed["Contents"]}

    before = keys()
    more = Store.open(tmp_path / "more")
    more.commit(CommitKind.PLAN, facts(9))
    writers: list[Callable[[Store], object]] = [
        lambda store: store.commit(CommitKind.PLAN, facts(8)),
        lambda store: pull(store, more),
        lambda store: quarantine(store, b"", "record", "empty"),
        lambda store: store.storage.write("segments/more", b""),
    ]
    for write in writers:
        with pytest.raises(UnsupportedStoreError, match="nothing is written here"):
            write(Store.open(url))
    assert keys() == before
    assert runs(url) == [(7,)]
    assert Store.open(url).snapshot().number == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "the server does not accept the credentials (InvalidAccessKeyId)"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the server does not accept the credentials (SignatureDoesNotMatch)"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "no answer from http://127.0.0.1:1: Connection refused"),
        ({"AWS_ENDPOINT_URL": "http://u:geheim@127.0.0.1:1"}, "no answer from http://127.0.0.1:1: Connection refused"),
        ({"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, "no answer from https://127.0.0.1:1: Connection refused"),
        (
            {"AWS_ENDPOINT_URL": "http://u:geheim@127.0.0.1:1:1"},
            "could not read store.json: Custom endpoint `http://127.0.0.1:1:1`",
        ),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense"),
        ({"AWS_PROFILE": "mine", "AWS_CONFIG_FILE": "/dev/null"}, "there are no credentials"),
    ],
)
def test_one_line_says_why_a_store_cannot_be_reached(
    url: str, changes: dict[str, str], said: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ReadFailedError) as caught:
        Store.open(url)
    assert str(caught.value).startswith(f"{url}: {said}")
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_an_https_server_whose_certificate_nobody_vouches_for_is_told(
    url: str, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{server.server_address[1]}")
        try:
            with pytest.raises(
                ReadFailedError, match=r"no answer from https://127.*: certificate verify failed"
            ) as found:
                Store.open(url)
        finally:
            server.shutdown()
            thread.join()
    assert "AWS_CA_BUNDLE" in (found.value.hint or "")


def test_without_a_home_there_is_no_place_for_what_is_not_shared(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    Store.open(url)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(UserFolderError, match=f"{url}: there is no folder for what is not shared"):
        Store.open(url)


def test_without_credentials_that_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ReadFailedError, match="there are no credentials"):
        Store.open(url)


def test_a_bucket_that_is_not_there_is_named() -> None:
    with pytest.raises(
        ReadFailedError, match=r"s3://no-such-bucket/x: there is no bucket no-such-bucket at http://127"
    ):
        Store.open("s3://no-such-bucket/x")


def test_what_answers_http_but_is_no_s3_is_told(url: str, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(ReadFailedError, match="does not answer as S3 does"):
            Store.open(url)
        server.shutdown()
        thread.join()


def test_who_may_not_write_makes_no_store_and_no_commit(
    url: str, seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_user(name: str) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)

    as_user("reader")
    with pytest.raises(NotAStoreError, match=r"none can be made: .*not allowed to write"):
        Store.open(url)
    as_user("writer")
    Store.open(url).commit(CommitKind.PLAN, facts(1))
    as_user("reader")
    with pytest.raises(WriteFailedError, match="it is not allowed to write"):
        Store.open(url).commit(CommitKind.PLAN, facts(2))
    assert runs(url) == [(1,)]


def test_a_copy_that_was_damaged_is_told_and_fetched_anew(url: str, tmp_path: Path) -> None:
    Store.open(url).commit(CommitKind.PLAN, facts(1))
    assert runs(url) == [(1,)]
    (copy,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    copy.write_bytes(copy.read_bytes()[:-8] + b"notParq1")
    with pytest.raises(UserFolderError, match="it is removed now"):
        runs(url)
    assert runs(url) == [(1,)]


def test_pirene_says_what_to_install_where_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (s3, s3_client):
        monkeypatch.delitem(sys.modules, module.__name__)
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(UnsupportedStoreError, match="needs the package botocore") as caught:
        Store.open("s3://bucket/prefix")
    assert caught.value.hint == "pip install 'pirene[s3]'"


@pytest.mark.parametrize(
    "place",
    ["s3://", "s3://a", "s3:///x", "s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/a?b", "s3://bucket/a#b",
     "s3://bucket/a\nb", "s3://_x/y", "gs://bucket/x", "https://host/bucket"],
)  # fmt: skip
def test_what_names_no_place_in_a_bucket_is_refused(place: str) -> None:
    with pytest.raises(UnsupportedStoreError) as caught:
        Store.open(place)
    assert "s3://BUCKET/PREFIX" in str(caught.value)


def test_credentials_in_a_url_are_refused_and_not_shown() -> None:
    with pytest.raises(StoreError) as caught:
        Store.open("s3://ada:geheim@bucket/x")
    assert "geheim" not in str(caught.value)
    assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")
