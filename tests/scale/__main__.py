"""`make scale`: 1,000 workers without runners on one Redis, and 300 on three primaries of a Redis Cluster.

One JSON line each: what idle workers cost a Redis, what a job costs it, how long jobs of a tenant with most of the
backlog and of the other tenants wait, and at which numbers one Redis ends. Those follow from the processor time of
Redis, not from the clock: the clients share the machine with it. `measured` is false if they were late all the same.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import msgspec
import redis
from pw_servers import RedisServer, redis_server
from pw_servers.cluster import cluster

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import connect
from pageworker_supervisor.telemetry import log
from scale.figures import RedisUse, idle_row, load_rows, percentile
from scale.worker_clients import ClientsPlan, ClientsReport

PROCESSES = 2
UP_SECONDS = 300.0
SETTLE_SECONDS = 16.0
"""Until each worker has sent its first heartbeat and its first report."""
END_SECONDS = 900.0
LOOK_SECONDS = 0.5
BIG = "big"
OTHER_TENANTS = 200
BIG_SHARE = 2 / 3
"""Of all jobs: those of one tenant, which come faster than the workers can run them."""
BIG_RATE, OTHER_RATE = 2.0, 0.3
"""Jobs per second of that tenant, and of all others, as a part of what the workers can run."""
PUSH_SECONDS = 0.05
WORKERS = {1: 1000, 3: 300}
"""By shards: what the clients can serve on two cores that nothing else uses. Those of a cluster cost more."""
MOST_LATE_SECONDS = 0.5
"""If the clients were later, the machine was too small or too busy, and the numbers are not those of Redis."""


@dataclass(frozen=True)
class ScaleLoad:
    """A number of workers with one page each. Each job holds a page for some seconds."""

    workers: int
    jobs: int
    seconds: float

    @property
    def jobs_per_second(self) -> float:
        """That the workers can run."""
        return self.workers / self.seconds


def main() -> int:
    """Run both, print, and say whether each job had exactly one result."""
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    parser.add_argument("--workers", type=int, help="default: 1000 on one Redis, 300 on the cluster")
    parser.add_argument("--jobs-per-worker", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="that a job holds its page")
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    parser.add_argument("--shards", type=int, action="append", choices=(1, 3), help="default: both")
    options = parser.parse_args()
    holds = True
    for shards in options.shards or (1, 3):
        workers = options.workers or WORKERS[shards]
        load = ScaleLoad(workers, workers * options.jobs_per_worker, options.seconds)
        with _servers(shards) as (url, servers):
            holds &= asyncio.run(_measure(url, servers, shards, load, options.idle_seconds))
    return 0 if holds else 1


@contextmanager
def _servers(shards: int) -> Iterator[tuple[str, Sequence[RedisServer]]]:
    if shards == 1:
        with redis_server() as server:
            yield server.url, [server]
    else:
        with cluster(primaries=shards) as formed:
            yield formed.url, formed.nodes


async def _measure(url: str, servers: Sequence[RedisServer], shards: int, load: ScaleLoad, idle_seconds: float) -> bool:
    async with _queue(url, shards) as queue, _clients(url, shards, load) as clients:
        await _until(UP_SECONDS, lambda: _all_registered(servers, load.workers))
        await asyncio.sleep(SETTLE_SECONDS)
        idle = await _use_of(servers, asyncio.sleep(idle_seconds))
        print(json.dumps({"shards": shards, "workers": load.workers} | idle_row(idle, load.workers)), flush=True)
        loaded = await _use_of(servers, _push(url, servers, load))
        reports = [await client.end() for client in clients]
        problems = await queue.inspection.stats()
    big, others = _waits(reports)
    results = sum(_results(server) for server in servers)
    left = sum(one.queued + one.delayed + one.running + one.ending for one in problems)
    lost = sum(report.lost for report in reports)
    late = max(report.late_seconds for report in reports)
    about = {"shards": shards, "workers": load.workers, "measured": late <= MOST_LATE_SECONDS}
    for row in load_rows(idle, loaded, load.workers, load.jobs):
        print(json.dumps(about | row), flush=True)
    waits = {"big_tenant_wait_p50": percentile(big, 0.5), "other_tenants_wait_p50": percentile(others, 0.5)}
    waits |= {"other_tenants_wait_p95": percentile(others, 0.95)}
    row = {"jobs": load.jobs, "results": results, "left": left, "leases_lost": lost}
    print(json.dumps(about | row | waits | {"clients_late_seconds": round(late, 2)}), flush=True)
    return results == load.jobs and left == 0


def _waits(reports: Sequence[ClientsReport]) -> tuple[list[float], list[float]]:
    """Seconds that jobs of the big tenant, and of the others, waited, each sorted."""
    big = [wait for report in reports for wait in report.waits.get(BIG, ())]
    others = [wait for report in reports for tenant, waits in report.waits.items() if tenant != BIG for wait in waits]
    return sorted(big), sorted(others)


async def _push(url: str, servers: Sequence[RedisServer], load: ScaleLoad) -> None:
    """The jobs of the big tenant and of the others, each at its rate, and the end of all. Raises TimeoutError."""
    first = servers[0]
    kind = redis.RedisCluster if len(servers) > 1 else redis.Redis
    client = kind.from_url(first.url, socket_timeout=END_SECONDS, socket_connect_timeout=END_SECONDS)
    big = round(load.jobs * BIG_SHARE)
    dice = random.Random(1)
    with client:
        began, pushed = time.monotonic(), [0, 0]
        while sum(pushed) < load.jobs:
            passed = time.monotonic() - began
            due = [
                min(big, round(passed * BIG_RATE * load.jobs_per_second)),
                min(load.jobs - big, round(passed * OTHER_RATE * load.jobs_per_second)),
            ]
            tenants = [BIG] * (due[0] - pushed[0])
            tenants += [f"t{dice.randrange(OTHER_TENANTS)}" for _ in range(due[1] - pushed[1])]
            if tenants:
                client.rpush("pw:inbox", *(_job(sum(pushed) + each, tenant) for each, tenant in enumerate(tenants)))
            pushed = due
            await asyncio.sleep(PUSH_SECONDS)
    await _until(END_SECONDS, lambda: sum(map(_results, servers)) >= load.jobs)


def _job(number: int, tenant: str) -> str:
    payload = {"text": "x" * 500}
    return json.dumps({"job_id": f"j{number}", "tenant_id": tenant, "endpoint_module": "a.b", "payload": payload})


@asynccontextmanager
async def _queue(url: str, shards: int) -> AsyncIterator[QueueClient]:
    redis_client = connect(RedisSettings(url=url, shards=shards))
    try:
        queue = QueueClient(redis_client, shards=shards)
        await queue.load()
        yield queue
    finally:
        await redis_client.aclose()


class _ClientProcess:
    """One process of workers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def end(self) -> ClientsReport:
        """Stop its workers. Raises msgspec.DecodeError if it has failed."""
        output, _ = await self._process.communicate(b"")
        return msgspec.json.decode(output, type=ClientsReport)


@asynccontextmanager
async def _clients(url: str, shards: int, load: ScaleLoad) -> AsyncIterator[list[_ClientProcess]]:
    """The workers, spread over processes."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = asyncio.subprocess.PIPE
    async with AsyncExitStack() as stack:
        found = []
        for number in range(PROCESSES):
            first, last = (load.workers * each // PROCESSES for each in (number, number + 1))
            plan = ClientsPlan(url, shards, first, last, 1, load.seconds)
            words = (sys.executable, "-m", "scale.worker_clients", msgspec.json.encode(plan).decode())
            process = await asyncio.create_subprocess_exec(*words, env=environment, stdin=pipe, stdout=pipe)
            stack.callback(_kill, process)
            found.append(_ClientProcess(process))
        yield found


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


async def _use_of(servers: Sequence[RedisServer], block: Awaitable[None]) -> RedisUse:
    """What the servers used during the block: that of the busiest one."""
    before, began = [_used(server) for server in servers], time.monotonic()
    await block
    seconds, after = time.monotonic() - began, [_used(server) for server in servers]
    return max(
        (RedisUse(seconds, now[0] - then[0], now[1] - then[1]) for then, now in zip(before, after, strict=True)),
        key=lambda use: use.cpu_seconds,
    )


def _used(server: RedisServer) -> tuple[float, int]:
    """Processor seconds of the main thread so far, and commands, those of functions included."""
    cpu = server.command("INFO", "cpu")
    commands = server.command("INFO", "stats")["total_commands_processed"]
    return cpu["used_cpu_user_main_thread"] + cpu["used_cpu_sys_main_thread"], commands


def _all_registered(servers: Sequence[RedisServer], workers: int) -> bool:
    return sum(_count(server, "ZCARD", "workers") for server in servers) >= workers * len(servers)


def _results(server: RedisServer) -> int:
    return _count(server, "XLEN", "results")


def _count(server: RedisServer, command: str, name: str) -> int:
    """Over the shards that this server has."""
    found = 0
    for key in server.command("KEYS", f"pw:{{*}}:{name}"):
        found += server.command(command, key)
    return found


async def _until(seconds: float, holds: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - the servers report no event for it
            await asyncio.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    log.remove()
    sys.exit(main())
