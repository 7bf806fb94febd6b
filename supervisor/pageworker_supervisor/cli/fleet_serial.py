"""`workerctl module serial`: which index the fleet has seen, and the way out where that is wrong."""

from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import Json, show
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.registry.fleet_serial import SeenIndex, registry_key, seen, set_serial


async def fleet_serial(
    *,
    new: Annotated[
        int | None,
        Parameter(
            name="--set",
            help="Make it this one, lower or higher. 0 forgets it: the next index that a worker reads counts.",
        ),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show the highest serial of the module index that any worker has seen: an older index is refused by all.

    Workers keep a memory of their own besides: one that has accepted a newer index never goes back.
    """
    async with open_queue(config) as (redis_client, _, settings):
        key = registry_key(settings, data_dir_of(settings))
        if new is not None:
            await set_serial(redis_client, key, new)
        known = await seen(redis_client, key) or SeenIndex(0)
    show(known, f"serial {known.serial}, seen by {known.worker or 'nobody'}", json)
