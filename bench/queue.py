"""The queue alone, no browser, each contender in one process: what fairness, limits, leases and fencing cost.

Against the peers that read streams too, and against a loop written by hand. All move the same payloads and results
through a Redis of the same settings, in turns.
"""

import asyncio
import statistics
import sys
from collections.abc import Iterator

from redis.asyncio import Redis

from bench.options import Options
from bench.peer_venv import PeersMissing, peer_python, versions
from bench.rows import BenchRow, compared
from bench.stopwatch import Contender, jobs_per_second

JOBS_PER_BROWSER_JOB = 50
"""Jobs of this suite per job of the browser suite: the queue alone handles about as many times more jobs per second."""
NAME = "queue.jobs_per_second"
PEERS = ("taskiq", "streaq")


async def _left_of_ours(client: Redis) -> int:
    return int(await client.hget("pw:{0}:meta", "jobs") or 0)


async def _left_of_raw(client: Redis) -> int:
    return int(await client.xlen("raw"))


async def _left_of_taskiq(client: Redis) -> int:
    # Entries stay in its stream; what counts is what is not read, and what is not acknowledged.
    (group,) = await client.xinfo_groups("taskiq")
    return int(group["pending"]) + int(group["lag"])


async def _left_of_streaq(client: Redis) -> int:
    return int(await client.xlen("streaq:default:queues:normal"))


def rows(options: Options = Options()) -> Iterator[BenchRow]:
    """Our rate, and its ratio to each other's of the same round."""
    rates = _rates(contenders(), options.rounds, JOBS_PER_BROWSER_JOB * options.jobs)
    ours = rates["pageworker"]
    yield compared(NAME, "jobs/s", "stream consumer written by hand", ours, rates["raw"])
    pinned = versions()
    for peer in PEERS:
        name, against = f"{NAME}_vs_{peer}", f"{peer} {pinned[peer]}"
        if peer in rates:
            yield compared(name, "jobs/s", against, ours, rates[peer])
        else:
            # Without a ratio the bound is not kept: nothing was proved.
            yield BenchRow(name=name, value=statistics.median(ours), unit="jobs/s", against=f"{against}, not installed")


def contenders() -> list[Contender]:
    """All that can run here. Says in one line on stderr which cannot."""
    found = [
        Contender("raw", "bench.raw", _left_of_raw, "raw:result:*"),
        Contender("pageworker", "bench.consumer", _left_of_ours, "pw:result:*"),
    ]
    try:
        python = peer_python()
    except PeersMissing as missing:
        print(missing, file=sys.stderr)
        return found
    return [
        *found,
        Contender("taskiq", "bench.peers.taskiq_peer", _left_of_taskiq, "taskiq:result:*", python),
        Contender("streaq", "bench.peers.streaq_peer", _left_of_streaq, "streaq:default:task:results:*", python),
    ]


def _rates(field: list[Contender], rounds: int, jobs: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {contender.name: [] for contender in field}
    for round_ in range(rounds):
        # Another one first each round: a later contender finds a warmer host.
        first = round_ % len(field)
        for contender in field[first:] + field[:first]:
            rates[contender.name].append(asyncio.run(jobs_per_second(contender, jobs)))
        said = ", ".join(f"{name} {rate[-1]:.0f}" for name, rate in rates.items())
        print(f"round {round_}, jobs/s: {said}", file=sys.stderr)
    return rates
