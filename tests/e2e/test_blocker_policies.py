"""What policies of a tenant do on real local sites that block by rate, by cookie and by proxy."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_servers.forward_proxy import Way, forward_proxy
from pw_servers.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(600)]

VISIT = """
await page.goto(payload["url"])
if blocked := await helpers.detect_blocker():
    raise blocked
return {"title": await page.title()}
"""
PAUSE_SECONDS, RATE_SECONDS, COOL_SECONDS = 3.0, 1.5, 600.0
TOO_MANY = ("429 Too Many Requests", "<title>429 Too Many Requests</title>Too many requests", "Retry-After: 2")
CHALLENGE = ("403 Forbidden", "<title>Just a moment...</title>Verifying you are human", "cf-mitigated: challenge")
DENIED = ("403 Forbidden", "<title>Blocked</title>Your IP has been blocked.", "Server: test")


class BlockingSite:
    """Three hosts, each at a port per way to it. `seen` has the ways of each path."""

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = defaultdict(list)
        self._served_at = -RATE_SECONDS

    def answer(self, way: str, host: str, path: str, cookie: bool) -> tuple[str, str, str]:
        """Status, body and one header."""
        self.seen[path].append(way)
        if host == "rate.test":
            soon, self._served_at = time.monotonic() - self._served_at < RATE_SECONDS, time.monotonic()
            if soon:
                return TOO_MANY
        if host == "cookie.test" and cookie:
            return CHALLENGE
        if host == "proxied.test" and way == "a":
            return DENIED
        return "200 OK", "<title>shop</title>Offers", "Set-Cookie: visited=1; Max-Age=1000"

    @asynccontextmanager
    async def served(self, way: str) -> AsyncIterator[int]:
        """The port of a way to it."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split(" ", 2)[1]
                host = head.lower().split("\r\nhost: ", 1)[1].split("\r\n", 1)[0]
                answer = "404 Not Found", "", "Server: test"
                if path != "/favicon.ico":
                    answer = self.answer(way, host, path, "visited=1" in head)
                status, body, header = answer
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n{header}\r\n"
                    f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                await writer.drain()
            except (OSError, EOFError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


def to(port: int) -> Way:
    """Where a proxy finds the site."""
    return lambda _, __: ("127.0.0.1", port)


async def test_each_policy_is_done_and_told(tmp_path: Path) -> None:
    site = BlockingSite()
    module = write_module(tmp_path / "modules", "test.visit", VISIT, ["rate.test", "cookie.test", "proxied.test"])
    async with AsyncExitStack() as stack:
        ports = {way: await stack.enter_async_context(site.served(way)) for way in ("direct", "a", "b")}
        proxies = {name: await stack.enter_async_context(forward_proxy("http", to(ports[name]))) for name in ("a", "b")}
        direct = f"127.0.0.1:{ports['direct']}"
        blockers = {
            "rate_limited": {"retries": 1, "delay_seconds": 0.1, "pause_domain_seconds": PAUSE_SECONDS},
            "challenge": {"retries": 1, "delay_seconds": 0.1, "cool_profile_seconds": COOL_SECONDS},
            "access_denied": {"retries": 1, "delay_seconds": 0.1, "proxy": "b"},
        }
        settings: dict[str, Any] = {
            "pool": {"runners": 2, "pages": 1},
            "browser": HEADLESS_SHELL,
            "egress": {
                "hosts": {"rate.test": direct, "cookie.test": direct},
                "proxy_ports": [proxy.port for proxy in proxies.values()],
            },
            "proxies": {name: {"upstreams": [one.url], "resolve": "there"} for name, one in proxies.items()},
            "tenants": {"acme": {"blockers": blockers}},
        }
        here = await stack.enter_async_context(place(module))
        producer = await stack.enter_async_context(aclosing(Producer(here.redis.url)))
        events = await stack.enter_async_context(aclosing(producer.redis.pubsub()))
        await events.subscribe("pw:events:acme")
        daemon = stack.enter_context(here.worker(**settings))

        async def result_of(job_id: str, host: str, **fields: Any) -> dict[str, Any]:
            text = producer.job(job_id, "test.visit", {"url": f"http://{host}/{job_id}"}, **fields)
            await producer.push(text)
            await producer.collect(len(producer.results) + 1, 120)
            return producer.results[job_id]

        # By rate: the domain is paused, and the job is tried again after the pause.
        assert (await result_of("r1", "rate.test"))["status"] == "succeeded"
        rate = await result_of("r2", "rate.test")
        first, _ = rate["attempts"]
        assert (rate["status"], first["outcome"], first["blocker"]["kind"]) == ("succeeded", "blocked", "rate_limited")
        assert set(first["blocker"]["actions"]) == {"pause_domain", "retry"}
        assert rate["timing"]["total"] >= PAUSE_SECONDS
        assert "a site has blocked a job of it" in daemon.log_file.read_text(), "it was tried again on another runner"
        # By proxy: the next attempt goes by the other one.
        proxied = await result_of("p1", "proxied.test", proxy="a")
        assert [attempt["proxy"] for attempt in proxied["attempts"]] == [
            f"{name}/{proxy.endpoint}" for name, proxy in proxies.items()
        ]
        assert (proxied["status"], site.seen["/p1"]) == ("succeeded", ["a", "b"])
        assert proxied["attempts"][0]["blocker"]["actions"]["proxy"] == "b"
        # By cookie, with a profile: it cools down, no other job of it starts, and the job is not tried again hot.
        assert (await result_of("k1", "cookie.test", profile_id="main"))["status"] == "succeeded"
        for job_id, retries in (("k2", 3), ("k3", 0)):
            text = {"url": f"http://cookie.test/{job_id}"}
            await producer.push(producer.job(job_id, "test.visit", text, profile_id="main", max_retries=retries))
            await asyncio.to_thread(until, partial(_delayed, daemon, job_id), f"{job_id} waits", 60.0, 0.1)
        assert (site.seen["/k2"], site.seen["/k3"]) == (["direct"], [])

        retrying: dict[str, Any] = {}
        async with asyncio.timeout(60):
            while len(retrying) < 3:
                message = await events.get_message(ignore_subscribe_messages=True, timeout=1.0)
                event = json.loads(message["data"]) if message is not None else {}
                if event.get("event") == "retrying":
                    retrying[event["job_id"]] = event["detail"]
        assert {job_id: detail["kind"] for job_id, detail in retrying.items()} == {
            "r2": "rate_limited",
            "p1": "access_denied",
            "k2": "challenge",
        }
        assert retrying["r2"]["actions"] == first["blocker"]["actions"]
        assert retrying["k2"]["actions"]["cool_profile"] == COOL_SECONDS
        metrics = daemon.get("/metrics").text
    for action, kind in (
        ("pause_domain", "rate_limited"),
        ("retry", "challenge"),
        ("proxy", "access_denied"),
        ("cool_profile", "challenge"),
    ):
        assert f'pageworker_blocker_actions_total{{action="{action}",kind="{kind}"}}' in metrics
    assert 'pageworker_job_defers_total{reason="cool_down"} 1.0' in metrics


def _delayed(daemon: Any, job_id: str) -> bool:
    """Whether the worker has put the job off."""
    lines = [json.loads(line) for line in daemon.log_file.read_text().splitlines() if line.startswith("{")]
    said = [line["message"] for line in lines if line.get("job_id") == job_id]
    return "job will be retried" in said or "job deferred" in said
