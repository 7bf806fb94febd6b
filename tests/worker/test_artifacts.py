"""Artifacts of jobs, in a store that is slow or refuses: that costs artifacts, and no page and no job."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pw_queue import ref
from pw_servers import RedisServer, s3
from pw_worker import PAGES, echoes, nap, taken

from pageworker_supervisor.artifacts import store as store_module

S3 = {"url": f"s3://{s3.BUCKET}/x"}
STORED = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class GatedStore:
    """The S3 protocol as far as an upload needs it. It answers when it is told to."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    """Uploads that have arrived."""
    answer: bytes = STORED
    _answering: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection of the worker."""
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A worker that gives up closes its connection at any time.
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            await self.opened.wait()
            writer.write(self.answer)
            await writer.drain()

    async def ended(self) -> None:
        """All connections are closed."""
        self.opened.set()
        await asyncio.gather(*self._answering)


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GatedStore]:
    """A store that answers no upload until its test says so."""
    store = GatedStore()
    async with await asyncio.start_server(store.accept, "127.0.0.1", 0) as server:
        for name, value in s3.ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        monkeypatch.setattr(store_module, "RETRY_SECONDS", 0.0)
        yield store
        await store.ended()


async def test_a_slow_store_holds_no_page_no_permit_and_no_handler(
    live_redis: RedisServer, registry_key: tuple[Path, str], slow: GatedStore
) -> None:
    more: dict[str, dict[str, Any]] = {"artifacts": S3, "tenants": {"*": {"concurrency": PAGES}}}
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
        # The second artifact of a handler does not wait for the first, and the pages of these jobs serve the next ones.
        await worker.push(*(nap(f"slow{n}", 0, "keep", artifacts=3) for n in range(PAGES)))
        await worker.until(lambda: slow.asked == 3 * PAGES and not taken(worker))
        await worker.push(*(nap(f"next{n}", 0) for n in range(PAGES)))
        await worker.answered(PAGES)
        assert worker.results.keys() == {f"next{n}" for n in range(PAGES)}
        assert {view.state for view in (await worker.queue.inspection.jobs()).jobs} == {"storing"}
        assert await worker.queue.inspection.check_consistency() == []
        slow.opened.set()
        await worker.answered(2 * PAGES)
    for n in range(PAGES):
        kept = worker.results[f"slow{n}"]["artifacts"]
        assert [(each["kind"], each["bytes"]) for each in kept] == [(f"kept.{i}", 100 + i) for i in range(3)]
        assert all(len(each["sha256"]) == 64 for each in kept)
        assert worker.results[f"slow{n}"]["artifacts_lost"] == []
        assert worker.results[f"slow{n}"]["usage"]["page_seconds"] < worker.results[f"slow{n}"]["timing"]["total"]


async def test_a_job_is_cancelled_while_only_its_artifacts_are_missing(
    live_redis: RedisServer, registry_key: tuple[Path, str], slow: GatedStore
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, more={"artifacts": S3}) as worker:
        await worker.push(nap("j1", 0, "keep", artifacts=1))
        await worker.until(lambda: slow.asked == 1 and not taken(worker))
        assert await worker.queue.inspection.cancel(ref("j1")) == "cancelling"
        await worker.answered(1)
    assert worker.results["j1"]["status"] == "cancelled"
    assert [lost["type"] for lost in worker.results["j1"]["artifacts_lost"]] == ["drained"]


async def test_a_store_that_refuses_costs_the_artifact_and_not_the_job(
    live_redis: RedisServer, registry_key: tuple[Path, str], slow: GatedStore
) -> None:
    slow.answer = BUSY
    slow.opened.set()
    async with echoes(live_redis.url, live_redis, registry_key, more={"artifacts": S3}) as worker:
        await worker.push(nap("j1", 0, "keep", artifacts=1))
        await worker.answered(1)
    result = worker.results["j1"]
    assert (result["status"], result["artifacts"]) == ("succeeded", [])
    (lost,) = result["artifacts_lost"]
    assert (lost["kind"], lost["type"], lost["bytes"]) == ("kept.0", "unavailable", 100)
    assert slow.asked == store_module.TRIES


async def test_a_drain_gives_up_artifacts_and_keeps_the_result(
    live_redis: RedisServer, registry_key: tuple[Path, str], slow: GatedStore
) -> None:
    """The job would run again for a screenshot."""
    async with echoes(live_redis.url, live_redis, registry_key, more={"artifacts": S3}) as worker:
        await worker.push(nap("j1", 0, "keep", artifacts=1))
        await worker.until(lambda: slow.asked == 1 and not taken(worker))
        async with asyncio.timeout(10):
            assert [line.event async for line in worker.worker.drain(0.1)] == ["waiting", "ended", "done"]
        await worker.answered(1)
        (stats,) = await worker.queue.inspection.stats()
    result = worker.results["j1"]
    assert (result["status"], stats.queued, stats.running) == ("succeeded", 0, 0)
    assert [(lost["kind"], lost["type"]) for lost in result["artifacts_lost"]] == [("kept.0", "drained")]
