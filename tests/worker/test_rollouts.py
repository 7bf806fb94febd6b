"""Rollouts on a whole worker: which version its jobs get, and what becomes of a version that fails."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pw_modules.author import Author, packed
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap

from pageworker_supervisor.queue.producer import NewJob
from pageworker_supervisor.rollouts.rollout_entry import (
    NO_ENTRY,
    RolloutAuthor,
    RolloutEntry,
    decode_entry,
    encode_entry,
    promote,
    roll_back,
    start,
)
from pageworker_supervisor.rollouts.rollout_state import RolloutState

OLD, NEW, STRICT = "1.0.0", "1.1.0", "1.2.0"
ANY: dict[str, Any] = {"type": "object"}
NOTHING_FITS: dict[str, Any] = {"type": "object", "maxProperties": 0}
ANN = RolloutAuthor("ann", "a test", 0)
NAME = "shop.product"


@pytest.fixture(scope="module")
def shelf() -> Iterator[tuple[Path, str]]:
    """A registry with three versions, the first one in `stable`, and its key. The last one rejects every payload."""
    author = Author()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "registry"

        async def publish() -> None:
            for version, channel, schema in ((OLD, "stable", ANY), (NEW, "beta", ANY), (STRICT, "next", NOTHING_FITS)):
                await author.publish(place, packed(NAME, version, schema=schema), channel)

        asyncio.run(publish())
        yield place, author.key.public.line()


def job(name: str) -> NewJob:
    return nap(name, 1, module=NAME)


async def write(worker: Echoes, entry: RolloutEntry) -> None:
    """Store the entry, and wait until the worker has it."""
    store = worker.queue.rollouts
    found = await store.entry(NAME)
    assert await store.write(NAME, found.revision if found is not None else 0, encode_entry(entry), b"{}")
    wanted = entry.running
    await worker.until(lambda: worker.components.registry.running_rollout(NAME) == wanted)


async def versions(worker: Echoes, *names: str) -> list[str]:
    """The versions that these jobs get."""
    await worker.push(*map(job, names))
    await worker.answered(len(worker.results) + len(names), 30)
    return [worker.results[name]["module_version"] for name in names]


async def test_jobs_follow_a_rollout_a_promotion_and_a_rollback(
    live_redis: RedisServer, shelf: tuple[Path, str]
) -> None:
    async with echoes(live_redis.url, live_redis, shelf) as worker:
        assert await versions(worker, "a") == [OLD]
        begun = start(NO_ENTRY, "r1", (OLD, NEW), ANN, percent=100.0)
        await write(worker, begun)
        assert await versions(worker, "b") == [NEW]
        promoted = promote(begun, "r1", None, ANN)
        await write(worker, promoted)
        assert await versions(worker, "c") == [NEW]
        before = time.monotonic()
        await write(worker, roll_back(promoted, "r1", None, ANN))
        while await versions(worker, secrets.token_hex(4)) != [OLD]:
            pass
        assert time.monotonic() - before < 2.0
        # The signed index has no such version: the entry has no effect.
        await write(worker, RolloutEntry(replaced={OLD: "9.9.9"}))
        assert await versions(worker, "d") == [OLD]


async def test_pins_of_tenants_and_channels_of_tags(live_redis: RedisServer, shelf: tuple[Path, str]) -> None:
    more: dict[str, dict[str, Any]] = {
        "worker": {"tags": ["canary"]},
        "modules": {"tag_channels": {"canary": "beta"}},
    }
    async with echoes(live_redis.url, live_redis, shelf, more=more) as worker:
        assert await versions(worker, "a") == [NEW]
    more["tenants"] = {"acme": {"pins": {NAME: OLD}}}
    async with echoes(live_redis.url, live_redis, shelf, more=more, worker_id="w2") as worker:
        # The results of the first worker are in the same stream.
        await worker.push(job("b"))
        await worker.answered(2, 30)
        assert worker.results["b"]["module_version"] == OLD


async def test_a_version_that_rejects_all_payloads_is_rolled_back_by_itself(
    live_redis: RedisServer, shelf: tuple[Path, str]
) -> None:
    more = {"rollouts": {"least_jobs": 5}}
    async with echoes(live_redis.url, live_redis, shelf, more=more) as worker:
        await write(worker, start(NO_ENTRY, "r1", (OLD, STRICT), ANN, percent=20.0))
        pushed = 0
        async with asyncio.timeout(60):
            while worker.components.registry.running_rollout(NAME) is not None:
                await worker.push(*(job(f"{pushed}-{number}") for number in range(20)))
                pushed += 20
                await worker.answered(pushed, 30)
        found = await worker.queue.rollouts.entry(NAME)
        assert found is not None
        entry = decode_entry(found.text)
        assert entry.rollout is not None
        assert (entry.rollout.state, entry.rolled_back) == (RolloutState.ROLLED_BACK, (STRICT,))
        assert "mostly failures" in entry.rollout.evidence
        rejected = [one for one in worker.results.values() if one["status"] == "rejected"]
        assert {one["module_version"] for one in rejected} == {STRICT}
        counts = await worker.queue.rollouts.counts(NAME, "r1")
        assert counts["new.failed"] == counts["new.jobs"] == len(rejected)
        # Each job is counted once. Those that came after the rollback are part of no rollout.
        assert 0 < counts["old.jobs"] <= len(worker.results) - len(rejected)
        assert "old.failed" not in counts
