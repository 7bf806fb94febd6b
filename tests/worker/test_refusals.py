"""A Redis that refuses calls ends no worker: it is not ready, gives the reason, goes on once that is fixed, and
loses no job."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer, redis_server
from pw_worker import Echoes, echoes, nap
from redis.asyncio import Redis

from pageworker_supervisor.redis_client.errors import RedisClientError

ADMIN_PASSWORD = "the test's own"


def admin_client(server: RedisServer) -> Any:
    """A client that no test locks out."""
    server.command("ACL", "SETUSER", "boss", "on", f">{ADMIN_PASSWORD}", "~*", "&*", "+@all")
    return Redis(port=server.port, username="boss", password=ADMIN_PASSWORD, protocol=2)


@contextmanager
def guarded_redis(tmp_path: Path) -> Iterator[tuple[RedisServer, Path, dict[str, Any]]]:
    """A server whose default user has a password, the file that a worker reads it from, and its settings."""
    file = tmp_path / "redis.password"
    file.write_text("old\n")
    with redis_server() as server:
        server.command("CONFIG", "SET", "requirepass", "old")
        yield server, file, {"password_file": str(file)}


async def until_not_ready(worker: Echoes, reason: str) -> None:
    """Wait until the worker reports this reason, asked as GET /readyz asks."""
    async with asyncio.timeout(15):
        while True:
            await worker.worker.refresh_readiness()
            ready, said = worker.worker.ready()
            # Before that it may have used a connection that was closed for the same reason.
            if not ready and reason in said:
                assert worker.worker.status().state == "cut_off"
                return
            await worker.turn()


async def until_ready(worker: Echoes) -> None:
    async with asyncio.timeout(15):
        while not worker.worker.ready()[0]:
            await worker.turn()


async def running(worker: Echoes, job_id: str, milliseconds: int) -> None:
    """A job that has begun."""
    await worker.push(nap(job_id, milliseconds))
    await worker.until(lambda: any(runner.running for runner in worker.components.fleet.runners.values()))


RIGHTS = {
    "call functions": ("-fcall", "fcall"),
    "run scripts": ("-eval", "eval"),
    "hear of work": ("-blmpop", "blmpop"),
    "touch the keys": ("resetkeys", "lacks a permission"),
    "anything": ("-@all", "lacks a permission"),
}


@pytest.mark.parametrize("name", RIGHTS)
async def test_a_right_that_is_withdrawn_and_given_back(name: str, registry_key: tuple[Path, str]) -> None:
    rule, reason = RIGHTS[name]
    with redis_server() as server:
        client = admin_client(server)
        async with echoes(server.url, server, registry_key, client=client) as worker:
            await running(worker, "before", 500)
            await client.execute_command("ACL", "SETUSER", "default", rule)
            await worker.push(nap("meanwhile", 1))
            await until_not_ready(worker, reason)
            # It ends while its result cannot be stored.
            await worker.until(lambda: not any(each.running for each in worker.components.fleet.runners.values()))
            await client.execute_command("ACL", "SETUSER", "default", "~*", "&*", "+@all")
            await worker.answered(2, seconds=20)
            await until_ready(worker)
            assert {result["status"] for result in worker.results.values()} == {"succeeded"}
            assert len(worker.results["before"]["attempts"]) == 1


async def test_a_rotated_password_is_read_again_from_its_file(tmp_path: Path, registry_key: tuple[Path, str]) -> None:
    with guarded_redis(tmp_path) as (server, file, settings):
        # Any: redis-py types a reply as a union of all protocols' shapes.
        client: Any = Redis(port=server.port, password="old", protocol=2)
        async with echoes(server.url, server, registry_key, redis=settings, client=client) as worker:
            await running(worker, "before", 500)
            await client.execute_command("CONFIG", "SET", "requirepass", "new")
            await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await until_not_ready(worker, "Redis refused the password")
            assert str(file) not in worker.worker.ready()[1]
            file.write_text("new\n")
            await worker.push(nap("after", 1))
            await worker.answered(2, seconds=20)
            assert {result["status"] for result in worker.results.values()} == {"succeeded"}


@pytest.mark.parametrize("content", [None, "", "wrong"])
async def test_a_password_file_that_is_away_or_wrong_for_a_while(
    content: str | None, tmp_path: Path, registry_key: tuple[Path, str]
) -> None:
    with guarded_redis(tmp_path) as (server, file, settings):
        # Any: redis-py types a reply as a union of all protocols' shapes.
        client: Any = Redis(port=server.port, password="old", protocol=2)
        async with echoes(server.url, server, registry_key, redis=settings, client=client) as worker:
            file.unlink()
            if content is not None:
                file.write_text(content)
            await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await until_not_ready(worker, "refused the password" if content else "redis.password_file")
            file.write_text("old")
            await worker.push(nap("after", 1))
            await worker.answered(1, seconds=20)


async def test_a_full_redis_takes_no_new_jobs_and_finishes_what_runs(registry_key: tuple[Path, str]) -> None:
    with redis_server(options=["--maxmemory-policy", "noeviction"]) as server:
        async with echoes(server.url, server, registry_key) as worker:
            await running(worker, "before", 800)
            await worker.client.rpush("pw:inbox", "{}")  # rejected, and answered without memory
            await worker.client.config_set("maxmemory", 1)
            await until_not_ready(worker, "Redis is out of memory")
            await worker.answered(1)
            await worker.client.config_set("maxmemory", 0)
            await until_ready(worker)
            await worker.push(nap("after", 1))
            await worker.answered(2)


async def test_a_worker_comes_up_on_a_full_redis_and_frees_it(registry_key: tuple[Path, str]) -> None:
    """Otherwise all workers that restart at once would leave Redis full for ever."""
    with redis_server(options=["--maxmemory-policy", "noeviction"]) as server:
        async with echoes(server.url, server, registry_key) as worker:
            await running(worker, "waits", 60_000)
        async with aclosing(Redis(port=server.port, protocol=2)) as client:
            await client.config_set("maxmemory", 1)
        async with echoes(server.url, server, registry_key, until_ready=False) as worker:
            await worker.until(lambda: bool(worker.started and worker.components.dispatcher.attempts))
            await until_not_ready(worker, "Redis is out of memory")
            await worker.client.config_set("maxmemory", 0)
            await until_ready(worker)


async def test_a_replica_refuses_writes(registry_key: tuple[Path, str]) -> None:
    with redis_server() as primary, redis_server() as server:
        async with echoes(server.url, server, registry_key) as worker:
            await running(worker, "before", 300)
            await worker.client.execute_command("REPLICAOF", "127.0.0.1", str(primary.port))
            await until_not_ready(worker, "Redis is a replica")
            await worker.client.execute_command("REPLICAOF", "NO", "ONE")
            await until_ready(worker)
            await worker.push(nap("after", 1))
            await worker.until(lambda: not worker.components.dispatcher.busy)


async def test_too_few_replicas(registry_key: tuple[Path, str]) -> None:
    with redis_server() as server:
        async with echoes(server.url, server, registry_key) as worker:
            await running(worker, "before", 800)
            await worker.client.config_set("min-replicas-to-write", 1)
            await until_not_ready(worker, "Redis has fewer replicas")
            await worker.client.config_set("min-replicas-to-write", 0)
            await worker.answered(1)


@pytest.mark.parametrize("key", ["pw:{0}:wake:components", "pw:{0}:outbox", "pw:{0}:tenants", "pw:inbox", "pw:jobs"])
async def test_a_key_of_the_wrong_type_ends_no_worker(key: str, registry_key: tuple[Path, str]) -> None:
    with redis_server() as server:
        async with echoes(server.url, server, registry_key) as worker:
            await worker.push(nap("before", 1))
            await worker.answered(1)
            kept = await worker.client.dump(key)
            await worker.client.set(key, "another program wrote this")
            with suppress(RedisClientError):
                await worker.push(nap("meanwhile", 1))
            await asyncio.sleep(3)  # longer than any blocked read
            assert not worker.worker.stop.is_set()
            await worker.client.delete(key)
            if kept:
                await worker.client.restore(key, 0, kept)
            await until_ready(worker)
            await worker.push(nap("after", 1))
            await worker.until(lambda: not worker.components.dispatcher.busy)
