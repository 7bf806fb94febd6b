"""Two workers share the open requests of a host: never more than its limit, which is reached while there is work."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
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
    pytest.mark.timeout(150),
]

LIMIT = 3
BUSY_SECONDS = 8.0
ANSWER_SECONDS = 0.4
JOBS = 4
"""With seven requests per round: more than the limit on each worker."""
SHOP, SECURE = "shop.test", "localhost"

LOAD = """
import time
until, rounds = time.monotonic() + payload["seconds"], 0
while True:
    await page.goto(payload["url"], timeout=60_000)
    await page.request.get(payload["url"] + "data", timeout=60_000)
    rounds += 1
    if time.monotonic() >= until:
        return {"ended": time.time(), "rounds": rounds}
"""
PAGE = b"<title>shop</title>" + b"".join(b"<img src=/%d.gif>" % n for n in range(5))


class CountingOrigin:
    """How many requests are open, by host, and for how long it was how many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.open = {SHOP: 0, SECURE: 0}
        self.steps: dict[str, list[tuple[float, int]]] = {SHOP: [], SECURE: []}
        """Each change: when, and how many are open from then on."""

    def change(self, host: str, by: int) -> None:
        """A request begins or ends."""
        with self._lock:
            self.open[host] += by
            self.steps[host].append((time.time(), self.open[host]))

    def most(self, host: str) -> int:
        """Requests that were open at the same time."""
        return max(count for _, count in self.steps[host])

    def full_share(self, host: str, limit: int, until: float) -> float:
        """The share of the time for which as many as permitted were open, from the first time on."""
        steps = [step for step in self.steps[host] if step[0] < until]
        began = next(at for at, count in steps if count == limit)
        ends = [at for at, _ in steps[1:]] + [until]
        full = sum(end - at for (at, count), end in zip(steps, ends, strict=True) if count == limit)
        return full / (until - began)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """For a server."""
        origin = self

        class CountedHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                host = self.headers["Host"].partition(":")[0]
                origin.change(host, +1)
                body = PAGE if self.path == "/" else b"x"
                self.send_response(200)
                self.send_header("Cache-Control", "no-store")
                self.send_header("Content-Type", "text/html" if self.path == "/" else "image/gif")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:-1])
                time.sleep(ANSWER_SECONDS)
                # Before the last byte: the gateway reports the end as soon as it has it.
                origin.change(host, -1)
                self.wfile.write(body[-1:])

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        return CountedHandler


@pytest.fixture
def origin() -> CountingOrigin:
    return CountingOrigin()


@pytest.fixture
def ports(origin: CountingOrigin, tmp_path: Path) -> Iterator[list[int]]:
    """Of the origin: http and https."""
    (folder := tmp_path / "certificates").mkdir()
    certificates = Certificates.make(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), origin.handler()) for _ in range(2)]
    servers[1].socket = context.wrap_socket(servers[1].socket, server_side=True, do_handshake_on_connect=False)
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield [server.server_port for server in servers]
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


async def test_two_workers_keep_the_limit_of_open_requests_and_use_it_up(
    tmp_path: Path, origin: CountingOrigin, ports: list[int]
) -> None:
    module = write_module(tmp_path, "test.load", LOAD, egress=[SHOP, SECURE], page={"ignore_https_errors": True})
    plain, secure = (f"127.0.0.1:{port}" for port in ports)
    settings: dict[str, Any] = {
        "pool": {"runners": 1, "pages": 3},
        "browser": HEADLESS_SHELL,
        "egress": {"hosts": {SHOP: plain, SECURE: secure}},
        "domains": {SHOP: {"request_concurrency": LIMIT}, SECURE: {"request_concurrency": 1}},
    }
    async with place(module) as here, aclosing(Producer(here.redis.url)) as producer:
        with ExitStack() as stack:
            daemons = [stack.enter_context(here.worker(name, **settings)) for name in ("w1", "w2")]
            payload = {"seconds": BUSY_SECONDS, "url": f"http://{SHOP}/"}
            jobs = [producer.job(f"j{n}", "test.load", payload) for n in range(JOBS)]
            once = {"seconds": 0, "url": f"https://{SECURE}/"}
            await producer.push(*jobs, producer.job("secure", "test.load", once))
            await producer.collect(JOBS + 1, 100)
            assert [daemon.terminate() for daemon in daemons] == [0, 0]
    results = producer.results
    assert {result["status"] for result in results.values()} == {"succeeded"}, results
    assert {results[f"j{n}"]["worker_id"] for n in range(JOBS)} == {"w1", "w2"}
    ended = min(results[f"j{n}"]["data"]["ended"] for n in range(JOBS))
    share = origin.full_share(SHOP, LIMIT, ended)
    print(f"{len(origin.steps[SHOP]) // 2} requests, {origin.most(SHOP)} open at most, for {share:.0%} of the time")
    assert origin.most(SHOP) == LIMIT
    assert share > 0.3
    assert origin.most(SECURE) == 1
