"""When a probe, a runner of no tenant, is started."""

import asyncio

from pageworker_supervisor.runners import host_probe
from pageworker_supervisor.runners.host_probe import HostProbe, ProbeEffects
from pageworker_supervisor.runners.start_history import HostHealth


class ProbedHost:
    """A host whose probes end as the test says."""

    def __init__(self) -> None:
        self.host = HostHealth()
        self.starts = 0
        self.may_start = True
        self.answer: bool | None = True
        self.started = asyncio.Event()
        self.probe = HostProbe(self.host, ProbeEffects(self.start, lambda: self.may_start))

    async def start(self) -> None:
        self.starts += 1
        match self.answer:
            case True:
                self.host.came_up(float(self.starts))
            case False:
                self.host.failed(float(self.starts), "broken")
        self.started.set()

    async def turns(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_a_doubt_is_looked_into_at_once_and_once() -> None:
    probed = ProbedHost()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(probed.probe.run())
        await probed.turns()
        assert probed.starts == 0
        probed.host.doubt()
        probed.probe.look()
        await probed.turns()
        assert probed.starts == 1
        running.cancel()


async def test_it_waits_while_another_start_will_tell() -> None:
    probed = ProbedHost()
    probed.may_start = False
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(probed.probe.run())
        probed.host.doubt()
        probed.probe.look()
        await probed.turns()
        assert probed.starts == 0
        probed.may_start = True
        probed.probe.look()
        await probed.turns()
        assert probed.starts == 1
        running.cancel()


async def test_a_probe_without_an_answer_is_repeated_and_not_in_a_loop() -> None:
    probed = ProbedHost()
    probed.answer = None
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(probed.probe.run())
        probed.host.doubt()
        probed.probe.look()
        await probed.turns()
        assert probed.starts == 1
        probed.started.clear()
        async with asyncio.timeout(5):
            began = asyncio.get_running_loop().time()
            await probed.started.wait()
        assert asyncio.get_running_loop().time() - began > host_probe.RETRY_SECONDS / 2
        running.cancel()
