"""`python -m chaos.worker ORDERS`: one supervisor whose runners are echoes or the real thing; words on stdin."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import uvloop
from redis.asyncio.connection import Connection

from chaos.clock import ChaosClock
from chaos.echo import HOST, EchoRooms
from chaos.real import RealRooms
from chaos.worker_config import BreakGateway, FreezeRunner, KillRunner, Orders, Skew, Word
from pageworker_sandbox.launch import survey
from pageworker_supervisor.components import Components, HostEnvironment, Timeouts
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.load import load
from pageworker_supervisor.host.user_ids import reserved
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.obstore_panics import build_runtime
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.telemetry import log, log_to
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.worker import VERSION, Worker

_words = msgspec.json.Decoder(Word)


class ChaosWorker:
    """The product's worker and what may happen to it from inside."""

    def __init__(self, site: HostEnvironment, clock: ChaosClock, furniture: type[EchoRooms | RealRooms]) -> None:
        self.rooms: list[EchoRooms | RealRooms] = []
        self._furniture = furniture
        self.worker = Worker(site, self._furnish)
        self._clock = clock

    def _furnish(
        self, site: HostEnvironment, name: str, redis_client: RedisClient, queue: QueueClient, registry: Registry
    ) -> Components:
        rooms = self._furniture(site, name, redis_client, queue, registry)
        self.rooms.append(rooms)
        return rooms

    def hear(self) -> None:
        """What stands on stdin now."""
        for line in os.read(0, 65536).splitlines():
            match _words.decode(line):
                case Skew(seconds):
                    self._clock.ahead_seconds = seconds
                case KillRunner() if self.rooms:
                    self.rooms[-1].hit(None)
                case BreakGateway(seconds) if self.rooms:
                    self.rooms[-1].break_gateway(seconds)
                case FreezeRunner(seconds) if self.rooms:
                    self.rooms[-1].hit(seconds)

    async def run(self) -> None:
        """Until SIGTERM."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.worker.stop.set)
        loop.add_reader(0, self.hear)
        await self.worker.run()
        log.info("stopped")


def reroute(routes: dict[int, int]) -> None:
    """Connections to these ports go to others instead, whoever names them: a URL, a Sentinel or a node."""

    def arguments(connection: Connection) -> dict[str, object]:
        return {"host": connection.host, "port": routes.get(int(connection.port), connection.port)}

    vars_of: dict[str, object] = {"_connection_arguments": arguments}
    for name, value in vars_of.items():
        setattr(Connection, name, value)


def main() -> None:
    """Exits 0 after a drain."""
    orders = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)
    settings = load(Path(orders.config), {})
    log_to(settings.log, worker_id=settings.worker.id)
    reroute(orders.routes)
    clock = ChaosClock()
    clock.install()
    clock.ahead_seconds = orders.ahead_seconds
    EchoRooms.locks = Path(orders.profiles)
    silent = orders.silent_seconds
    pace = Timeouts(
        orders.lease_ms,
        orders.promise_ms,
        IntakeTimeouts(block_seconds=1.0, upkeep_seconds=silent / 3, silent_seconds=silent, forget_seconds=4 * silent),
    )
    metrics = Metrics(settings.tenants, version=VERSION, worker_id=settings.worker.id)
    echo = orders.runners == "echo"
    host = HOST if echo else survey(settings.sandbox.python, settings.browser.executable)
    data_dir = data_dir_of(settings)
    with reserved(settings.sandbox, data_dir) as uids:
        site = HostEnvironment(settings, data_dir, host, metrics, pace, uids)
        build_runtime()  # as the daemon does
        uvloop.run(ChaosWorker(site, clock, EchoRooms if echo else RealRooms).run())


if __name__ == "__main__":
    main()
