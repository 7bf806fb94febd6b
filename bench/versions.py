"""Versions of one module: what 200 of them leave in a runner, and what the change to another one costs its jobs."""

import asyncio
import contextlib
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis

from bench.fixtures import headless_shell, redis_server, site
from bench.options import Options
from bench.process_tree import ProcessTree, private_bytes_of
from bench.rows import BenchRow, compared, median_interval
from bench.visit import READ_FIELDS
from bench.worker import MODULES, NO_SITE, TENANT, Bench, BenchPlan, prepared, started
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, encode_entry

TABLE, VISIT = "bench.table", "bench.visit"
EARLY = 10
"""Versions after which the memory is measured first."""
PAIRS_PER_ROUND = 8
JOBS = 20
"""Per window. The version changes while they run."""
SPARE_VERSIONS = 10
"""For windows that are repeated, and one that the channel points to."""
PAGES = 4
RUN_SECONDS = 900.0
FUNCTIONS = 300
SOURCE = '''"""{version}: what a module has at its top level."""

import functools
import logging
import re
from dataclasses import dataclass
from typing import Optional

import msgspec

log = logging.getLogger(__name__)
PRICE = re.compile("price_{version}")
ROWS = {{number: f"row {{number}} of {version}" for number in range(6000)}}


@dataclass(frozen=True)
class Row:
    name: str
    before: Optional["Row"] = None


MaybeRow = Optional[Row]


class Input(msgspec.Struct):
    names: list[str]
    row: Optional[int] = None


DECODER = msgspec.json.Decoder(Input)


@functools.lru_cache
def row(number):
    return Row(ROWS[number])


{functions}

async def handler(page, payload, helpers, context):
    log.debug("row %s", row(7))
    return {{"version": "{version}", "names": DECODER.decode(b'{{"names": []}}').names}}
'''
FUNCTION = """
def total_{number}(prices, share=3):
    found = [price * {number} for price in prices if price % share]
    return {{"total": sum(found), "share": share, "number": {number}, "prices": found}}
"""


def rows(options: Options) -> Iterator[BenchRow]:
    """The runner's memory, then its CPU time per job."""
    with tempfile.TemporaryDirectory(prefix="pageworker-versions-") as folder:
        tables = [_table(Path(folder), f"1.0.{number}") for number in range(max(options.jobs, EARLY + 1))]
        early, late = asyncio.run(_memory(tables))
        yield compared("versions.runner_private_mb", "MB", f"after {EARLY} versions", [late / 1e6], [early / 1e6])
        pairs = options.rounds * PAIRS_PER_ROUND
        visits = [_visit(Path(folder), f"1.0.{number}") for number in range(pairs + SPARE_VERSIONS)]
        with site() as (port, _):
            swaps, plain = asyncio.run(_swaps(visits, port, pairs))
    row = compared("versions.swap_cpu_ms_per_job", "ms", "the same jobs without a change of version", swaps, plain)
    ratios = [mine / other for mine, other in zip(swaps, plain, strict=True)]
    yield msgspec.structs.replace(row, interval=median_interval(ratios)) if pairs >= 6 else row


def _table(parent: Path, version: str) -> Path:
    functions = "\n".join(FUNCTION.format(number=number) for number in range(FUNCTIONS))
    return _module(parent, TABLE, version, SOURCE.format(version=version, functions=functions))


def _visit(parent: Path, version: str) -> Path:
    code = (MODULES / "visit" / "bench_visit" / "__init__.py").read_text()
    return _module(parent, VISIT, version, f"{code}\n\nVERSION = {version!r}\n", 'egress = ["site.example"]\n')


def _module(parent: Path, name: str, version: str, code: str, more: str = "") -> Path:
    """A module's folder. It has no input schema: to check one takes a process per version."""
    folder, package = parent / f"{name}-{version}", name.replace(".", "_")
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(code)
    manifest = f'name = "{name}"\nversion = "{version}"\nentrypoint = "{package}:handler"\nsdk = ">=1,<2"\n{more}'
    (folder / "module.toml").write_text(manifest)
    return folder


@contextlib.asynccontextmanager
async def _worker(modules: Sequence[Path], pages: int, port: int) -> AsyncIterator[tuple[Bench, str]]:
    """A ready worker, and the URL of its Redis."""
    with redis_server() as (url, _):
        # An absolute path is a module of its own, not one of the bench's.
        plan = BenchPlan(url, [str(module) for module in modules], pages, headless_shell(), port)
        async with prepared(plan) as workspace, asyncio.timeout(RUN_SECONDS), started(workspace, plan) as bench:
            await bench.daemon.until_ready()
            yield bench, url


def _job(number: int, module: str, payload: Mapping[str, Any]) -> str:
    job = {"job_id": str(number), "tenant_id": TENANT, "endpoint_module": module, "payload": payload, "max_retries": 0}
    return json.dumps(job)


async def _memory(modules: Sequence[Path]) -> tuple[int, int]:
    """Private bytes of the runner's Python after EARLY versions and after all."""
    async with _worker(modules, 1, NO_SITE) as (bench, _):
        results = bench.queue.results()
        early = late = 0
        for number, module in enumerate(modules):
            version = module.name.partition("-")[2]
            await bench.queue.push(_job(number, f"{TABLE}@{version}", {}))
            answer = await anext(results)
            if answer["data"] != {"version": version, "names": []}:
                raise RuntimeError(f"a job of {version}: {answer}")
            if number + 1 in (EARLY, len(modules)):
                (runner,) = (await bench.daemon.status())["runners"]
                early, late = early or late, private_bytes_of(runner["pid"], b"pageworker_runner")
                print(f"{number + 1} versions: {late / 1e6:.1f} MB", file=sys.stderr)
        return early, late


async def _swaps(modules: Sequence[Path], port: int, pairs: int) -> tuple[list[float], list[float]]:
    """CPU milliseconds per job of windows with and without a change, in turns."""
    swaps: list[float] = []
    plain: list[float] = []
    tree = ProcessTree()
    async with _worker(modules, PAGES, port) as (bench, url), contextlib.aclosing(Redis.from_url(url)) as client:
        windows = SwapWindows(bench, tree, QueueClient(Router(client, client)), modules)
        for _ in range(3):
            await windows.run(swap=False)
        for pair in range(pairs):
            for swap in (False, True) if pair % 2 == 0 else (True, False):
                (swaps if swap else plain).append(await windows.run(swap=swap))
            print(f"pair {pair}: with a change {swaps[-1]:.1f} ms, without {plain[-1]:.1f} ms", file=sys.stderr)
    print(f"medians: {statistics.median(swaps):.1f} and {statistics.median(plain):.1f} ms", file=sys.stderr)
    return swaps, plain


class SwapWindows:
    """Windows of jobs on one worker. The channel points to the newest version; the entry replaces it by another."""

    def __init__(self, bench: Bench, tree: ProcessTree, queue: QueueClient, modules: Sequence[Path]) -> None:
        self._bench = bench
        self._tree = tree
        self._queue = queue
        self._versions = [module.name.partition("-")[2] for module in modules]
        self._results = bench.queue.results()
        self._numbers = itertools.count()
        self._changes = 0

    async def run(self, *, swap: bool) -> float:
        """CPU milliseconds per job. `swap`: the second half gets another version, which is new to the runner."""
        while True:
            runners, before = await self._runners(), self._tree.total_cpu_seconds()
            old = self._expected
            await self._half({old})
            if swap:
                await self._change()
            # A job that was claimed at once may still get the old version.
            await self._half({old, self._expected})
            spent = self._tree.total_cpu_seconds() - before
            if await self._runners() == runners:
                return 1000 * spent / JOBS
            # A runner that was replaced has taken its CPU time with it.
            print("another runner: the window is repeated", file=sys.stderr)

    async def _runners(self) -> frozenset[str]:
        return frozenset(runner["runner_id"] for runner in (await self._bench.daemon.status())["runners"])

    @property
    def _expected(self) -> str:
        return self._versions[self._changes - 1]

    async def _change(self) -> None:
        newest, base = self._versions[-1], self._changes
        entry = RolloutEntry(replaced={newest: self._versions[base]})
        if await self._queue.rollouts.write(VISIT, base, encode_entry(entry), b"{}") != base + 1:
            raise RuntimeError("another one has changed the rollout")
        self._changes += 1

    async def _half(self, expected: set[str]) -> None:
        for number in itertools.islice(self._numbers, JOBS // 2):
            payload = {"url": f"http://site.example/p/{number}", "read": READ_FIELDS}
            await self._bench.queue.push(_job(number, VISIT, payload))
        for _ in range(JOBS // 2):
            answer = await anext(self._results)
            if answer["status"] != "succeeded" or answer["module_version"] not in expected:
                raise RuntimeError(f"expected {expected}: {answer}")
