"""What `block` saves: jobs on a page of sixty requests with and without its pictures, fonts and media, in turns."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from functools import partial

from bench import queued
from bench.fixtures import KNOWN, site
from bench.options import Options
from bench.rows import BenchRow, compared
from bench.run import BenchSample

PAGES = 4
BLOCK = ("image", "media", "font")
AGAINST = "the same jobs without `block`"
COLUMNS: dict[str, tuple[str, Callable[[BenchSample], float]]] = {
    "jobs_per_second": ("jobs/s", lambda sample: sample.jobs_per_second),
    "cpu_ms_per_job": ("ms", lambda sample: sample.cpu_ms_per_job),
}


def rows(options: Options) -> Iterator[BenchRow]:
    """One row per browser and column."""
    for name, binary in zip(("full", "shell"), KNOWN, strict=True):
        lean, plain = _samples(options, binary)
        for column, (unit, figure) in COLUMNS.items():
            ours, theirs = [figure(sample) for sample in lean], [figure(sample) for sample in plain]
            yield compared(f"lean.{name}_{column}", unit, AGAINST, ours, theirs)


def _samples(options: Options, binary: str) -> tuple[list[BenchSample], list[BenchSample]]:
    lean: list[BenchSample] = []
    plain: list[BenchSample] = []
    with site() as (port, _):
        run = partial(queued.measure, port, options.jobs, PAGES, binary, "mix")
        for round_ in range(options.rounds):
            # The order changes each round: the second contender finds a warmer page cache.
            turns = ((plain, ()), (lean, BLOCK))
            for samples, block in turns if round_ % 2 == 0 else reversed(turns):
                samples.append(asyncio.run(run(block)))
            print(f"round {round_}: plain {plain[-1]}, lean {lean[-1]}", file=sys.stderr)
    return lean, plain
