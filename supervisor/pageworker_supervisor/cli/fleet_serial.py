"""`workerctl module serial`: the index serial that the fleet has seen, and how to correct it."""

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
            help="Set the serial to this number, lower or higher. With 0, workers accept the next index whatever its "
            "serial is, and no lower one after it.",
        ),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show the highest serial of the module index that any worker has accepted.

    The serial is the number of an index of the registry; each new index has a higher one. Workers refuse an index with
    a lower serial, because it may be an old copy. Each worker also keeps its own highest serial on disk. --set does not
    change that number. Example: `workerctl module serial --set 0`.
    """
    async with open_queue(config) as (redis_client, _, settings):
        key = registry_key(settings, data_dir_of(settings))
        if new is not None:
            await set_serial(redis_client, key, new)
        known = await seen(redis_client, key) or SeenIndex(0)
    show(known, f"serial {known.serial}, seen by {known.worker or 'no worker yet'}", json)
