"""What artifacts cost: a screenshot and the HTML of every page, kept or dropped by the handler, in turns.

The capture itself is the same on both sides. The second row keeps them in an object store that takes five seconds per
object, against a folder: no page may wait for it. The slow store runs in the process of the measurement, which is not
counted.
"""

import asyncio
import statistics
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from bench import queued
from bench.fixtures import browser, site
from bench.options import Options
from bench.rows import BenchRow, compared, median_interval
from bench.run import BenchSample
from bench.stand_in import stand_in

PAGES = 4
PAIRS_PER_ROUND = 4
JOBS = 100
"""Per sample. `--jobs` sets another number."""
OBJECT_SECONDS = 5.0
KEPT: dict[str, dict[str, Any]] = {"flags": {"keep": {"on": True}}}
SLOW: dict[str, dict[str, Any]] = {**KEPT, "artifacts": {"url": "s3://bucket/x"}}
KEYS = {"AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-1"}
# An S3 store that takes everything and keeps nothing.
STORED = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n'

Where = Literal["dropped", "in a folder", "in a slow store"]


def rows(options: Options) -> Iterator[BenchRow]:
    """Two rows: CPU per page, and jobs per second with a slow store."""
    binary = browser()
    jobs = options.jobs if options.jobs != Options().jobs else JOBS
    with site() as (port, _):
        kept, dropped = _pairs(port, jobs, binary, PAIRS_PER_ROUND * options.rounds, "in a folder", "dropped")
        ratios = [mine.cpu_ms_per_job / other.cpu_ms_per_job for mine, other in zip(kept, dropped, strict=True)]
        yield BenchRow(
            name="artifacts.cpu_ms_per_page",
            value=statistics.median(sample.cpu_ms_per_job for sample in kept),
            unit="ms",
            against="the same jobs, which capture the same and keep nothing",
            ratio=statistics.median(ratios),
            interval=median_interval(ratios) if len(ratios) >= 6 else None,
        )
        slow, quick = _pairs(port, jobs, binary, options.rounds, "in a slow store", "in a folder")
        yield compared(
            "artifacts.slow_store_jobs_per_second",
            "jobs/s",
            "the same jobs with artifacts in a folder",
            [sample.jobs_per_second for sample in slow],
            [sample.jobs_per_second for sample in quick],
        )


def _pairs(
    port: int, jobs: int, binary: str, count: int, ours: Where, theirs: Where
) -> tuple[list[BenchSample], list[BenchSample]]:
    samples: dict[Where, list[BenchSample]] = {ours: [], theirs: []}
    for pair in range(count):
        # The order changes each time: the second of a pair finds a warmer page cache.
        for where in (ours, theirs) if pair % 2 == 0 else (theirs, ours):
            samples[where].append(asyncio.run(_sample(port, jobs, binary, where)))
            print(f"pair {pair}: {where} {samples[where][-1]}", file=sys.stderr)
    return samples[ours], samples[theirs]


async def _sample(port: int, jobs: int, binary: str, where: Where) -> BenchSample:
    async def measure(
        more: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str] | None = None
    ) -> BenchSample:
        return await queued.measure(port, jobs, PAGES, binary, module="keep", more=more, environment=environment or {})

    if where == "in a slow store":
        async with stand_in(STORED, OBJECT_SECONDS) as endpoint:
            return await measure(SLOW, {**KEYS, "AWS_ENDPOINT": endpoint})
    return await measure(KEPT if where == "in a folder" else {})
