"""`workerctl tenant create`: writes the settings of a new tenant into the central configuration."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.cli.config_change import (
    Change,
    ChangeReason,
    ChangeReport,
    Who,
    apply,
    check_layer,
    open_for_change,
    print_change,
    values_in,
)
from pageworker_supervisor.cli.config_values import assignment
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.cli.replaced_globs import central_keys, replaced_globs
from pageworker_supervisor.config.setting_names import dotted
from pageworker_supervisor.config.settings import TenantSettings


def create(
    name: str,
    *settings: Annotated[str, Parameter(help="SETTING=VALUE of [tenants.NAME], e.g. concurrency=4.")],
    reason: ChangeReason,
    who: Who = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Create a tenant: write `[tenants.NAME]` into the central configuration.

    Every worker checks the change. If one refuses it, nothing changes and the exit code is 4. The exit code is also 4
    if the tenant has settings already: change them with `workerctl config set`. If a glob gave settings to this tenant
    before, they do not count for it any more.

    Example: `workerctl tenant create acme concurrency=4 weight=2 --reason "new customer"`.

    Parameters
    ----------
    name
        The tenant's id.
    """
    tenant = paused_name("tenant", name)
    new = dict(assignment(f"{dotted(('tenants', tenant))}.{text}") for text in settings)
    # A section without a value cannot be stored. This one says what holds anyway.
    new = new or {dotted(("tenants", tenant, "weight")): TenantSettings().weight}
    return print_change(asyncio.run(_create(config, tenant, new, who, reason)), json)


async def _create(
    config: Path | None, tenant: str, new: dict[str, object], who: str | None, reason: str
) -> ChangeReport:
    async with open_for_change(config) as opened:
        state = await opened.store.state()
        values = values_in(state)
        if tenant in opened.settings.tenants or tenant in central_keys(values, "tenants"):
            mend = f"Change them: `workerctl config set tenants.{tenant}.…`."
            raise CommandError(f"tenant {tenant} has settings already", mend, CommandExit.REFUSED)
        changed = {**values, **new}
        for line in replaced_globs(opened.settings, values, changed):
            note(line)
        check_layer(changed)
        return await apply(opened, "tenant create", Change(state, changed, reason, who))
