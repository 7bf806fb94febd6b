"""What a worker decides by itself, and what the user of its control socket asks for, is in the audit log."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer, redis_server
from pw_worker import Echoes, echoes

from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.audit.audit_log import verify_store
from pageworker_supervisor.audit.key_file import KEY_FILE, read_key
from pageworker_supervisor.central.document import texts_of_values
from pageworker_supervisor.queue.fleet_workers import EVERY_WORKER

EVICT = ("CONFIG SET", "maxmemory-policy", "allkeys-lru")


async def records(worker: Echoes, folder: Path) -> list[dict[str, Any]]:
    """Every record. Raises AssertionError unless all are verified."""
    key = read_key(folder / KEY_FILE)
    report, lines = await verify_store(worker.queue.audit, {key.id: key}, None)
    assert report.whole, report
    return [line.record for line in lines]


async def recorded(worker: Echoes, folder: Path, action: str) -> dict[str, Any]:
    """The only record of this action, once it is there. Raises TimeoutError."""
    async with asyncio.timeout(30):
        while True:
            if (folder / KEY_FILE).exists():
                found = [record for record in await records(worker, folder) if record["action"] == action]
                if found:
                    (record,) = found
                    return record
            await worker.turn()


def audited(folder: Path) -> dict[str, dict[str, str]]:
    return {"worker": {"data_dir": str(folder)}}


async def test_control(live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path) -> None:
    """Drain and undrain over the control socket."""
    async with echoes(live_redis.url, live_redis, registry_key, more=audited(tmp_path)) as worker:
        client = WorkerClient(tmp_path)
        assert (await asyncio.to_thread(list, client.drain(5, cancel=True)))[-1].event == "done"
        drain = await recorded(worker, tmp_path, "drain")
        assert (drain["kind"], drain["uid"], drain["program"]) == ("operator", os.getuid(), "control socket")
        assert (drain["target"], drain["outcome"]) == ("w1", "done")
        assert drain["detail"] == {"worker": "w1", "deadline_seconds": "5", "cancel": "yes"}
        await asyncio.to_thread(client.undrain)
        assert (await recorded(worker, tmp_path, "undrain"))["outcome"] == "done"


async def test_stored(live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path) -> None:
    """A stored drain that a worker follows, and a command that it refuses meanwhile."""
    async with echoes(live_redis.url, live_redis, registry_key, more=audited(tmp_path)) as worker:
        await worker.queue.workers.store_drain(
            EVERY_WORKER, "n1", 60.0, else_seconds=60.0, who="ada", reason="new kernel", cancel=False
        )
        drain = await recorded(worker, tmp_path, "drain.follow")
        assert (drain["kind"], drain["name"], drain["reason"]) == ("policy", "w1", "new kernel")
        assert drain["detail"] == {"worker": "w1", "who": "ada"}
        await worker.until(lambda: worker.worker.status().state == "draining")
        with pytest.raises(Exception, match="stored drain"):
            await asyncio.to_thread(WorkerClient(tmp_path).undrain)
        refused = await recorded(worker, tmp_path, "undrain")
        assert refused["outcome"].startswith("failed: a stored drain by ada")
        await worker.queue.workers.lift_drain(EVERY_WORKER)
        assert (await recorded(worker, tmp_path, "undrain.follow"))["reason"] == "new kernel"


async def test_config(live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path) -> None:
    """A change of the central configuration that is invalid here."""
    async with echoes(live_redis.url, live_redis, registry_key, more=audited(tmp_path)) as worker:
        store = worker.queue.config
        async with asyncio.timeout(30):
            while not (await store.state()).workers:
                await worker.turn()
        await store.propose("p1", 0, texts_of_values({"pool.runners": -1}), "ada", "to save")
        refused = await recorded(worker, tmp_path, "config.refuse")
        assert (refused["target"], refused["detail"]) == ("a proposed change", {"worker": "w1", "who": "ada"})
        assert "pool.runners" in refused["reason"]


async def test_checks(registry_key: tuple[Path, str], tmp_path: Path) -> None:
    """A self-check that withholds jobs while it fails."""
    with redis_server(maxmemory="1gb", aof=True) as server:
        async with echoes(server.url, server, registry_key, more=audited(tmp_path)) as worker:
            await worker.client.execute_command(*EVICT)
            withheld = await recorded(worker, tmp_path, "jobs.withhold")
            assert (withheld["target"], withheld["reason"]) == ("redis_eviction", "allkeys-lru")
            await worker.client.execute_command("CONFIG SET", "maxmemory-policy", "noeviction")
            await recorded(worker, tmp_path, "jobs.resume")
