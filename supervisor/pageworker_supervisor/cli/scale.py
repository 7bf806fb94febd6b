"""`workerctl scale`: how many workers the fleet needs, and a simulation of that over a recorded load."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pageworker_supervisor.cli.connect import Config, settings_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, put, show, table
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.scaling.load_file import LoadInvalid, load_lines, parse_load
from pageworker_supervisor.scaling.simulation import Arrivals, Simulation, simulate
from pageworker_supervisor.scaling.synthetic_day import synthetic_day

PEAK_SHARE = 0.75
"""Part of `scaling.max_workers` that the peak of an invented day fills. The rest is for its bursts."""


def scale(
    *,
    simulated: Annotated[Path | None, Parameter(name="--simulate", allow_leading_hyphen=True)] = None,
    generate: Literal["day"] | None = None,
    seed: int = 0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show how many workers the fleet needs.

    Example: `workerctl scale --generate day | workerctl scale --simulate -`.

    Parameters
    ----------
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
    settings = settings_of(config)
    if generate is not None:
        peak = PEAK_SHARE * settings.scaling.max_workers * _pages(settings)
        for line in load_lines(synthetic_day(peak, settings.scaling.service_seconds, seed)):
            put(line)
        return
    if simulated is None:
        raise CommandError("not supported yet without --simulate", exit_code=CommandExit.USAGE)
    _simulate(_read(simulated), settings, json)


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
