"""An HTTP proxy in front of a server, which does to requests what networks do."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

SLOW_SECONDS = 0.1


class Fault(Enum):
    """What befalls a request."""

    NONE = "it passes"
    REPLY_LOST = "the server does it, but the connection breaks before the answer"
    REPLY_CUT = "half of the answer's body arrives"
    SLOW = "the answer takes a while"
    OVERLOADED = "the server answers 503 and does nothing"
    BROKEN = "the server answers 500 and does nothing"
    FORBIDDEN = "the server answers 403 and does nothing"
    STALLED = "no answer ever comes, and the connection stays open"


_STATUS = {Fault.OVERLOADED: 503, Fault.BROKEN: 500, Fault.FORBIDDEN: 403}


@dataclass
class FaultyProxy:
    """``fault`` decides, by method and path, what befalls each request; ``seen`` are those that came,
    ``most_under_way`` how many of them at a time.
    """

    endpoint: str
    fault: Callable[[str, str], Fault] = lambda method, path: Fault.NONE
    seen: list[tuple[str, str]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0


@contextlib.contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy in front of the server at the URL ``upstream``."""

    class Handler(_Handler):
        target = urlsplit(upstream).netloc
        ended = threading.Event()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy = Handler.proxy = FaultyProxy(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            Handler.ended.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    proxy: ClassVar[FaultyProxy]
    target: ClassVar[str]
    ended: ClassVar[threading.Event]
    counting: ClassVar[threading.Lock] = threading.Lock()
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        self.proxy.seen.append((self.command, self.path))
        fault = self.proxy.fault(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.close_connection = True
        with self.counting:
            self.proxy.under_way += 1
            self.proxy.most_under_way = max(self.proxy.most_under_way, self.proxy.under_way)
        time.sleep(SLOW_SECONDS if fault is Fault.SLOW else 0)
        with self.counting:
            self.proxy.under_way -= 1
        if fault is Fault.STALLED:
            self.ended.wait()
            return
        if fault in _STATUS:
            self.send_response(_STATUS[fault])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with contextlib.closing(http.client.HTTPConnection(self.target)) as connection:
            # The host is part of what was signed: it goes on as it came.
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        if fault is Fault.REPLY_LOST:
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault is Fault.REPLY_CUT else content)

    do_GET = do_PUT = do_DELETE = do_POST = do_HEAD = _pass_on  # noqa: N815 - names of http.server

    def log_message(self, format: str, *arguments: object) -> None:
        """What a test wants to know is in ``seen``."""
