"""`workerctl doctor --size`: measures a runner on this host and recommends `pool.runners` and `pool.pages`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from textwrap import fill
from urllib.parse import urlsplit

import uvloop
from msgspec import Struct, structs

from pageworker_demo.run import cancel_on_signals
from pageworker_supervisor.cli.local_run import start_locally
from pageworker_supervisor.cli.output import CommandError, CommandExit, note
from pageworker_supervisor.config.rules import SPARE_UIDS
from pageworker_supervisor.config.settings import EgressSettings, Settings, TenantSettings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.local_worker import LocalSetup, local_worker
from pageworker_supervisor.sizing.capacity import host_capacity
from pageworker_supervisor.sizing.measurement import HOST, MeasurementFailed, PageMeasurement, sizing_site
from pageworker_supervisor.sizing.recommendation import Bounds, Measurement, Recommendation, recommend
from pageworker_supervisor.task_supervision import leaves
from pageworker_supervisor.telemetry.logs import log_for_author

SECONDS = 8.0
"""Of each of the two parts of the measurement."""
BUSY_HOST = 0.1
"""Share of the CPUs that other programs may use without a warning."""
WIDTH = 100
"""Columns of the text."""
MAX_RUNNERS = 64
LEAST_PAGES = 2
"""With one page, the memory of a page could not be told from that of the runner."""


class SizeReport(Struct, frozen=True):
    """Of `doctor --size`. `url` None: the page of pageworker was measured. `host`: what there is to use."""

    recommended: Recommendation
    measured: Measurement
    host: Bounds
    url: str | None


def measure_size(settings: Settings, url: str | None) -> tuple[SizeReport, str]:
    """The recommendation as data and as text. `url`: the page to measure; None: a page of our own.

    Raises CommandError.
    """
    if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise CommandError(f"--url: {printable(url)} is no http:// or https:// URL", exit_code=CommandExit.USAGE)
    pages = max(LEAST_PAGES, settings.pool.pages)
    note(f"Measuring one runner with {pages} pages. This takes about {2 * SECONDS + 6:.0f} s …")
    log_for_author(sys.stderr)
    capacity = host_capacity()
    try:
        with start_locally(_for_measurement(settings, pages, url)) as setup:
            measured = uvloop.run(_measure(setup, pages, url))
    except* MeasurementFailed as group:
        raise CommandError(printable(next(leaves(group)))) from group
    bounds = Bounds(
        cpus=capacity.cpus,
        memory_bytes=capacity.memory_bytes,
        runners=min(MAX_RUNNERS, settings.sandbox.uids - SPARE_UIDS),
    )
    found = recommend(measured, bounds)
    if measured.other_cpus > BUSY_HOST * capacity.cpus:
        note(
            f"Warning: other programs kept {measured.other_cpus:.1f} CPUs busy meanwhile. Stop them, and measure again:"
            " the recommendation may be too high or too low."
        )
    return SizeReport(found, measured, bounds, url), _text(found, measured, url)


def _for_measurement(settings: Settings, pages: int, url: str | None) -> Settings:
    """One runner. For a page of our own, without the limits of the configuration's egress."""
    settings = structs.replace(settings, pool=structs.replace(settings.pool, runners=1, pages=pages))
    return settings if url is not None else structs.replace(settings, tenants={"*": TenantSettings()})


async def _measure(setup: LocalSetup, pages: int, url: str | None) -> Measurement:
    cancel_on_signals()
    async with _page(setup, url) as (setup, url, site), local_worker(setup) as worker:
        return await PageMeasurement(worker, url, pages, site).run(SECONDS)


@asynccontextmanager
async def _page(setup: LocalSetup, url: str | None) -> AsyncIterator[tuple[LocalSetup, str, int | None]]:
    """The setup, the URL to measure, and the process that serves it, if it is ours."""
    if url is not None:
        yield setup, url, None
        return
    async with sizing_site() as (pid, port):
        egress = EgressSettings(hosts={HOST: f"127.0.0.1:{port}"})
        yield setup.with_settings(structs.replace(setup.settings, egress=egress)), f"http://{HOST}/", pid


def _text(found: Recommendation, measured: Measurement, url: str | None) -> str:
    page = printable(url) if url is not None else "a page like a shop's: 60 products, 12 pictures, 0.1 s per request"
    points = [*found.reasons, f"That makes about {found.jobs_per_second:g} such jobs per second at most."]
    lines = [
        f"Measured {measured.jobs} jobs on {page}.",
        "",
        *(fill(printable(point), WIDTH, initial_indent="- ", subsequent_indent="  ") for point in points),
        "",
        "Recommended:",
        "",
        "[pool]",
        f"runners = {found.runners}",
        f"pages = {found.pages}",
    ]
    if url is None:
        lines += ["", "Your pages may need more or less: measure one of them with `workerctl doctor --size --url URL`."]
    return "\n".join(lines)
