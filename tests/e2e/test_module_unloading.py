"""A runner that runs more module versions than it may keep unloads the least recently used one, and no job notices."""

import json
from contextlib import aclosing
from pathlib import Path

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module

from pageworker_supervisor.runners.runner_connection import MAX_VERSIONS

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(200)]

COUNTS = """
handler.calls = getattr(handler, "calls", 0) + 1
return {"calls": handler.calls, "runner": context.runner_id}
"""


def job(job_id: str, module: str) -> str:
    return json.dumps({"job_id": job_id, "tenant_id": "acme", "endpoint_module": module})


async def test_the_least_recently_used_version_is_unloaded(tmp_path: Path) -> None:
    names = [f"many.m{number}" for number in range(MAX_VERSIONS + 1)]
    modules = [write_module(tmp_path, name, COUNTS) for name in names]
    async with place(*modules) as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(pool={"runners": 1, "pages": 1}, browser=HEADLESS_SHELL):
            for name in names:
                await producer.push(job(name, name))
                await producer.collect(names.index(name) + 1, 60)
            await producer.push(job("latest", names[-1]))
            await producer.push(job("first", names[0]))
            await producer.collect(len(names) + 2, 60)
    results = producer.results
    assert {result["status"] for result in results.values()} == {"succeeded"}
    assert len({result["data"]["runner"] for result in results.values()}) == 1
    assert results["latest"]["data"]["calls"] == 2, "it is still loaded"
    assert results["first"]["data"]["calls"] == 1, "it was unloaded, and loaded anew for this job"
