"""A job's requests and bytes through a whole worker with a real browser: as the origin counts them, live, and kept."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place, write_module
from pw_servers.certificates import Certificates
from pw_servers.pages import answer_all

from pageworker_supervisor.admin.status import RunningJob

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(180)]

VISIT = """
await page.goto(payload["url"])
await page.wait_for_function("document.images[0].complete")
if payload.get("hold") and context.attempt == 1:
    await asyncio.Event().wait()
return {"width": await page.evaluate("document.images[0].naturalWidth")}
"""
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"><!--'
IMAGE = SVG + os.urandom(150_000).hex().encode() + b"--></svg>"
PAGE = b"<img src=/image.svg?token=secret-query><p>" + os.urandom(50_000).hex().encode()
WEIGHT = len(IMAGE) + len(PAGE)
TOLERANCE = 0.05
BOTH = [("http", "plain.test"), ("https", "secure.test")]


@dataclass
class CountedSite:
    """A site behind a relay that counts the bytes of its connections, TLS included."""

    port: int = 0
    sent: int = 0
    received: int = 0


def _page(path: str) -> tuple[bytes, bytes]:
    return (b"image/svg+xml", IMAGE) if path.startswith("/image") else (b"text/html", PAGE)


@asynccontextmanager
async def counted_site(context: ssl.SSLContext | None) -> AsyncIterator[CountedSite]:
    """It serves one page with one image."""
    site = CountedSite()
    behind = await asyncio.start_server(partial(answer_all, page=_page), "127.0.0.1", 0, ssl=context)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: str) -> None:
        try:
            while data := await reader.read(65536):
                setattr(site, counter, getattr(site, counter) + len(data))
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_site, to_site = await asyncio.open_connection(*behind.sockets[0].getsockname())
        await asyncio.gather(copy(reader, to_site, "received"), copy(from_site, writer, "sent"))

    front = await asyncio.start_server(relay, "127.0.0.1", 0)
    site.port = front.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        front.close()
        behind.close()


def metric(daemon: DaemonProcess, name: str) -> float:
    """The sum over all labels."""
    lines = daemon.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def running(daemon: DaemonProcess, job_id: str, bytes_in: int) -> RunningJob:
    """This job, once it has received `bytes_in`."""
    while True:
        for job in (await asyncio.to_thread(daemon.status)).jobs:
            if job.job_id == job_id and job.bytes_in >= bytes_in:
                return job


async def test_a_job_is_charged_what_its_page_weighs(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    hosts = ["plain.test", "secure.test"]
    module = write_module(tmp_path, "test.visit", VISIT, hosts, {"ignore_https_errors": True})
    async with counted_site(None) as plain, counted_site(context) as secure, place(module) as here:
        sites = {"plain.test": plain, "secure.test": secure}
        settings: dict[str, Any] = {
            "browser": HEADLESS_SHELL,
            "pool": {"runners": 1, "pages": 1},
            "egress": {"hosts": {host: f"127.0.0.1:{site.port}" for host, site in sites.items()}, "access_log": "all"},
            "jobs": {"retry_base_seconds": 0.01},
        }
        async with aclosing(Producer(here.redis.url)) as producer:
            with here.worker(**settings) as daemon:
                for scheme, host in BOTH:
                    site = sites[host]
                    await producer.push(producer.job(scheme, "test.visit", {"url": f"{scheme}://{host}/"}))
                    await producer.collect(len(producer.results) + 1, 60)
                    usage = producer.results[scheme]["usage"]
                    assert usage["bytes_in"] == pytest.approx(site.sent, rel=TOLERANCE), scheme
                    assert usage["bytes_in"] == pytest.approx(WEIGHT, rel=TOLERANCE), "heads and TLS included"
                    assert usage["bytes_out"] == pytest.approx(site.received, rel=TOLERANCE, abs=64)
                    assert usage["requests"] >= (2 if scheme == "http" else 1), "a tunnel is one request"

                await producer.push(producer.job("lost", "test.visit", {"url": "http://plain.test/", "hold": True}))
                async with asyncio.timeout(60):
                    live = await running(daemon, "lost", WEIGHT)
                assert live.bytes_in == pytest.approx(WEIGHT, rel=TOLERANCE), "while it runs"
                async with asyncio.timeout(20):
                    while metric(daemon, 'pageworker_egress_bytes_total{direction="received"') < 3 * WEIGHT:
                        await asyncio.to_thread(daemon.status)
                (runner,) = daemon.status().runners
                assert runner.pid is not None
                os.kill(runner.pid, signal.SIGKILL)
                await producer.collect(3, 90)
                lost = producer.results["lost"]
                assert [attempt["outcome"] for attempt in lost["attempts"]] == ["lost", "succeeded"]
                assert lost["usage"]["bytes_in"] == pytest.approx(2 * WEIGHT, rel=TOLERANCE), "both attempts"
                assert daemon.terminate() == 0
                log, text = daemon.log(), daemon.log_file.read_text()
    assert all(result["data"] == {"width": 7} for result in producer.results.values())
    lines = [line for line in log if line["message"] == "egress request"]
    plain_lines = [line for line in lines if line["job"] == "acme/http"]
    assert [(line["method"], line["host"], line["status"]) for line in plain_lines] == [("GET", "plain.test", 200)] * 2
    assert sum(line["bytes_in"] for line in plain_lines) == producer.results["http"]["usage"]["bytes_in"]
    tunnels = [line for line in lines if line["method"] == "CONNECT"]
    assert all("acme/https" in line["job"] for line in tunnels)
    assert sum(line["bytes_in"] for line in tunnels) == pytest.approx(WEIGHT, rel=TOLERANCE)
    assert "secret-query" not in text
