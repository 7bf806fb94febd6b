"""Two workers share the rate of requests to a host: over http and https, for pages and page.request, with redirects."""

import ssl
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_servers.certificates import Certificates

pytestmark = [
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(180),
]

RATE = 5
WINDOW_SECONDS = 10.0
BUSY_SECONDS = 14.0
JOBS = 4
"""For each host: more pages than the rate can serve, on both workers."""
LIMITED = ("plain.test", "localhost")
FREE = "free.test"

LOAD = """
import time
from urllib.parse import urlsplit
until, seconds = time.monotonic() + payload["seconds"], []
while time.monotonic() < until:
    began = time.monotonic()
    await page.goto(payload["url"], timeout=60_000)
    await page.request.get(payload["url"] + "moved", timeout=60_000)
    seconds.append(time.monotonic() - began)
    await asyncio.sleep(payload.get("pause", 0))
return {"ended": until - time.monotonic() + time.time(), "slowest": max(seconds), "rounds": len(seconds)}
"""
PAGE = b"""<title>shop</title><img src=/moved><img src=/a.gif><script>
fetch('/b')
if (location.protocol === 'http:') new WebSocket('ws://' + location.host + '/socket')
</script>"""


@dataclass
class RecordingOrigin:
    """When requests arrived (seconds since the epoch), by host."""

    arrivals: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    sockets: int = 0
    """Handshakes of WebSockets among them. None is accepted."""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """For a server."""
        origin = self

        class ArrivalHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                origin.arrivals[self.headers["Host"]].append(time.time())
                origin.sockets += self.path == "/socket"
                body = PAGE if self.path == "/" else b"x"
                self.send_response(302 if self.path == "/moved" else 200)
                self.send_header("Location", "/there")
                self.send_header("Cache-Control", "no-store")
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        return ArrivalHandler

    def counts(self, host: str, until: float) -> list[int]:
        """Arrivals in each window that begins with one and ends before `until`, and in those just before the next."""
        times = sorted(self.arrivals[host])
        starts = [start for start in times if start + WINDOW_SECONDS <= until]
        assert starts, "the test is too short for one window"
        return [bisect_left(times, start + WINDOW_SECONDS) - bisect_left(times, start) for start in starts]


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Certificates.make(folder)


@pytest.fixture
def ports(origin: RecordingOrigin, certificates: Certificates) -> Iterator[dict[str, int]]:
    """Of the origin, by scheme."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), origin.handler()) for _ in range(2)]
    servers[1].socket = context.wrap_socket(servers[1].socket, server_side=True, do_handshake_on_connect=False)
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield {"http": servers[0].server_port, "https": servers[1].server_port}
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def origin() -> RecordingOrigin:
    return RecordingOrigin()


async def test_two_workers_keep_the_rate_of_a_host_and_use_it_up(
    tmp_path: Path, origin: RecordingOrigin, ports: dict[str, int]
) -> None:
    """In no window of 10 s more than 55 requests, and no less than 45 while there was work."""
    module = write_module(tmp_path, "test.load", LOAD, egress=[*LIMITED, FREE], page={"ignore_https_errors": True})
    http, https = (f"127.0.0.1:{ports[scheme]}" for scheme in ("http", "https"))
    settings: dict[str, Any] = {
        "pool": {"runners": 1, "pages": 5},
        "browser": HEADLESS_SHELL,
        "egress": {"hosts": {"plain.test": http, "free.test": http, "localhost": https}},
        "domains": {host: {"requests_per_second": RATE} for host in LIMITED},
    }
    urls = ["http://plain.test/", "https://localhost/"] * JOBS
    async with place(module) as here, aclosing(Producer(here.redis.url)) as producer:
        with ExitStack() as stack:
            daemons = [stack.enter_context(here.worker(name, **settings)) for name in ("w1", "w2")]
            payload = {"seconds": BUSY_SECONDS}
            jobs = [producer.job(f"j{n}", "test.load", {**payload, "url": url}) for n, url in enumerate(urls)]
            free = {**payload, "url": f"http://{FREE}/", "pause": 0.2}
            await producer.push(*jobs, producer.job("free", "test.load", free))
            await producer.collect(len(urls) + 1, 120)
            assert [daemon.terminate() for daemon in daemons] == [0, 0]
    results = producer.results
    assert {result["status"] for result in results.values()} == {"succeeded"}, results
    assert {result["worker_id"] for result in results.values()} == {"w1", "w2"}
    for first, host in enumerate(LIMITED):
        ended = min(results[f"j{n}"]["data"]["ended"] for n in range(first, len(urls), len(LIMITED)))
        counts = origin.counts(host, ended)
        print(f"{host}: {min(counts)} to {max(counts)} requests in 10 s, {len(origin.arrivals[host])} in all")
        assert max(counts) <= RATE * WINDOW_SECONDS * 1.1
        assert min(counts) >= RATE * WINDOW_SECONDS * 0.9
    assert origin.sockets > 5
    assert results["free"]["data"]["slowest"] < 5
