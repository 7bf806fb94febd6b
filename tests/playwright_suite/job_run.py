"""Runs tests as jobs of one real worker: Redis, sandboxed runner, egress gateway. The suite's servers run outside."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Any

from pw_daemon import HEADLESS_SHELL, Producer, place

from playwright_suite.bundle import CONTROL_HOST, MODULE, write_suite_module
from playwright_suite.outcomes import JobOutcome, SuiteTest

ATTEMPT_SECONDS = 60
HTTP_PORT = 80
UNUSED_PORT = 44123
"""Where the suite expects that no server listens."""

OnOutcome = Callable[[JobOutcome], None]


async def run_jobs(
    python: Path, checkout: Path, tests: Sequence[SuiteTest], on_outcome: OnOutcome, *, alone: bool = False
) -> None:
    """Run the tests one after the other in the runners of one browser context. `alone`: each in a runner of its own."""
    with ExitStack() as stack:
        ports = stack.enter_context(_origin(python, checkout))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pw-suite-")))
        module = write_suite_module(checkout, folder)
        async with place(module) as here, aclosing(Producer(here.redis.url)) as producer:
            settings = _settings(ports, alone)
            with here.worker(**settings):
                await _run(producer, tests, ports, on_outcome)


def _settings(ports: Sequence[int], alone: bool) -> dict[str, Any]:
    *servers, control = ports
    hosts = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", CONTROL_HOST: f"127.0.0.1:{control}"}
    return {
        "browser": HEADLESS_SHELL,
        "pool": {"runners": 1, "pages": 1, "max_jobs": 1 if alone else 1000},
        "egress": {"hosts": hosts, "ports": [*servers, HTTP_PORT, UNUSED_PORT]},
        "artifacts": {"on_failure": False},
    }


async def _run(producer: Producer, tests: Sequence[SuiteTest], ports: Sequence[int], on_outcome: OnOutcome) -> None:
    by_job = {f"t-{number}": test for number, test in enumerate(tests)}
    for job_id, test in by_job.items():
        payload = {
            "file": test.file,
            "group": test.group,
            "function": test.function,
            "indices": test.indices,
            "ports": list(ports[:2]),
        }
        text = producer.job(job_id, MODULE, payload, max_retries=0, timeout_seconds=ATTEMPT_SECONDS)
        await producer.push(text)
        await producer.collect(len(producer.results) + 1, 4 * ATTEMPT_SECONDS)
        on_outcome(outcome_of(test, producer.results[job_id]))


def outcome_of(test: SuiteTest, result: dict[str, Any]) -> JobOutcome:
    """What the result of the test's job says."""
    data, error = result["data"], result["error"]
    runner = result["runner_id"] or ""
    if data is not None:
        return JobOutcome(
            id=test.id,
            outcome=data["outcome"],
            error=data.get("error", ""),
            trace=data.get("trace", ""),
            runner=runner,
        )
    text = f"{error['type']}: {error['message']}" if error else result["status"]
    return JobOutcome(id=test.id, outcome="lost", error=text, trace=json.dumps(error), runner=runner)


@contextmanager
def _origin(python: Path, checkout: Path) -> Iterator[list[int]]:
    """The ports of the suite's HTTP and HTTPS servers, and of the control server."""
    command: list[str | Path] = [python, "-m", "playwright_suite.plain.origin", checkout]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=sys.stderr)
    try:
        assert process.stdout is not None
        ports: list[int] = json.loads(process.stdout.readline())
        yield ports
    finally:
        process.kill()
        process.wait()


def run(python: Path, checkout: Path, tests: Sequence[SuiteTest], on_outcome: OnOutcome, *, alone: bool) -> None:
    """The same from code without an event loop."""
    asyncio.run(run_jobs(python, checkout, tests, on_outcome, alone=alone))
