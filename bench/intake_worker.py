"""Contender: intake alone, in one process: moves what is pushed into the queue until it is killed."""

import uvloop

from bench.work import REDIS_URL
from pageworker_supervisor.config.settings import JobSettings, RedisSettings, TenantSettings
from pageworker_supervisor.intake import Admission, Intake
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import connect
from pageworker_supervisor.telemetry.metrics import Metrics


async def work() -> None:
    """Serve until killed."""
    redis_client = connect(RedisSettings(url=REDIS_URL))
    queue = QueueClient(redis_client)
    await queue.load()
    admission = Admission({"*": TenantSettings()}, {}, JobSettings())
    await Intake(redis_client, queue.producer, admission, "pw", "w1", Metrics()).run()


if __name__ == "__main__":
    uvloop.run(work())
