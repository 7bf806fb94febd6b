"""The endpoints of the fleet process over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pw_servers import RedisServer, redis_server
from pw_servers.no_tls import NO_TLS
from scaling.conftest import fleet_clients

from pageworker_supervisor.scaling import fleet_watch
from pageworker_supervisor.scaling.fleet_server import CONNECTIONS, FleetServer
from pageworker_supervisor.scaling.fleet_watch import FleetWatch


@asynccontextmanager
async def serving(url: str, *hosts: str) -> AsyncIterator[tuple[httpx.AsyncClient, FleetWatch, int]]:
    """A client, the watch that is served, and the port."""
    async with fleet_clients(url) as fleet:
        watch = FleetWatch(fleet.redis_client, fleet.queue, fleet.settings)
        server = FleetServer.open("127.0.0.1:0", watch, hosts)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(server.run())
            base = f"http://127.0.0.1:{server.address[1]}"
            async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, base_url=base, timeout=30) as client:
                async with asyncio.timeout(30):
                    while watch.trouble and (await client.get("/readyz")).status_code != 200:
                        if "Connect call failed" in watch.trouble:
                            break
                yield client, watch, server.address[1]
            running.cancel()


async def test_an_autoscaler_gets_one_number_and_why(live_redis: RedisServer) -> None:
    live_redis.command("RPUSH", "pw:inbox", "{}")
    async with serving(live_redis.url) as (client, _, _port):
        answer = await client.get("/wanted")
        assert answer.status_code == 200
        body = answer.json()
        assert body["wanted_workers"] == 1
        assert body["why"] == "the load needs them"
        assert body["jobs"]["inbox"] == 1
        scraped = await client.get("/metrics")
        assert scraped.headers["content-type"].startswith("text/plain; version=")
        assert "pageworker_fleet_wanted_workers 1.0" in scraped.text
        assert "pageworker_fleet_redis_up 1.0" in scraped.text
        assert (await client.get("/readyz")).json() == {"ready": True, "reason": ""}


async def test_it_looks_again_and_again(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_watch, "SAMPLE_SECONDS", 0.05)
    async with serving(live_redis.url) as (client, _, _port), asyncio.timeout(30):
        assert "pageworker_fleet_wanted_workers 0.0" in (await client.get("/metrics")).text
        live_redis.command("RPUSH", "pw:inbox", "{}")
        while 'pageworker_fleet_jobs{state="inbox"} 1.0' not in (await client.get("/metrics")).text:
            pass


async def test_without_redis_it_is_alive_and_shows_no_number() -> None:
    with redis_server() as gone:
        url = gone.url
    async with serving(url) as (client, _, _port):
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "Redis does not answer" in ready.json()["reason"]
        wanted = await client.get("/wanted")
        assert wanted.status_code == 503
        assert list(wanted.json()) == ["error"]
        text = (await client.get("/metrics")).text
        assert [line for line in text.splitlines() if not line.startswith("#")] == ["pageworker_fleet_redis_up 0.0"]


@pytest.mark.parametrize(
    ("path", "method"), [("/wanted", "POST"), ("/metrics", "DELETE"), ("/status", "GET"), ("/", "GET")]
)
async def test_nothing_else_is_answered(live_redis: RedisServer, path: str, method: str) -> None:
    async with serving(live_redis.url) as (client, _, _port):
        assert (await client.request(method, path)).status_code in (404, 405)


async def test_foreign_hosts_are_refused(live_redis: RedisServer) -> None:
    async with serving(live_redis.url, "fleet.example") as (client, _, _port):
        assert (await client.get("/wanted", headers={"Host": "evil.example"})).status_code == 421
        assert (await client.get("/wanted", headers={"Host": "fleet.example"})).status_code == 200


async def test_connections_are_bounded_and_a_probe_is_answered(live_redis: RedisServer) -> None:
    async with serving(live_redis.url) as (client, _, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS + 20)]
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, base_url=client.base_url, timeout=30) as probe:
            assert (await probe.get("/healthz")).status_code == 200
        reader, _ = silent[0]
        async with asyncio.timeout(10):
            assert await reader.read(1) == b"", "the one that was silent longest is closed"
        for _, writer in silent:
            writer.transport.abort()


async def test_a_port_in_use_is_an_error_that_names_the_option(live_redis: RedisServer) -> None:
    async with fleet_clients(live_redis.url) as fleet:
        watch = FleetWatch(fleet.redis_client, fleet.queue, fleet.settings)
        async with serving(live_redis.url) as (_, _watch, port):
            with pytest.raises(OSError, match=f"--serve 127.0.0.1:{port}"):
                FleetServer.open(f"127.0.0.1:{port}", watch)
