"""A worker on a Redis of the measurement. Its modules are signed and published as usual."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pageworker_demo.daemon import Daemon, running
from pageworker_demo.loopback_server import free_port
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.run import plain_redis, temporary_folder
from pageworker_demo.workspace import Workspace, publish

MODULES = Path(__file__).parent / "modules"
TENANT = "bench"
NO_SITE = 9
"""The discard port, for jobs that open no page."""


@dataclass(frozen=True)
class BenchPlan:
    """The worker's configuration. `site_port`: the port of `site.example`."""

    redis_url: str
    modules: Sequence[str]
    pages: int
    browser: str
    site_port: int
    runners: int = 1
    block: Sequence[str] = ()
    """Types of requests that the tenant's browsers do not send."""
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of further sections."""


@dataclass(frozen=True)
class Bench:
    """A started worker, which may not be ready yet, and a client of its queue."""

    daemon: Daemon
    queue: DemoQueueClient


@asynccontextmanager
async def prepared(plan: BenchPlan) -> AsyncIterator[Workspace]:
    """Do everything that is not measured: publish the modules, write the configuration."""
    with temporary_folder() as folder:
        workspace = Workspace(folder, http_port=free_port(), redis_port=0)
        key, _ = await publish([MODULES / name for name in plan.modules], workspace.registry)
        workspace.configure(
            {
                "redis": {"url": plan.redis_url},
                "worker": {"id": "bench"},
                "pool": {"runners": plan.runners, "pages": plan.pages, "max_jobs": 1_000_000},
                "browser": {"executable": plan.browser},
                "tenants": {"*": {}, TENANT: {"block": list(plan.block)}},
                "egress": {"hosts": {"site.example": f"127.0.0.1:{plan.site_port}"}},
                "modules": {"registry": str(workspace.registry), "trusted_keys": [key]},
                **plan.more,
            }
        )
        yield workspace


@asynccontextmanager
async def started(
    workspace: Workspace, plan: BenchPlan, environment: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Bench]:
    """Run the worker until the block ends. `environment`: variables to add to its own."""
    port = urlsplit(plan.redis_url).port
    assert port is not None
    async with (
        plain_redis(port) as redis,
        running(workspace.config_file, workspace.http_port, workspace.log_file, environment) as daemon,
    ):
        yield Bench(daemon, DemoQueueClient(redis))
