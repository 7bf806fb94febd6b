"""A condition that is lost while a worker serves: it is reported, and if it must hold, no job is taken."""

import asyncio
import time
from pathlib import Path

import pytest
from pw_servers import RedisServer, redis_server
from pw_servers.waiting import until
from pw_worker import Echoes, echoes, nap

LOST_EVICTION = b'pageworker_self_check_failed{check="redis_eviction"} 1.0'
LOST_FILE = b'pageworker_self_check_failed{check="redis_persistence"} 1.0'
CONFIG = "CONFIG SET"


async def until_told(worker: Echoes, sample: bytes, told: bool = True) -> None:
    await worker.until(lambda: (sample in worker.metrics()) is told)


async def test_an_eviction_policy_that_is_changed_withholds_jobs_until_it_is_back(
    registry_key: tuple[Path, str],
) -> None:
    with redis_server(maxmemory="1gb", aof=True) as server:
        async with echoes(server.url, server, registry_key) as worker:
            await worker.push(nap("before", 1500))
            await worker.until(lambda: any(runner.running for runner in worker.components.fleet.runners.values()))
            await worker.client.execute_command(CONFIG, "maxmemory-policy", "allkeys-lru")
            await until_told(worker, LOST_EVICTION)
            ready, reason = worker.worker.ready()
            assert (ready, worker.worker.status().state) == (False, "failing")
            assert reason.startswith("self-check redis_eviction: allkeys-lru; run CONFIG SET maxmemory-policy")
            await worker.push(nap("meanwhile", 1))
            await worker.answered(1)  # the job that ran has ended
            await asyncio.sleep(0.5)
            assert list(worker.results) == ["before"]
            await worker.client.execute_command(CONFIG, "maxmemory-policy", "noeviction")
            await worker.answered(2)
            assert worker.worker.ready()[0]
            assert LOST_EVICTION not in worker.metrics()


async def test_a_check_that_warns_changes_a_metric_alone(registry_key: tuple[Path, str]) -> None:
    with redis_server(maxmemory="1gb", aof=True) as server:
        async with echoes(server.url, server, registry_key, more={"checks": {"redis_eviction": "warn"}}) as worker:
            await worker.client.execute_command(CONFIG, "maxmemory-policy", "allkeys-lru")
            await worker.client.execute_command(CONFIG, "appendonly", "no")
            await until_told(worker, LOST_EVICTION)
            await until_told(worker, LOST_FILE)
            assert worker.worker.ready() == (True, "")
            await worker.push(nap("meanwhile", 1))
            await worker.answered(1)
            await worker.client.execute_command(CONFIG, "appendonly", "yes")
            await until_told(worker, LOST_FILE, told=False)


async def test_a_replica_without_an_append_only_file_takes_over(registry_key: tuple[Path, str]) -> None:
    """The worker that served with a file learns that the new primary has none, and that it has no replica."""
    with redis_server(aof=True) as server, redis_server(replica_of=server) as replica:
        await asyncio.to_thread(_synchronised, replica)
        async with echoes(server.url, server, registry_key) as worker:
            assert LOST_FILE not in worker.metrics()
            replica.command("REPLICAOF", "NO", "ONE")
            await worker.client.execute_command(CONFIG, "appendonly", "no")
            await until_told(worker, LOST_FILE)
            await until_told(worker, b'pageworker_self_check_failed{check="redis_replicas"} 1.0')
            assert worker.worker.ready()[0]
            # Otherwise the worker, which stops, waits for a replica that confirms its last writes.
            replica.command("REPLICAOF", "127.0.0.1", str(server.port))
            await until_told(worker, b'pageworker_self_check_failed{check="redis_replicas"} 0.0')


async def test_a_check_that_is_off_is_not_made(registry_key: tuple[Path, str]) -> None:
    with redis_server() as server:
        async with echoes(server.url, server, registry_key, more={"checks": {"redis_persistence": "off"}}) as worker:
            assert b"redis_persistence" not in worker.metrics()
            assert b'pageworker_self_check_failed{check="redis_eviction"} 0.0' in worker.metrics()


async def test_a_clock_that_jumps_is_counted(registry_key: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server(aof=True) as server:
        async with echoes(server.url, server, registry_key) as worker:
            await asyncio.sleep(0.5)
            ahead = time.time() + 60
            monkeypatch.setattr("pageworker_supervisor.self_checks.redis_reading.time.time", lambda: ahead)
            await until_told(worker, b'pageworker_clock_jumps_total{clock="worker"} 1.0')
            await until_told(worker, b'pageworker_self_check_failed{check="redis_clock"} 1.0')
            assert b'{clock="redis"}' not in worker.metrics()
            assert worker.worker.ready()[0]


def _synchronised(replica: RedisServer) -> None:
    until(lambda: replica.command("INFO", "replication")["master_link_status"] == "up", "the replica follows")
