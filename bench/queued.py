"""Contender: a complete pageworker, sandbox included, from a push to the result in the stream."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from types import MappingProxyType
from typing import Any

from bench.fixtures import redis_server
from bench.process_tree import ProcessTree
from bench.run import BenchRun, BenchSample
from bench.visit import READ_FIELDS
from bench.worker import TENANT, BenchPlan, prepared, started
from pageworker_demo.workspace import Workspace

RUN_SECONDS = 300.0


async def measure(
    site_port: int,
    jobs: int,
    pages: int,
    browser: str,
    folder: str = "p",
    block: Sequence[str] = (),
    more: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    module: str = "visit",
    environment: Mapping[str, str] = MappingProxyType({}),
    beside: Callable[[Workspace], AbstractAsyncContextManager[None]] = lambda _: nullcontext(),
) -> BenchSample:
    """Run one round, cold start included. Raises WrongResult, TimeoutError.

    `folder`: of the site's page. `module`: what runs, in `modules`. `more`: settings of further sections.
    `environment`: variables of the worker. `beside`: what goes on meanwhile.
    """
    with redis_server() as (redis_url, _):
        plan = BenchPlan(redis_url, (module,), pages, browser, site_port, block=block, more=more)
        tree = ProcessTree()
        async with prepared(plan) as workspace:
            run = BenchRun(jobs, tree)
            async with (
                asyncio.timeout(RUN_SECONDS),
                tree.watched(),
                started(workspace, plan, environment) as bench,
                beside(workspace),
            ):
                for number in range(jobs):
                    await bench.queue.push(job(number, folder, f"bench.{module}"))
                async for answer in bench.queue.results():
                    run.result(int(answer["job_id"]), answer["data"])
                    if run.done:
                        break
            return run.sample()


def job(number: int, folder: str = "p", module: str = "bench.visit", scheme: str = "http") -> str:
    """A job that visits page `number`."""
    return json.dumps(
        {
            "job_id": str(number),
            "tenant_id": TENANT,
            "endpoint_module": module,
            "payload": {"url": f"{scheme}://site.example/{folder}/{number}", "read": READ_FIELDS},
            "max_retries": 0,
        }
    )
