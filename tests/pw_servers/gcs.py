"""The part of Google Cloud Storage's XML API that a registry uses, on loopback, as Google documents it.

https://cloud.google.com/storage/docs/xml-api/put-object and …/get-object. The emulators answer without the headers
`ETag`, `Last-Modified` and `x-goog-generation`, which the real store sends: the library refuses their answers (obstore
0.12, gcp-storage-emulator 2026.7).
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUCKET = "modules"


class GcsObjects:
    """All objects by path: content and generation. A write raises the generation."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, int]] = {}
        self._last = 1000
        self._lock = threading.Lock()

    def write(self, path: str, data: bytes, condition: str | None) -> int | None:
        """The new generation. None: the object has another generation than `condition`; 0 is that of no object."""
        with self._lock:
            _, generation = self.objects.get(path, (b"", 0))
            if condition is not None and int(condition) != generation:
                return None
            self._last += 1
            self.objects[path] = data, self._last
            return self._last


@contextmanager
def gcs_server() -> Iterator[dict[str, str]]:
    """A server whose bucket is empty. Yields the environment that a worker needs to use it."""
    stored = GcsObjects()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            generation = stored.write(self.path, data, self.headers["x-goog-if-generation-match"])
            self._answer(412) if generation is None else self._answer(200, b"", data, generation)

        def do_GET(self) -> None:
            if self.path not in stored.objects:
                return self._answer(404)
            data, generation = stored.objects[self.path]
            if self.headers["If-None-Match"] == _tag(data):
                return self._answer(304, b"", data, generation)
            if (part := self.headers["Range"]) is None:
                return self._answer(200, data, data, generation)
            start = int(part.removeprefix("bytes=").partition("-")[0])
            return self._answer(206, data[start:], data, generation, f"bytes {start}-{len(data) - 1}/{len(data)}")

        def _answer(
            self, status: int, body: bytes = b"", data: bytes = b"", generation: int = 0, part: str | None = None
        ) -> None:
            self.send_response(status)
            if generation:
                self.send_header("ETag", _tag(data))
                self.send_header("Last-Modified", formatdate(0, usegmt=True))
                self.send_header("x-goog-generation", str(generation))
            if part is not None:
                self.send_header("Content-Range", part)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    account = {
        "gcs_base_url": f"http://127.0.0.1:{server.server_port}",
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    try:
        yield {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account)}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
