"""What the central configuration costs while it does not change: jobs on a worker with it, and on one without.

Both workers run all the time, with echo runners, and get jobs in turns. The processor time is that of the worker and of
its Redis together. On a host with other work it is noisy, so Redis' commands are counted as well.
"""

import statistics
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack

import uvloop

from bench.echo_worker import EchoWorker, echo_worker
from bench.options import Options
from bench.rows import BenchRow, median_interval

PAIRS_PER_ROUND = 8
JOBS = 400
"""Of one contender in one pair."""
WARM_UP_JOBS = 800
TENANT = "bench"
POOL = {"runners": 2, "pages": 8}
AGAINST = "the same jobs on a worker with config.central = off"


def rows(options: Options = Options()) -> Iterator[BenchRow]:
    """Processor time, then commands."""
    yield from uvloop.run(_measured(PAIRS_PER_ROUND * options.rounds))


async def _measured(pairs: int) -> list[BenchRow]:
    async with AsyncExitStack() as stack:
        workers = {
            on: await stack.enter_async_context(
                echo_worker(TENANT, {"pool": POOL, "config": {} if on else {"central": "off"}})
            )
            for on in (True, False)
        }
        for worker in workers.values():
            await _serve(worker, range(WARM_UP_JOBS))
        values, ratios = [], []
        commands: dict[bool, list[float]] = {True: [], False: []}
        for pair in range(pairs):
            first = WARM_UP_JOBS + pair * JOBS
            spent = {}
            for on in (True, False) if pair % 2 else (False, True):
                worker = workers[on]
                seconds, count = await worker.cpu_seconds(), await worker.commands()
                await _serve(worker, range(first, first + JOBS))
                spent[on] = await worker.cpu_seconds() - seconds
                commands[on].append((await worker.commands() - count) / JOBS)
            values.append(1000 * spent[True] / JOBS)
            ratios.append(spent[True] / spent[False])
            print(f"pair {pair}: on {spent[True]:.3f} s, off {spent[False]:.3f} s", file=sys.stderr)
    return [
        BenchRow(
            name="central.cpu_ms_per_job",
            value=statistics.median(values),
            unit="ms",
            against=AGAINST,
            ratio=statistics.median(ratios),
            interval=median_interval(ratios) if len(ratios) >= 6 else None,
        ),
        BenchRow(
            name="central.redis_commands_per_job",
            value=statistics.median(commands[True]),
            unit="commands",
            against=AGAINST,
            ratio=statistics.median(on / off for on, off in zip(commands[True], commands[False], strict=True)),
        ),
    ]


async def _serve(worker: EchoWorker, numbers: range) -> None:
    await worker.push(TENANT, numbers)
    await worker.await_results(len(numbers))
