"""Warm-page jobs: pageworker against the loop written by hand, in turns."""

import asyncio
import statistics
import sys
from collections.abc import Callable, Iterator

from bench import baseline, queued
from bench.fixtures import browser, site
from bench.options import Options
from bench.process_tree import ProcessTree
from bench.rows import BenchRow, compared
from bench.run import BenchSample

PAGES = 4
AGAINST = f"playwright loop written by hand, {PAGES} warm pages"
COLUMNS: dict[str, tuple[str, Callable[[BenchSample], float]]] = {
    "warm_page_jobs_per_second": ("jobs/s", lambda sample: sample.jobs_per_second),
    "warm_page_cpu_ms_per_job": ("ms", lambda sample: sample.cpu_ms_per_job),
    "peak_pss_mb": ("MB", lambda sample: sample.peak_pss_mb),
    "first_result_seconds": ("s", lambda sample: sample.first_result_seconds),
}


def rows(options: Options) -> Iterator[BenchRow]:
    """One row per column. Each ratio compares with the loop's figure of the same round."""
    binary = browser()
    ours: list[BenchSample] = []
    theirs: list[BenchSample] = []
    with site() as (port, _):

        def run_ours() -> None:
            ours.append(asyncio.run(queued.measure(port, options.jobs, PAGES, binary)))

        def run_theirs() -> None:
            theirs.append(asyncio.run(baseline.measure(port, options.jobs, PAGES, binary, ProcessTree())))

        for round_ in range(options.rounds):
            # The order changes each round: the second contender finds a warmer page cache.
            for contender in (run_theirs, run_ours) if round_ % 2 == 0 else (run_ours, run_theirs):
                contender()
            print(f"round {round_}: by hand {theirs[-1]}, pageworker {ours[-1]}", file=sys.stderr)
    for name, (unit, figure) in COLUMNS.items():
        mine, others = [figure(sample) for sample in ours], [figure(sample) for sample in theirs]
        if all(others):
            yield compared(f"browser.{name}", unit, AGAINST, mine, others)
        else:
            # An unprivileged user may not read the memory of processes of other users.
            yield BenchRow(name=f"browser.{name}", value=statistics.median(mine), unit=unit)
