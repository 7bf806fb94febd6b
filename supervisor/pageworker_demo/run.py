"""Runs the whole demo. Everything that it starts has ended when it returns, however it returns."""

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
from pageworker_demo.scenario import MEMBER_OF, SHOP, TENANTS, ScenarioJob, scenario
from pageworker_demo.scenario_runner import ScenarioRunner
from pageworker_demo.shop import Shop
from pageworker_demo.shop_data import MEMBERS
from pageworker_demo.terminal import DemoTerminal
from pageworker_demo.workspace import Workspace, find_examples, publish
from pageworker_supervisor.redis_client.connections import TcpConnection
from pageworker_supervisor.redis_client.users import PRODUCER, READER
from pageworker_supervisor.task_supervision import leaves

LOGIN_SECRET = "shop_login"  # noqa: S105 - a name
"""The secret that shop.account asks for."""

NEXT_STEPS = """
What to try next:
  workerctl module new acme.prices             # create a module that works
  workerctl module run acme.prices             # run it once, without a worker
  workerctl key new release                    # create a key pair; then `module publish acme.prices --key release.key`
  pageworker --config pageworker.toml          # start a worker with an embedded Redis
  workerctl submit acme.prices --tenant acme --payload '{"url": "https://example.com"}' --wait
  workerctl redis password n8n                 # print what n8n needs to push jobs to that Redis
README.md describes these steps. examples/ has the modules of this demo."""


def demo(console: Console, *, keep: bool = False) -> int:
    """Run the demo. Returns the exit code: 0 only if every result is as expected. `keep`: keep the data folder."""
    began = time.monotonic()
    terminal = DemoTerminal(console)
    failure, found = "", ["the demo did not run"]
    try:
        with temporary_folder(keep=keep) as folder:
            if keep:
                terminal.step(f"Data folder, kept after the demo: {folder}")
            found = asyncio.run(_demo(folder, terminal))
    # Exception groups, since the servers run in task groups around everything else.
    except* (DaemonFailed, HTTPError, RedisError, OSError) as group:
        failure = "\n".join(str(error) for error in leaves(group))
    except* (KeyboardInterrupt, asyncio.CancelledError):
        failure = "Interrupted. Everything that the demo started has ended."
    seconds = time.monotonic() - began
    if failure:
        terminal.failed(failure)
        return 1
    if found:
        terminal.step(f"Failed: {len(found)} differences from what is expected ({seconds:.1f} s).")
        return 1
    terminal.next_steps(NEXT_STEPS)
    terminal.step(f"Done: every result is as expected ({seconds:.1f} s).")
    return 0


@contextmanager
def temporary_folder(*, keep: bool = False) -> Iterator[Path]:
    """A new folder that the runners' users can enter but not list. Deleted after the block unless `keep` is set."""
    folder = Path(tempfile.mkdtemp(prefix="pageworker-demo-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


async def _demo(folder: Path, terminal: DemoTerminal) -> list[str]:
    cancel_on_signals()
    shop, receiver = Shop(), DemoReceiver(secrets.token_hex(32).encode())
    async with served(shop.app) as shop_port, served(receiver.app) as receiver_port:
        callback_base_url = f"http://127.0.0.1:{receiver_port}"
        terminal.step(f"A shop runs on 127.0.0.1:{shop_port}. Jobs reach it as {SHOP} through the egress gateway.")
        workspace = Workspace(folder, http_port=free_port(), redis_port=free_port())
        modules = await prepare(workspace, shop_port, callback_base_url, receiver.secret)
        terminal.step(f"Modules are signed with a new key and published: {', '.join(modules)}.")
        async with running(workspace.config_file, workspace.http_port, workspace.log_file) as daemon:
            await daemon.until_ready()
            terminal.step(
                f"The worker is ready (process {daemon.process.pid}, its Redis on port {workspace.redis_port})."
            )
            try:
                return await run_scenario(workspace, daemon, scenario(callback_base_url), receiver, terminal)
            except* RedisError as group:
                # The worker's Redis ends with the worker.
                reason = f"The queue is not reachable any more. The end of the worker's log:\n{daemon.log_tail()}"
                raise DaemonFailed(reason) from group


def cancel_on_signals() -> None:
    """Have Ctrl-C and SIGTERM cancel the running task. A second signal does not interrupt its clean-up."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    if main is None:
        raise RuntimeError("cancel_on_signals must be called from a task")
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: None if main.cancelling() else main.cancel())


async def prepare(workspace: Workspace, shop_port: int, callback_base_url: str, secret: bytes) -> list[str]:
    """Fill the workspace: secrets, modules, configuration. Returns `NAME VERSION` of each module."""
    workspace.secret_file.write_bytes(secret)
    workspace.secret_file.chmod(0o600)
    for tenant, member in MEMBER_OF.items():
        workspace.store_secret(tenant, LOGIN_SECRET, MEMBERS[member])
    public_key, modules = await publish(find_examples(), workspace.registry)
    workspace.configure(
        {
            "worker": {"id": "demo", "drain_seconds": 5.0},
            # Five browser contexts are in use: three ephemeral ones and two profiles.
            "pool": {"runners": 5, "pages": 3},
            "egress": {"hosts": {"shop.example": f"127.0.0.1:{shop_port}"}},
            "jobs": {"retry_base_seconds": 0.3},
            "modules": {"registry": str(workspace.registry), "trusted_keys": [public_key]},
            "secrets": {
                "backend": "files",
                "files": {"folder": str(workspace.secrets)},
                "grants": {LOGIN_SECRET: {"tenants": list(MEMBER_OF), "modules": ["shop.account"]}},
            },
            "tenants": {
                tenant: {
                    "egress": ["shop.example"],
                    "callback_allow": [f"{callback_base_url}/{tenant}"],
                    "callback_secret_file": str(workspace.secret_file),
                }
                for tenant in TENANTS
            },
        }
    )
    return modules


async def run_scenario(
    workspace: Workspace, daemon: Daemon, jobs: list[ScenarioJob], receiver: DemoReceiver, terminal: DemoTerminal
) -> list[str]:
    """Run every job of the scenario. Returns what is not as expected."""
    async with (
        plain_redis(workspace.redis_port, workspace.redis_login(PRODUCER)) as producer,
        plain_redis(workspace.redis_port, workspace.redis_login(READER)) as reader,
    ):
        runner = ScenarioRunner(DemoQueueClient(producer, reader), jobs, receiver, terminal)
        found = await runner.run()
    terminal.table(jobs, runner.results)
    terminal.artifacts(runner.results)
    isolation = isolation_report.rows(await daemon.status())
    terminal.isolation(isolation)
    if not isolation:
        found.append("no runner reports its isolation")
    if found:
        terminal.problems(found, daemon.log_tail())
    return found


@asynccontextmanager
async def plain_redis(port: int, login: tuple[str, str] | None = None) -> AsyncIterator[Redis]:
    """A connection such as n8n's: one server, no cluster. `login` is user and password."""
    user, password = login or (None, None)
    # TcpConnection, since redis-py's own connection can lose a cancellation on Python 3.11.
    pool = ConnectionPool(
        connection_class=TcpConnection, host="127.0.0.1", port=port, protocol=2, username=user, password=password
    )
    redis = Redis.from_pool(pool)
    try:
        yield redis
    finally:
        await redis.aclose()
