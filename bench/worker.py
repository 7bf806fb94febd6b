"""A worker with one runner on a Redis of the bench's, its modules signed and published as usual."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pageworker_demo.daemon import Daemon, running
from pageworker_demo.loopback_server import free_port
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.run import plain_redis, temporary_folder
from pageworker_demo.workspace import Workspace, publish

MODULES = Path(__file__).parent / "modules"
TENANT = "bench"
NO_SITE = 9
"""The discard port, where no page is opened."""


@dataclass(frozen=True)
class BenchPlan:
    """What the worker is set up with. `site_port`: where `site.example` is."""

    redis_url: str
    modules: Sequence[str]
    pages: int
    browser: str
    site_port: int
    runners: int = 1


@dataclass(frozen=True)
class Bench:
    """A worker that was just started, perhaps not ready yet, and the way to it."""

    daemon: Daemon
    letterbox: DemoQueueClient


@asynccontextmanager
async def prepared(plan: BenchPlan) -> AsyncIterator[Workspace]:
    """Everything that is done before the clock starts."""
    with temporary_folder() as folder:
        stage = Workspace(folder, http_port=free_port(), redis_port=0)
        key, _ = await publish([MODULES / name for name in plan.modules], stage.registry)
        stage.configure(
            {
                "redis": {"url": plan.redis_url},
                "worker": {"id": "bench"},
                "pool": {"runners": plan.runners, "pages": plan.pages, "max_jobs": 1_000_000},
                "browser": {"executable": plan.browser},
                "egress": {"hosts": {"site.example": f"127.0.0.1:{plan.site_port}"}},
                "modules": {"registry": str(stage.registry), "trusted_keys": [key]},
            }
        )
        yield stage


@asynccontextmanager
async def started(stage: Workspace, plan: BenchPlan) -> AsyncIterator[Bench]:
    """The worker, from the start of its process to its end."""
    port = urlsplit(plan.redis_url).port
    assert port is not None
    async with plain_redis(port) as redis, running(stage.config_file, stage.http_port, stage.log_file) as daemon:
        yield Bench(daemon, DemoQueueClient(redis))
