"""Writes that wait for replicas: confirmed, short for a moment, short for long."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.errors import NotReplicated
from pageworker_supervisor.redis_client.replicated import SHORTEST_WAIT_MS, ReplicatedWrites

WRITE = ("SET", "k", "v")


class ScriptedRouter(Router):
    """Every primary has one number of replicas that confirm. Records what is sent."""

    def __init__(self, confirming: int) -> None:
        self.confirming = confirming
        self.sent: list[Sequence[Any]] = []

    async def send(self, *words: Any, key: str, blocks: bool = False) -> Any:
        self.sent.append(words)
        return "stored"

    async def send_together(self, commands: Sequence[Sequence[Any]], *, key: str, blocks: bool = False) -> list[Any]:
        self.sent += commands
        return ["stored", self.confirming]

    async def primary_of(self, key: str) -> str:
        return key


async def test_without_replicas_nothing_is_waited_for() -> None:
    router = ScriptedRouter(0)
    assert await ReplicatedWrites(router, 0, 1, 1).send(WRITE, key="k") == "stored"
    assert router.sent == [WRITE]


async def test_a_confirmed_write_returns_its_reply() -> None:
    router = ScriptedRouter(2)
    assert await ReplicatedWrites(router, 2, 0.5, 1).send(WRITE, key="k") == "stored"
    assert router.sent == [WRITE, ("WAIT", 2, 500)]


async def test_a_shortage_is_raised_until_it_has_lasted() -> None:
    router = ScriptedRouter(0)
    writes = ReplicatedWrites(router, 1, 0.5, 0.05)
    refused = 0
    async with asyncio.timeout(5):
        while True:
            try:
                assert await writes.send(WRITE, key="k") == "stored"
                break
            except NotReplicated:
                refused += 1
                await asyncio.sleep(0)
    assert refused
    assert router.sent[-1] == ("WAIT", 1, SHORTEST_WAIT_MS), "writes are not held up by a replica that is lost for good"


async def test_a_confirmation_ends_the_shortage() -> None:
    router = ScriptedRouter(0)
    writes = ReplicatedWrites(router, 1, 0.5, 3600)
    with pytest.raises(NotReplicated, match="0 of 1"):
        await writes.send(WRITE, key="k")
    router.confirming = 1
    await writes.send(WRITE, key="k")
    assert writes._short_since == {}


async def test_each_primary_has_a_shortage_of_its_own() -> None:
    router = ScriptedRouter(0)
    writes = ReplicatedWrites(router, 1, 0.5, 0.0)
    with pytest.raises(NotReplicated):
        await writes.send(WRITE, key="first")
    assert await writes.send(WRITE, key="first") == "stored"
    with pytest.raises(NotReplicated):
        await writes.send(WRITE, key="second")
