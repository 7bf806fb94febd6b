"""Any order of what befalls a batch, on a real Redis: counts are the truth, and each round is completed once."""

import asyncio
import os

from hypothesis import HealthCheck, Phase, settings
from pw_queue import QueueHarness, open_harness
from pw_queue.batch_machine import BatchMachine
from pw_servers import redis_server

EXAMPLES = int(os.environ.get("PW_MACHINE_EXAMPLES", "8"))


def test_any_order_of_events_keeps_the_counts() -> None:
    async def enter() -> QueueHarness:
        harness = await opened.__aenter__()
        BatchMachine.events = harness.client.pubsub()
        await BatchMachine.events.subscribe("pw:events:acme")
        return harness

    async def leave() -> None:
        await BatchMachine.events.aclose()
        await opened.__aexit__(None, None, None)

    with redis_server() as server, asyncio.Runner() as runner:
        opened = open_harness(server.port)
        BatchMachine.harness, BatchMachine.runner = runner.run(enter()), runner
        BatchMachine.TestCase.settings = settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # shrinking takes minutes, and thirty steps can be read
        )
        try:
            BatchMachine.TestCase().runTest()
        finally:
            runner.run(leave())
