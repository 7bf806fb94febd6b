"""What metrics, logs and traces cost together: jobs on a worker with all of them and on one without, in turns.

With: a trace of every job, log lines of level `info`, console lines of pages, and a scrape of `/metrics` each second.
Without: no traces, log lines of level `error`, no console lines, no scrape. The collector and the scraper run in the
process of the measurement, which is not counted.
"""

import asyncio
import statistics
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import httpx

from bench import queued
from bench.fixtures import browser, site
from bench.options import Options
from bench.rows import BenchRow, median_interval
from bench.run import BenchSample
from bench.stand_in import stand_in
from pageworker_demo.workspace import Workspace

PAGES = 4
PAIRS_PER_ROUND = 4
JOBS = 100
"""Per sample. `--jobs` sets another number."""
SCRAPE_SECONDS = 1.0
AGAINST = "the same jobs without traces, log lines and scrapes"
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
"""The collector takes everything and keeps nothing."""
OFF = {"log": {"level": "error", "browser": "off"}}


def rows(options: Options) -> Iterator[BenchRow]:
    """One row: CPU per page."""
    binary = browser()
    jobs = options.jobs if options.jobs != Options().jobs else JOBS
    ratios: list[float] = []
    values: list[float] = []
    with site() as (port, _):
        for pair in range(PAIRS_PER_ROUND * options.rounds):
            # The order changes each time: the second of a pair finds a warmer page cache.
            first_on = pair % 2 == 0
            samples = {on: _sample(port, jobs, binary, on=on) for on in (first_on, not first_on)}
            values.append(samples[True].cpu_ms_per_job)
            ratios.append(values[-1] / samples[False].cpu_ms_per_job)
            print(f"pair {pair}: on {samples[True]}, off {samples[False]}", file=sys.stderr)
    yield BenchRow(
        name="observe.cpu_ms_per_page",
        value=statistics.median(values),
        unit="ms",
        against=AGAINST,
        ratio=statistics.median(ratios),
        interval=median_interval(ratios) if len(ratios) >= 6 else None,
    )


def _sample(port: int, jobs: int, binary: str, *, on: bool) -> BenchSample:
    async def run() -> BenchSample:
        if not on:
            return await queued.measure(port, jobs, PAGES, binary, more=OFF)
        async with stand_in(TAKEN) as endpoint:
            tracing = {"tracing": {"endpoint": endpoint}}
            return await queued.measure(port, jobs, PAGES, binary, more=tracing, beside=scraped)

    return asyncio.run(run())


@asynccontextmanager
async def scraped(workspace: Workspace) -> AsyncIterator[None]:
    """Scrape the worker's metrics while the block runs."""

    async def scrape() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                with suppress(httpx.HTTPError):
                    await client.get(f"http://127.0.0.1:{workspace.http_port}/metrics")
                await asyncio.sleep(SCRAPE_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        scraping = tasks.create_task(scrape())
        try:
            yield
        finally:
            scraping.cancel()
