"""At the end of a worker: lets the browsers of profiles write their profiles to disk."""

import asyncio

from pageworker_sandbox.wire.messages import BROWSER_CLOSE_SECONDS
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.telemetry import log


async def close_profiles(fleet: Fleet, reason: str) -> None:
    """Retire every runner, and return when no profile is open.

    Returns after BROWSER_CLOSE_SECONDS at the latest: a runner with a job may not end at all.
    """
    fleet.retire_all(reason)
    try:
        async with asyncio.timeout(BROWSER_CLOSE_SECONDS):
            while fleet.profiles():
                await fleet.one_gone()
    except TimeoutError:
        log.warning("profiles are not closed in time", profiles=len(fleet.profiles()))
