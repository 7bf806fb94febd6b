"""`python -m chaos.worker CONFIG`: one supervisor with echo or real runners. It reads commands from stdin."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import uvloop
from redis.asyncio.connection import Connection

from chaos.clock import ChaosClock
from chaos.echo import HOST, EchoComponents
from chaos.real import RealComponents
from chaos.worker_config import BreakGateway, ChaosWorkerConfig, FreezeRunner, KillRunner, Skew, WorkerCommand
from pageworker_sandbox.launch import survey
from pageworker_supervisor.components import Components, HostEnvironment, Timeouts
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.load import read_local
from pageworker_supervisor.host.user_ids import reserved
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.obstore_panics import build_runtime
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.telemetry import log, log_to
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.worker import VERSION, Worker

_decoder = msgspec.json.Decoder(WorkerCommand)


class ChaosWorker:
    """The product's worker, and faults from inside its process."""

    def __init__(
        self, site: HostEnvironment, clock: ChaosClock, components_type: type[EchoComponents | RealComponents]
    ) -> None:
        self.components: list[EchoComponents | RealComponents] = []
        self._components_type = components_type
        self.worker = Worker(site, self._build_components)
        self._clock = clock

    def _build_components(
        self, site: HostEnvironment, name: str, redis_client: RedisClient, queue: QueueClient, registry: Registry
    ) -> Components:
        components = self._components_type(site, name, redis_client, queue, registry)
        self.components.append(components)
        return components

    def read_commands(self) -> None:
        """Carry out the commands that stdin holds now."""
        for line in os.read(0, 65536).splitlines():
            match _decoder.decode(line):
                case Skew(seconds):
                    self._clock.ahead_seconds = seconds
                case KillRunner() if self.components:
                    self.components[-1].hit(None)
                case BreakGateway(seconds) if self.components:
                    self.components[-1].break_gateway(seconds)
                case FreezeRunner(seconds) if self.components:
                    self.components[-1].hit(seconds)

    async def run(self) -> None:
        """Run until SIGTERM."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.worker.stop.set)
        loop.add_reader(0, self.read_commands)
        await self.worker.run()
        log.info("stopped")


def reroute(routes: dict[int, int]) -> None:
    """Redirect connections to these ports, wherever the port comes from: a URL, a Sentinel or a cluster node."""

    def arguments(connection: Connection) -> dict[str, object]:
        return {"host": connection.host, "port": routes.get(int(connection.port), connection.port)}

    vars_of: dict[str, object] = {"_connection_arguments": arguments}
    for name, value in vars_of.items():
        setattr(Connection, name, value)


def main() -> None:
    """Run the worker; exit code 0 after a drain."""
    config = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=ChaosWorkerConfig)
    local = read_local(Path(config.config_file), {})
    settings = local.settings()
    log_to(settings.log, worker_id=settings.worker.id)
    reroute(config.routes)
    clock = ChaosClock()
    clock.install()
    clock.ahead_seconds = config.ahead_seconds
    EchoComponents.locks = Path(config.profiles)
    silent = config.silent_seconds
    timeouts = Timeouts(
        config.lease_ms,
        config.promise_ms,
        IntakeTimeouts(block_seconds=1.0, upkeep_seconds=silent / 3, silent_seconds=silent, forget_seconds=4 * silent),
    )
    metrics = Metrics(settings.tenants, version=VERSION, worker_id=settings.worker.id)
    echo = config.runners == "echo"
    host = HOST if echo else survey(settings.sandbox.python, settings.browser.executable)
    data_dir = data_dir_of(settings)
    with reserved(settings.sandbox, data_dir) as uids:
        site = HostEnvironment(settings, data_dir, host, metrics, timeouts, uids, local=local)
        build_runtime()  # as the daemon does
        uvloop.run(ChaosWorker(site, clock, EchoComponents if echo else RealComponents).run())


if __name__ == "__main__":
    main()
