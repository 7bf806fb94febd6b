"""A web server for a registry: as much of HTTP and of S3's path style as a registry uses."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ObjectServer(ThreadingHTTPServer):
    """Objects by path, with ETags and conditional requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ObjectRequest)
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.away = False
        """True: every connection is closed without an answer."""
        self.endless = False
        """True: every answer is much too large."""
        self.breaks_after: int | None = None
        """Bytes of a bundle after which the connection is closed."""
        self.ranges = True
        """False: a part of an object cannot be asked for."""
        self.sent_bytes = 0
        """Bytes of bundles that were sent."""
        self.writing = threading.Lock()
        self.gate = threading.Event()
        """Bundles are sent only while it is set."""
        self.gate.set()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, ending: str) -> int:
        """How often a path with this ending was fetched in full."""
        return sum(line.startswith("200 GET") and line.endswith(ending) for line in self.asked)


class ObjectRequest(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: ObjectServer

    def do_GET(self) -> None:
        """Send an object, or 304 if the client has it already."""
        if self.path.endswith(".zip"):
            self.server.gate.wait(10)
        body = self.server.objects.get(self.path)
        if self.server.endless:
            self._answer(200, b"x" * 1_000_000)
        elif body is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.headers["If-None-Match"] == tag(body):
            self._answer(304, b"", tag(body))
        elif self.path.endswith(".zip"):
            self._send_bundle(body)
        else:
            self._answer(200, body, tag(body))

    def _send_bundle(self, body: bytes) -> None:
        """Send it, or the part that was asked for, or less than that."""
        server = self.server
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "") if server.ranges else None
        start = int(wanted[1]) if wanted else 0
        part = body[start:]
        more = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if wanted else {}
        broken = server.breaks_after
        sent = part if broken is None else part[:broken]
        server.sent_bytes += len(sent)
        self._answer(206 if wanted else 200, sent, tag(body), length=len(part), more=more)
        self.close_connection = len(sent) < len(part)

    def do_PUT(self) -> None:
        """Store an object, unless the request's condition does not hold."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        wanted = self.headers["If-Match"]
        with self.server.writing:
            before = self.server.objects.get(self.path)
            taken = self.headers["If-None-Match"] == "*" and before is not None
            refused = taken or (wanted and (before is None or tag(before) != wanted))
            if not refused:
                self.server.objects[self.path] = body
        if refused:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self._answer(200, b"", tag(body))

    def _answer(
        self,
        status: int,
        body: bytes,
        etag: str | None = None,
        *,
        length: int | None = None,
        more: dict[str, str] | None = None,
    ) -> None:
        self.server.asked.append(f"{status} {self.command} {self.path}")
        if self.server.away:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def tag(body: bytes) -> str:
    """The ETag of a body."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """A server on a free loopback port."""
    with ObjectServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()
