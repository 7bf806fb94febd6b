"""Any order of any events, on a real Redis, against a ledger: one result each, nothing over a limit, nothing lost."""

import asyncio
import os

from hypothesis import HealthCheck, Phase, settings
from pw_queue import QueueHarness, open_harness
from pw_queue.machine import QueueMachine
from pw_servers import redis_server

EXAMPLES = int(os.environ.get("PW_MACHINE_EXAMPLES", "20"))


def test_any_order_of_events_keeps_the_ledger() -> None:
    async def enter() -> QueueHarness:
        return await opened.__aenter__()

    with redis_server() as server, asyncio.Runner() as runner:
        opened = open_harness(server.port)
        QueueMachine.harness, QueueMachine.runner = runner.run(enter()), runner
        QueueMachine.TestCase.settings = settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # shrinking takes minutes, and forty steps can be read
        )
        try:
            QueueMachine.TestCase().runTest()
        finally:
            runner.run(opened.__aexit__(None, None, None))
