"""The fleet process beside a real worker: it sees its pages, its jobs and how long they take."""

import asyncio

from pw_servers import RedisServer
from pw_worker import PAGES, Echoes, nap
from scaling.conftest import fleet_clients

from pageworker_supervisor.scaling.fleet_watch import FleetLook, FleetWatch


async def test_the_fleet_process_measures_a_real_worker(worker: Echoes, live_redis: RedisServer) -> None:
    async with fleet_clients(live_redis.url, service_seconds=100) as fleet:
        watch = FleetWatch(fleet.redis_client, fleet.queue, fleet.settings)

        async def look() -> FleetLook:
            return await watch.look(keep=False)

        async with asyncio.timeout(20):
            while (await look()).state.workers["ready"] != 1:
                await worker.turn()
        idle = await look()
        assert idle.state.load.pages_per_worker == PAGES
        assert idle.decision.needed_workers == 0
        assert idle.decision.wanted_workers == 1, "the worker that is up, until the fleet was watched for long enough"
        jobs = 3 * PAGES
        await worker.push(*(nap(f"j{number}", 50) for number in range(jobs)))
        assert (await look()).decision.needed_workers >= 1
        await worker.answered(jobs)
        done = await look()
        assert done.state.load.started == jobs
        assert (done.state.load.waiting, done.state.load.running) == (0, 0)
        await worker.push(*(nap(f"k{number}", 500) for number in range(4)))
        waiting = await look()
        assert waiting.state.load.known > 0
        assert waiting.decision.service_seconds < 5, "the scheduler knows how long jobs of this tenant take"
        await worker.answered(4, seconds=30)
