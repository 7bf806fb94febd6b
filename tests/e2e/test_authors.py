"""What modules do by mistake or on purpose: each job ends as documented, and the worker goes on."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module

from pageworker_sandbox.egress.messages import MAX_HOSTS
from pageworker_sandbox.signing.manifest import MAX_ENTRIES

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(200)]

# Sends pongs without end, not through the runner's own code.
FLOODS = """
import os, struct, sys
pong = b"\\x81\\xa6number\\x01"
frames = (struct.pack("!BBI", 67, 0, len(pong)) + pong) * 4000
channel = int(sys.argv[sys.argv.index("--channel-fd") + 1])
os.set_blocking(channel, True)
while True:
    os.write(channel, frames)
"""
# The page is never given back.
HOARDS = """
from pageworker_runner.attempts.executor import AttemptExecutor
async def never(*given):
    await asyncio.Event().wait()
AttemptExecutor._recycle = never
return {}
"""
NUMERIC_PRICE = '[output.properties.price]\ntype = "number"\n'
BODIES = {
    "floods": FLOODS,
    "hoards": HOARDS,
    "spins": "while True:\n    pass",
    "exits": "import os\nos._exit(0)",
    "swallows": "while True:\n    try:\n        await asyncio.sleep(100)\n    except BaseException:\n        pass",
    "later": "if context.attempt == 1:\n    raise RetryLater('busy', delay_seconds=1.5)\nreturn {}",
    "numbers": "raise Failed(404)",
    "leaves": "for n in range(20):\n    await helpers.artifact(f'a{n}', b'x')\nraise Failed('no')",
    "leaves_much": "for n in range(4):\n    await helpers.artifact('a', bytes(31 * 1024 * 1024))",
    "counts": "return {'count': len(payload['x'])}",
    "lies": "return {'price': 'much'}",
    # Each module names as many hosts as it may. All together exceed the policy of one runner.
    **{f"wide{number}": "return {}" for number in range(MAX_HOSTS // MAX_ENTRIES + 1)},
}
WANTED: dict[str, tuple[str, str | None]] = {
    "floods": ("timed_out", "timeout"),
    "hoards": ("succeeded", None),
    "spins": ("timed_out", "timeout"),
    "exits": ("dead", "poison"),
    "swallows": ("timed_out", "timeout"),
    "later": ("succeeded", None),
    "numbers": ("failed", "module_failure"),
    "leaves": ("failed", "module_failure"),
    "leaves_much": ("failed", "output_limit"),
    "counts": ("succeeded", None),
    "lies": ("failed", "result_invalid"),
    **{name: ("succeeded", None) for name in BODIES if name.startswith("wide")},
}


async def test_every_job_ends_as_documented_and_the_worker_does_not_mind(tmp_path: Path) -> None:
    modules = [
        write_module(
            tmp_path,
            f"odd.{name}",
            body,
            [f"{name}-{n}.example" for n in range(MAX_ENTRIES) if "wide" in name],
            more_toml=NUMERIC_PRICE if name == "lies" else "",
        )
        for name, body in BODIES.items()
    ]
    async with place(*modules) as here, aclosing(Producer(here.redis.url)) as producer:
        pool = {"runners": 3, "pages": 3, "recycle_seconds": 1}
        with here.worker(jobs={"retry_base_seconds": 0.1}, pool=pool, browser=HEADLESS_SHELL) as daemon:
            await producer.push(*map(job, BODIES))
            await producer.collect(len(BODIES), 120)
            async with asyncio.timeout(30):
                while any(runner.tenant_id == "hoards" for runner in daemon.status().runners):
                    await producer.settle()
            assert daemon.terminate() == 0
    found = {name: (result["status"], (result["error"] or {}).get("type")) for name, result in producer.results.items()}
    assert found == WANTED
    assert producer.results["counts"]["data"] == {"count": 60_000}
    assert producer.results["lies"]["error"]["detail"][0]["field"] == "data.price"
    assert len(producer.results["leaves"]["artifacts"]) == 22
    assert "together" in producer.results["leaves_much"]["error"]["message"]
    assert producer.results["later"]["timing"]["total"] > 1.5
    assert set(producer.stream.values()) == {1}


def job(name: str) -> str:
    """Modules that end their runner get a tenant of their own."""
    tenant = (
        name if name in ("spins", "exits", "swallows", "floods", "hoards") else "wide" if "wide" in name else "acme"
    )
    payload: dict[str, Any] = {}
    if name == "counts":
        # The largest payload: it grows most on its way to the runner.
        payload = {"x": [1.5] * 60_000}
    fields: dict[str, Any] = {"job_id": name, "tenant_id": tenant, "endpoint_module": f"odd.{name}", "payload": payload}
    if name in ("spins", "swallows", "floods"):
        fields |= {"timeout_seconds": 1, "max_retries": 0}
    return json.dumps(fields, separators=(",", ":"))
