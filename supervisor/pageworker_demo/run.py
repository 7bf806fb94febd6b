"""The whole demo: everything it starts is ended when it ends, however it ends."""

import asyncio
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from httpx import HTTPError
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import RedisError
from rich.console import Console

from pageworker_demo import isolation_report
from pageworker_demo.callback_receiver import DemoReceiver
from pageworker_demo.daemon import Daemon, DaemonFailed, running
from pageworker_demo.loopback_server import free_port, served
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.scenario import SHOP, TENANTS, ScenarioJob, scenario
from pageworker_demo.scenario_runner import ScenarioRunner
from pageworker_demo.shop import Shop
from pageworker_demo.terminal import DemoTerminal
from pageworker_demo.workspace import Workspace, find_examples, publish
from pageworker_supervisor.redis_client.connections import TcpConnection
from pageworker_supervisor.redis_client.users import PRODUCER, READER
from pageworker_supervisor.task_supervision import leaves

EPILOGUE = """
Do it yourself:
  pageworker                                   # a worker with a Redis of its own
  workerctl key new release                    # a key pair to sign with
  workerctl module new acme.prices             # a module that works already; then pack, sign, publish
  workerctl submit acme.prices --tenant acme --payload '{"url": "https://example.com"}' --wait
  workerctl redis password n8n                 # what n8n needs to push jobs to that Redis
README.md has the whole way; examples/ has the modules that ran here."""


def demo(console: Console, *, keep: bool = False) -> int:
    """Run it; returns the exit code: 0 only if all went as expected. `keep`: leave the data folder."""
    began = time.monotonic()
    screen = DemoTerminal(console)
    failure, found = "", ["nothing was shown"]
    try:
        with temporary_folder(keep=keep) as folder:
            if keep:
                screen.step(f"the data folder is {folder}")
            found = asyncio.run(_demo(folder, screen))
    # Groups, since the servers run in task groups around everything else.
    except* (DaemonFailed, HTTPError, RedisError, OSError) as group:
        failure = "\n".join(str(error) for error in leaves(group))
    except* (KeyboardInterrupt, asyncio.CancelledError):
        failure = "interrupted; everything that was started is ended"
    took = time.monotonic() - began
    if failure:
        screen.failed(failure)
        return 1
    if found:
        screen.step(f"{len(found)} things were not as expected ({took:.1f} s)")
        return 1
    screen.epilogue(EPILOGUE)
    screen.step(f"all as expected, in {took:.1f} s")
    return 0


@contextmanager
def temporary_folder(*, keep: bool = False) -> Iterator[Path]:
    """A folder of our own that runners' users can pass through but not list. Goes with the block unless kept."""
    folder = Path(tempfile.mkdtemp(prefix="pageworker-demo-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


async def _demo(folder: Path, screen: DemoTerminal) -> list[str]:
    end_on_signals()
    shop, receiver = Shop(), DemoReceiver(secrets.token_hex(32).encode())
    async with served(shop.app) as shop_port, served(receiver.app) as receiver_port:
        callbacks = f"http://127.0.0.1:{receiver_port}"
        screen.step(f"a shop on 127.0.0.1:{shop_port}, reached through the gateway as {SHOP}")
        stage = Workspace(folder, http_port=free_port(), redis_port=free_port())
        modules = await _prepare(stage, shop_port, callbacks, receiver.secret)
        screen.step(f"signed with a fresh key and published: {', '.join(modules)}")
        async with running(stage.config_file, stage.http_port, stage.log_file) as daemon:
            await daemon.until_ready()
            screen.step(f"pageworker is ready (pid {daemon.process.pid}, its Redis on port {stage.redis_port})")
            try:
                return await _perform(stage, daemon, scenario(callbacks), receiver, screen)
            except* RedisError as group:
                # Its Redis goes with the daemon.
                raise DaemonFailed(f"the queue is gone; the daemon's last words:\n{daemon.last_words()}") from group


def end_on_signals() -> None:
    """Let Ctrl-C and SIGTERM cancel the running task: once, so that impatience does not cut its clean-up short."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    if main is None:
        raise RuntimeError("there is no running task")
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: None if main.cancelling() else main.cancel())


async def _prepare(stage: Workspace, shop_port: int, callbacks: str, secret: bytes) -> list[str]:
    stage.secret_file.write_bytes(secret)
    stage.secret_file.chmod(0o600)
    public_key, modules = await publish(find_examples(), stage.registry)
    stage.configure(
        {
            "worker": {"id": "demo", "drain_seconds": 5.0},
            # Five contexts are in use: three ephemeral ones and two profiles.
            "pool": {"runners": 5, "pages": 3},
            "egress": {"hosts": {"shop.example": f"127.0.0.1:{shop_port}"}},
            "jobs": {"retry_base_seconds": 0.3},
            "modules": {"registry": str(stage.registry), "trusted_keys": [public_key]},
            "tenants": {
                tenant: {
                    "egress": ["shop.example"],
                    "callback_allow": [f"{callbacks}/{tenant}"],
                    "callback_secret_file": str(stage.secret_file),
                }
                for tenant in TENANTS
            },
        }
    )
    return modules


async def _perform(
    stage: Workspace, daemon: Daemon, acts: list[ScenarioJob], receiver: DemoReceiver, screen: DemoTerminal
) -> list[str]:
    async with (
        plain_redis(stage.redis_port, stage.redis_login(PRODUCER)) as producer,
        plain_redis(stage.redis_port, stage.redis_login(READER)) as reader,
    ):
        performance = ScenarioRunner(DemoQueueClient(producer, reader), acts, receiver, screen)
        found = await performance.run()
    screen.table(acts, performance.answers)
    screen.links(performance.answers)
    evidence = isolation_report.rows(await daemon.status())
    screen.isolation(evidence)
    if not evidence:
        found.append("no runner says anything about its isolation")
    if found:
        screen.complaints(found, daemon.last_words())
    return found


@asynccontextmanager
async def plain_redis(port: int, login: tuple[str, str] | None = None) -> AsyncIterator[Redis]:
    """A connection as n8n's: one server, no cluster, nothing special but that it lets itself be cancelled.

    `login`: user and password.
    """
    user, password = login or (None, None)
    pool = ConnectionPool(
        connection_class=TcpConnection, host="127.0.0.1", port=port, protocol=2, username=user, password=password
    )
    redis = Redis.from_pool(pool)
    try:
        yield redis
    finally:
        await redis.aclose()
