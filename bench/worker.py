"""A worker with one runner on a Redis of the bench's, its modules signed and published as usual."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pageworker_supervisor.demo.daemon import Daemon, running
from pageworker_supervisor.demo.letterbox import Letterbox
from pageworker_supervisor.demo.run import plain_redis, temporary_folder
from pageworker_supervisor.demo.serving import free_port
from pageworker_supervisor.demo.stage import Stage, publish

MODULES = Path(__file__).parent / "modules"
TENANT = "bench"
NO_SITE = 9
"""The discard port, where no page is opened."""


@dataclass(frozen=True)
class Plan:
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
    letterbox: Letterbox


@asynccontextmanager
async def prepared(plan: Plan) -> AsyncIterator[Stage]:
    """Everything that is done before the clock starts."""
    with temporary_folder() as folder:
        stage = Stage(folder, http_port=free_port(), redis_port=0)
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
async def started(stage: Stage, plan: Plan) -> AsyncIterator[Bench]:
    """The worker, from the start of its process to its end."""
    port = urlsplit(plan.redis_url).port
    assert port is not None
    async with plain_redis(port) as redis, running(stage.config_file, stage.http_port, stage.log_file) as daemon:
        yield Bench(daemon, Letterbox(redis))
