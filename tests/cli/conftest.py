"""A queue on a real Redis, which commands reach by their configuration."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cli.commands import valid_json
from pw_modules.author import Author, packed
from pw_profiles import KEY, Homes, SnapshotWorker, act_in_process
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer

from pageworker_profiles import ProfileStore
from pageworker_profiles.snapshots.folder_objects import FolderObjects
from pageworker_supervisor.cli.app import run as run_command

T = TypeVar("T")
OnQueue = Callable[[Callable[[QueueHarness], Awaitable[object]]], None]
LATER = 2**53 // 4
"""A fence above those of commands, which are the microseconds of Redis' clock."""
Told = Callable[[str], tuple[int, Any]]


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


@pytest.fixture
def told(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs `workerctl profile … --json`. Returns the exit code, and the valid value or the complaint."""

    def call(line: str) -> tuple[int, Any]:
        capsys.readouterr()
        words = line.split()
        code = run_command(["profile", *words, "--json"])
        out, err = capsys.readouterr()
        return code, valid_json(f"profile {words[0]}", out) if out else err

    return call


@pytest.fixture
def local(tmp_path: Path) -> ProfileStore:
    """The data folder of this host, with two profiles of acme."""
    store = ProfileStore(tmp_path / "profiles")
    for profile_id in ("Main", "other"):
        with store.open("acme", profile_id, 1, None) as lease:
            (lease.path / "Cookies").write_text("x" * 5000)
    return store


@pytest.fixture
def record() -> Homes:
    """The worker's record of where profiles live."""
    return Homes()


@pytest.fixture
def stored(tmp_path: Path, record: Homes, monkeypatch: pytest.MonkeyPatch) -> SnapshotWorker:
    """A worker with a snapshot store, which the settings name, and three snapshots of acme/p in it."""
    act_in_process(monkeypatch)
    for name in ("store", "secrets/_fleet"):
        (tmp_path / name).mkdir(parents=True)
    key = tmp_path / "secrets/_fleet/profile_key"
    key.touch(0o600)
    key.write_text(KEY.hex())
    monkeypatch.setenv("PAGEWORKER_PROFILES__STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("PAGEWORKER_PROFILES__KEY_SECRET", "profile_key")
    monkeypatch.setenv("PAGEWORKER_SECRETS__BACKEND", "files")
    monkeypatch.setenv("PAGEWORKER_SECRETS__FILES__FOLDER", str(tmp_path / "secrets"))
    worker = SnapshotWorker("w1", tmp_path / "w1", FolderObjects(tmp_path / "store"), record)

    async def visits() -> None:
        for fence, text in enumerate(("one", "two", "three"), 1):
            await worker.visit(fence, text)

    asyncio.run(visits())
    return worker
