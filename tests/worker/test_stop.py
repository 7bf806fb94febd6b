"""A worker that is told to stop ends, even if Redis does not answer."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer, redis_server
from pw_worker import echoes, nap

from pageworker_supervisor.registry import Registry
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.worker_report import CALLBACK_GRACE_SECONDS, REQUEUE_SECONDS

SLACK_SECONDS = 3.0


@pytest.mark.parametrize("how", ["killed", "stopped", "refuses"])
async def test_it_ends_though_redis_is_gone_with_a_job_in_flight(how: str, registry_key: tuple[Path, str]) -> None:
    lines: list[tuple[str, object]] = []

    def keep(line: Any) -> None:
        lines.append((line.record["message"], line.record["extra"].get("which")))

    handler = log.add(keep, level="ERROR")
    with redis_server() as server:
        async with echoes(server.url, server, registry_key) as worker:
            await worker.push(nap("j1", 60_000))
            await worker.until(lambda: any(runner.running for runner in worker.components.fleet.runners.values()))
            gone(server, how)
            began = time.monotonic()
            worker.worker.stop.set()
        took = time.monotonic() - began
        server.resume() if how == "stopped" else None
    log.remove(handler)
    assert ("jobs are left to their leases", ["acme/j1"]) in lines
    assert took < 0.2 + REQUEUE_SECONDS + CALLBACK_GRACE_SECONDS + SLACK_SECONDS


async def test_it_ends_while_it_starts_though_redis_is_gone(
    registry_key: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopping = Registry.open, asyncio.Event()

    async def last_step_of_a_start(*args: Any, **options: Any) -> Registry:
        registry = await whole(*args, **options)
        server.pause()
        starting.set()
        await stopping.wait()
        return registry

    monkeypatch.setattr(Registry, "open", last_step_of_a_start)
    starting = asyncio.Event()
    with redis_server() as server:
        try:
            async with echoes(server.url, server, registry_key, until_ready=False) as worker:
                await starting.wait()
                worker.worker.stop.set()
                await worker.until(lambda: worker.worker.ready() == (False, "stopping"))
                stopping.set()
        finally:
            server.resume()
    assert not worker.started


def gone(server: RedisServer, how: str) -> None:
    match how:
        case "killed":
            server.kill()
        case "stopped":
            server.pause()
        case _:
            server.command("ACL", "SETUSER", "default", "-fcall")
