"""A queue on a real Redis, which commands reach by their configuration."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pw_modules.author import Author, packed
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run as run_command

T = TypeVar("T")
OnQueue = Callable[[Callable[[QueueHarness], Awaitable[object]]], None]


@pytest.fixture
def on_queue(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> OnQueue:
    """Runs something on the queue that commands use. A synchronous test: commands bring their own event loop."""
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", live_redis.url)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))

    def run(action: Callable[[QueueHarness], Awaitable[object]]) -> None:
        async def inside() -> None:
            async with open_harness(live_redis.port) as harness:
                await action(harness)

        asyncio.run(inside())

    return run


@pytest.fixture
def shelf(tmp_path: Path, on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch) -> OnQueue:
    """A registry with 1.0.0 (stable), 1.1.0 and 1.2.0, and a Redis, as the settings name them."""
    author = Author()
    (tmp_path / "release.pub").write_text(author.key.public.file())

    async def publish() -> None:
        for version, channel in (("1.0.0", "stable"), ("1.1.0", "canary"), ("1.2.0", "next")):
            await author.publish(tmp_path / "shelf", packed("shop.product", version), channel)

    asyncio.run(publish())
    monkeypatch.setenv("PAGEWORKER_MODULES__REGISTRY", str(tmp_path / "shelf"))
    monkeypatch.setenv("PAGEWORKER_MODULES__TRUSTED_KEYS", json.dumps([str(tmp_path / "release.pub")]))
    return on_queue


@pytest.fixture
def said(shelf: OnQueue, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `workerctl … --json` and returns its exit code and what it printed."""

    def call(line: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = run_command([*line.split(), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else err

    return call
