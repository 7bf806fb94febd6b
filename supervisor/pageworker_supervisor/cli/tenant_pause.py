"""`workerctl tenant pause|unpause`: as `workerctl pause tenant` and `workerctl unpause tenant`."""

from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.cli import pause as pauses
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.output import CommandExit, Json


def pause(
    name: str,
    *,
    reason: str,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    who: pauses.Who = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Stop the claims of a tenant: the same as `workerctl pause tenant NAME`.

    Jobs that run go on. Jobs that wait stay queued, and still expire. The exit code is 1 if a shard of Redis did not
    answer, and 4 if there are too many pauses. Example: `workerctl tenant pause acme --reason "unpaid" --for 1d`.

    Parameters
    ----------
    name
        The tenant's id.
    reason
        Why you pause it. Jobs that wait show it.
    for_
        How long, e.g. 90s, 30m, 2h or 1d. Default: until it is unpaused.
    """
    return pauses.pause("tenant", name, reason=reason, for_=for_, who=who, config=config, json=json)


def unpause(name: str, *, who: pauses.Who = None, config: Config = None, json: Json = False) -> CommandExit:
    """Let jobs of a paused tenant start again: the same as `workerctl unpause tenant NAME`.

    The exit code is 1 if it was not paused, or if a shard of Redis did not answer.

    Example: `workerctl tenant unpause acme`.

    Parameters
    ----------
    name
        The tenant's id.
    """
    return pauses.unpause("tenant", name, who=who, config=config, json=json)
