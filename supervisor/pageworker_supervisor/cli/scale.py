"""`workerctl scale`: how many workers the fleet needs: once, as a process that serves it, or simulated."""

import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.cli.connect import CHECK_REDIS, Config, clients_of, open_queue, settings_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, put, show, table
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.scaling.fleet_api import WantedWorkers, answer_of
from pageworker_supervisor.scaling.fleet_server import FleetServer
from pageworker_supervisor.scaling.fleet_watch import FleetUnreadable, FleetWatch
from pageworker_supervisor.scaling.load_file import LoadInvalid, load_lines, parse_load
from pageworker_supervisor.scaling.simulation import Arrivals, Simulation, simulate
from pageworker_supervisor.scaling.synthetic_day import synthetic_day
from pageworker_supervisor.telemetry import log, log_to

ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}")
MAX_PORT = 65_535
PEAK_SHARE = 0.75
"""Part of `scaling.max_workers` that the peak of an invented day fills. The rest is for its bursts."""


def scale(
    *,
    serve: str | None = None,
    simulated: Annotated[Path | None, Parameter(name="--simulate", allow_leading_hyphen=True)] = None,
    generate: Literal["day"] | None = None,
    seed: int = 0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show how many workers the fleet needs, and the numbers that say so.

    The command needs Redis alone, and no worker. The settings are those of `[scaling]`. Example: `workerctl scale`, or
    as a process that autoscalers and Prometheus ask: `workerctl scale --serve 127.0.0.1:9471`.

    Parameters
    ----------
    serve
        Serve `/wanted`, `/metrics`, `/healthz` and `/readyz` on this address, host:port, until SIGTERM. The log goes to
        stdout.
    simulated
        Run the load in this file through the same decisions, in virtual time; `-` reads stdin. Each line is a JSON
        object: `at` (seconds from the beginning), `service_seconds` (that each job holds its page), `jobs` (default 1).
        Needs no Redis.
    generate
        Print an invented load for --simulate: `day` has a daily curve, bursts and noise. Its peak fills three quarters
        of `scaling.max_workers`.
    seed
        The same seed generates the same load.
    """
    if sum(each is not None for each in (serve, simulated, generate)) > 1:
        raise CommandError("give one of --serve, --simulate and --generate", exit_code=CommandExit.USAGE)
    settings = settings_of(config)
    if serve is not None:
        asyncio.run(_serve(_address(serve), settings))
    elif simulated is not None:
        _simulate(_read(simulated), settings, json)
    elif generate is not None:
        peak = PEAK_SHARE * settings.scaling.max_workers * _pages(settings)
        for line in load_lines(synthetic_day(peak, settings.scaling.service_seconds, seed)):
            put(line)
    else:
        answer = asyncio.run(_look(config))
        show(answer, "" if json else _answer_text(answer), json)


async def _look(config: Path | None) -> WantedWorkers:
    async with open_queue(config) as (redis_client, queue, settings):
        try:
            return answer_of(await FleetWatch(redis_client, queue, settings).look(keep=False))
        except FleetUnreadable as error:
            raise CommandError(
                printable(f"Redis at {redis_client.safe_url}: {error}"), CHECK_REDIS, CommandExit.UNREACHABLE
            ) from error


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text) or int(text.rpartition(":")[2]) > MAX_PORT:
        raise CommandError(
            printable(f"--serve {text}: expected host:port, e.g. 127.0.0.1:9471"), exit_code=CommandExit.USAGE
        )
    return text


async def _serve(address: str, settings: Settings) -> None:
    redis_client, queue = clients_of(settings)
    try:
        log_to(settings.log)
        try:
            server = FleetServer.open(address, FleetWatch(redis_client, queue, settings), settings.http.allowed_hosts)
        except (OSError, OverflowError) as error:
            raise CommandError(str(error), "Choose another address or port.") from error
        log.info("the fleet process serves", address=f"{server.address[0]}:{server.address[1]}")
        async with TaskGroup() as tasks:
            serving = tasks.create_task(server.run())
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        log.info("stopped")
    finally:
        await redis_client.aclose()


def _answer_text(answer: WantedWorkers) -> str:
    measured = "measured" if answer.service_measured else "not measured"
    lines = [
        f"{answer.wanted_workers} workers wanted: {answer.why}",
        f"needed now: {answer.needed_workers}, of {answer.pages_per_worker:g} pages each",
        f"pages: {answer.load_pages:g} for the load, {answer.backlog_pages:g} for the backlog",
        f"a job holds its page for {answer.service_seconds:g} s ({measured})",
    ]
    if answer.backlogs_looked_at < 1:
        lines.append(f"estimated: {answer.backlogs_looked_at:.0%} of the backlogs were looked at")
    oldest = answer.oldest_seconds
    rows = [(state, jobs, f"{oldest.get(state, 0):.0f} s") for state, jobs in answer.jobs.items()]
    rows.append(("a further worker could start", answer.waiting, f"{oldest.get('runnable', 0):.0f} s"))
    lines += ["", table(("JOBS", "NUMBER", "OLDEST"), rows)]
    for title, counts in (
        ("WORKERS", answer.workers),
        ("TENANTS THAT WAIT FOR A LIMIT", answer.throttled_tenants),
        ("PAUSED", answer.paused),
    ):
        shown = [(name, count) for name, count in counts.items() if count]
        if shown:
            lines += ["", table((title, "NUMBER"), shown)]
    return "\n".join(lines)


def _simulate(load: list[Arrivals], settings: Settings, json: bool) -> None:
    found = simulate(load, settings.scaling, _pages(settings))
    show(found, "" if json else _text(found, settings), json)


def _pages(settings: Settings) -> int:
    return settings.scaling.pages_per_worker or settings.pool.runners * settings.pool.pages


def _read(file: Path) -> list[Arrivals]:
    try:
        if str(file) == "-":
            return parse_load(sys.stdin.buffer)
        with file.open("rb") as lines:
            return parse_load(lines)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", exit_code=CommandExit.USAGE) from error
    except LoadInvalid as error:
        raise CommandError(f"{file}: {error}", exit_code=CommandExit.USAGE) from error


def _text(found: Simulation, settings: Settings) -> str:
    rows = [
        (
            *(hour.hour, hour.jobs, f"{hour.minutes_in_time}/{hour.minutes}", f"{hour.largest_age_seconds:.0f} s"),
            *(hour.fewest_workers, hour.most_workers, f"{hour.over_provisioned:.0%}", hour.reversals),
        )
        for hour in found.hours
    ]
    heads = ("HOUR", "JOBS", "MINUTES IN TIME", "LARGEST AGE", "FEWEST", "MOST WORKERS", "OVER", "REVERSALS")
    target = settings.scaling.target_age_seconds
    return "\n".join(
        (
            table(heads, rows),
            "",
            f"minutes with age ≤ {target:g} s: {found.in_time:.2%} of {found.minutes}",
            f"over-provisioned: {found.over_provisioned:.1%}",
            f"reversals per hour: {found.reversals_per_hour:.2f}, at most {found.most_reversals} in one hour",
            f"workers: at most {found.most_workers}; a worker starts in {settings.scaling.worker_start_seconds:g} s",
        )
    )
