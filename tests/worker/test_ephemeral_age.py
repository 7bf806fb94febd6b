"""Under steady load, a runner with an ephemeral context is replaced when it is too old, and no job is lost."""

from pathlib import Path

from pw_servers import RedisServer
from pw_worker import PAGES, echoes, nap, taken

AGE_SECONDS = 0.4


async def test_a_runner_that_is_never_idle_is_replaced(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    pool = {"runners": 2, "ephemeral_seconds": AGE_SECONDS}
    async with echoes(live_redis.url, live_redis, registry_key, more={"pool": pool}) as worker:
        await worker.push(*(nap(f"j{n}", 100) for n in range(40)))
        await worker.until(lambda: taken(worker) == 2 * PAGES)
        first = set(worker.components.fleet.runners)
        await worker.answered(40, 30)
        assert {result["status"] for result in worker.results.values()} == {"succeeded"}
        assert {len(result["attempts"]) for result in worker.results.values()} == {1}
        used = {result["runner_id"] for result in worker.results.values()}
        assert len(used) >= 3
        await worker.until(lambda: not first & set(worker.components.fleet.runners))
        text = worker.metrics().decode()
    assert 'pageworker_runner_restarts_total{reason="retired"}' in text
