"""`workerctl config diff|history|rollback`: versions of the central configuration."""

import asyncio
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec.structs import astuple

from pageworker_supervisor.central.document import values_of
from pageworker_supervisor.central.listing import differences
from pageworker_supervisor.cli.answers import ConfigVersions, ListedVersion
from pageworker_supervisor.cli.config_change import (
    Change,
    ChangeReason,
    ChangeReport,
    Who,
    apply,
    check_layer,
    open_for_change,
    open_store,
    print_change,
)
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, table
from pageworker_supervisor.config.central_document import CentralValues
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.contract.utc_time import utc_time
from pageworker_supervisor.queue.config_store import ConfigStore, PastVersion

MOST_VERSIONS = 1000
"""More than the history holds."""

Count = Annotated[int, Parameter(validator=Number(gte=1, lte=MOST_VERSIONS))]


def history(*, count: Count = 20, config: Config = None, json: Json = False) -> None:
    """List versions of the central configuration, the newest first, and the version that each worker runs.

    The first change makes version 1. Until then all workers run version 0, which sets nothing.

    Example: `workerctl config history --count 5`.

    Parameters
    ----------
    count
        Maximum number of versions to list.
    """

    async def read() -> tuple[list[PastVersion], dict[str, int]]:
        async with open_store(config) as store:
            workers = {name: worker.version for name, worker in (await store.state()).workers.items()}
            return await store.history(count), workers

    versions, workers = asyncio.run(read())
    listed = tuple(ListedVersion(one.version, _when(one), one.who, one.why) for one in versions)
    rows = map(astuple, listed)
    text = table(("VERSION", "WHEN", "WHO", "REASON"), rows)
    running = table(("WORKER", "RUNS"), sorted(workers.items()))
    show(ConfigVersions(listed, workers), f"{text}\n\n{running}", json)


def diff(before: int | None = None, after: int | None = None, *, config: Config = None, json: Json = False) -> None:
    """Show what differs between two versions of the central configuration.

    Example: `workerctl config diff 3 5`.

    Parameters
    ----------
    before
        The older version. Default: the version before AFTER.
    after
        The newer version. Default: the current version.
    """

    async def read() -> tuple[CentralValues, CentralValues]:
        async with open_store(config) as store:
            newer = (await store.state()).version if after is None else after
            older = max(newer - 1, 0) if before is None else before
            return await _values(store, older), await _values(store, newer)

    lines = list(differences(*asyncio.run(read())))
    show(lines, "\n".join(lines) or "no difference", json)


def rollback(
    version: int, *, reason: ChangeReason, who: Who = None, config: Config = None, json: Json = False
) -> CommandExit:
    """Restore the values of an earlier version of the central configuration, as a new version.

    Example: `workerctl config rollback 4 --reason "the new limits were too low"`.

    Parameters
    ----------
    version
        Number of the earlier version, as `workerctl config history` lists it. 0 removes every central value.
    """

    async def run() -> ChangeReport:
        async with open_for_change(config) as opened:
            values = await _values(opened.store, version)
            check_layer(values)
            change = Change(await opened.store.state(), values, reason, who)
            return await apply(opened, "config rollback", change)

    return print_change(asyncio.run(run()), json)


async def _values(store: ConfigStore, version: int) -> CentralValues:
    if version == 0:
        return {}
    found = next((one for one in await store.history(MOST_VERSIONS) if one.version == version), None)
    if found is None:
        raise CommandError(f"the history has no version {version}", "Run `workerctl config history --count 1000`.")
    try:
        return values_of(found.document)
    except ConfigInvalid as invalid:
        raise CommandError(str(invalid)) from invalid


def _when(version: PastVersion) -> str:
    at = utc_time(version.at_ms / 1000)
    return "?" if at is None else at.isoformat(timespec="seconds")
