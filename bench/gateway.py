"""What the egress gateway costs: its part of the processor time of pages, its speed, and how many connections it holds.

*Pages*: a page of sixty requests (`mix.py`) over `http` and over `https`, on a complete worker with warm pages. The
processor time of gateway and dialer is compared with that of the runner: its own process, Playwright's driver, browser.

*Downloads*: 1 GiB on loopback through the gateway and from the server itself, by the same client, in turns.

*Connections*: tunnels of several runners are opened, and once all are open, each one sends and receives.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from bench.download import HOST, download, download_server
from bench.fixtures import Certificate, headless_shell, redis_server, site
from bench.gateway_processes import attach, gateway
from bench.options import Options
from bench.page_parts import fields_of
from bench.process_tree import ProcessTree, cpu_seconds_of
from bench.queued import RUN_SECONDS, job
from bench.rows import BenchRow, compared, median_interval
from bench.run import WARM_UP, WrongResult
from bench.worker import BenchPlan, prepared, started

PAGES = 4
JOBS = 60
"""Per round. `--jobs` sets another number."""
SIZE = int(os.environ.get("BENCH_DOWNLOAD", str(1024**3)))
"""Bytes of a download."""
PAIRS_PER_ROUND = 3
ENOUGH = 6
"""Pairs for an interval."""
CONNECTIONS = 500
RUNNERS = 5
"""A runner may have 128 connections."""
GATEWAY = ("pageworker_sandbox.egress", "pageworker_sandbox.dialer")
RUNNER = ("pageworker_runner",)
OPEN_SECONDS = 60.0


def rows(options: Options) -> Iterator[BenchRow]:
    """Processor time, downloads, connections."""
    jobs = options.jobs if options.jobs != Options().jobs else JOBS
    with certificate() as made:
        for scheme in ("http", "https"):
            yield _pages(scheme, options.rounds, jobs, made)
        for scheme in ("http", "https"):
            yield _downloads(scheme, options.rounds * PAIRS_PER_ROUND, made if scheme == "https" else None)
    yield asyncio.run(_connections())


@contextmanager
def certificate() -> Iterator[Certificate]:
    """A certificate of the measurement's own, made with the openssl program."""
    with tempfile.TemporaryDirectory(prefix="pageworker-bench-") as folder:
        made = Certificate(Path(folder) / "site.crt", Path(folder) / "site.key")
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", made.key)
        subject = ("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}")
        words = ("openssl", "req", "-x509", *key, *subject, "-days", "2", "-out", made.certificate)
        subprocess.run(words, check=True, capture_output=True)
        yield made


def _pages(scheme: str, rounds: int, jobs: int, made: Certificate) -> BenchRow:
    shares = []
    with site(made if scheme == "https" else None) as (port, _):
        for number in range(rounds):
            ours, tree = asyncio.run(_cpu_seconds(scheme, port, jobs))
            shares.append(ours / tree)
            print(f"{scheme} {number}: gateway {ours:.2f} s, runner {tree:.2f} s of {jobs} jobs", file=sys.stderr)
    return BenchRow(
        name=f"gateway.{scheme}_cpu_per_page_cpu",
        value=statistics.median(shares),
        unit="s/s",
        against="the processor time of the page's process tree",
    )


async def _cpu_seconds(scheme: str, port: int, jobs: int) -> tuple[float, float]:
    """Of gateway and dialer, and of the runner, for `jobs` pages after those that warm up."""
    with redis_server() as (url, _):
        tree = ProcessTree()
        module = "secure" if scheme == "https" else "visit"
        plan = BenchPlan(url, (module,), PAGES, headless_shell(), port)
        async with prepared(plan) as workspace, asyncio.timeout(RUN_SECONDS), started(workspace, plan) as bench:
            for number in range(jobs + WARM_UP):
                await bench.queue.push(job(number, "mix", f"bench.{module}", scheme))
            done, marks = 0, []
            async for answer in bench.queue.results():
                if answer["data"] != fields_of(int(answer["job_id"])):
                    raise WrongResult(f"page {answer['job_id']}: {answer}")
                done += 1
                if done in (WARM_UP, WARM_UP + jobs):
                    marks.append((_spent(tree, GATEWAY), _spent(tree, RUNNER)))
                if done == WARM_UP + jobs:
                    break
    (gateway_before, runner_before), (gateway_after, runner_after) = marks
    if runner_after < runner_before:
        raise RuntimeError("the runner was replaced while it was measured: measure again")
    return gateway_after - gateway_before, runner_after - runner_before


def _spent(tree: ProcessTree, programs: tuple[str, ...]) -> float:
    return sum(cpu_seconds_of(tree.pids_running(programs)).values())


def _downloads(scheme: str, pairs: int, made: Certificate | None) -> BenchRow:
    through, direct = asyncio.run(_take_turns(scheme, pairs, made))
    ratios = [ours / theirs for ours, theirs in zip(through, direct, strict=True)]
    name, against = f"gateway.{scheme}_download_bytes_per_second", "the same download without the gateway"
    row = compared(name, "B/s", against, through, direct)
    return msgspec.structs.replace(row, interval=median_interval(ratios) if pairs >= ENOUGH else None)


async def _take_turns(scheme: str, pairs: int, made: Certificate | None) -> tuple[list[float], list[float]]:
    """Bytes per second through the gateway, and without it."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    with download_server(SIZE, made) as port:
        target = f"127.0.0.1:{port}"
        async with gateway(target) as client:
            ports = {True: await attach(client, "runner-1", HOST, target), False: port}
            for pair in range(pairs):
                for proxy in (True, False) if pair % 2 == 0 else (False, True):
                    fetch = partial(download, ports[proxy], SIZE, proxy=proxy, tls=made is not None)
                    rates[proxy].append(await asyncio.to_thread(fetch))
                print(
                    f"{scheme} {pair}: gateway {rates[True][-1]:.3g} B/s, direct {rates[False][-1]:.3g}",
                    file=sys.stderr,
                )
    return rates[True], rates[False]


async def _connections() -> BenchRow:
    """How many of the connections answer, once all are open."""
    answered = 0

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1024):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=CONNECTIONS)
    target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with gateway(target) as client, asyncio.timeout(OPEN_SECONDS):
        ports = [await attach(client, f"runner-{number}", HOST, target) for number in range(RUNNERS)]
        tunnels = [await _tunnel(ports[number % RUNNERS]) for number in range(CONNECTIONS)]
        for number, (reader, writer) in enumerate(tunnels):
            word = f"{number:08}".encode()
            writer.write(word)
            answered += await reader.readexactly(len(word)) == word
        for _, writer in tunnels:
            writer.transport.abort()
    server.close()
    return BenchRow(name="gateway.open_connections", value=float(answered), unit="connections")


async def _tunnel(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
    if b" 200 " not in await reader.readuntil(b"\r\n\r\n"):
        raise ConnectionError("the gateway refused a tunnel")
    return reader, writer
