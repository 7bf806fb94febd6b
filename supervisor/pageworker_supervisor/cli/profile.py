"""`workerctl profile list|show`, and the group of the commands on profiles."""

import asyncio
from itertools import groupby
from pathlib import Path

from cyclopts import App
from msgspec.structs import replace

from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.login_rows import login_answer
from pageworker_supervisor.cli.output import CommandError, Json, show
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.cli.profile_name import ProfileName, profile_named
from pageworker_supervisor.cli.profile_places import place_of, profile_errors
from pageworker_supervisor.cli.profile_rows import ProfileAnswer, ProfileRow, details_text, list_text
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.profile_locks import KnownProfile

app = App(name="profile", help="List, show, restore and delete browser profiles.")


@app.command(name="list")
def list_profiles(*, tenant: str | None = None, config: Config = None, json: Json = False) -> None:
    """List the profiles in the snapshot store, or in the data folder of this host if no store is set.

    Redis says which worker has a profile open, and whether modules have reported it as logged in. Example: `workerctl
    profile list --tenant acme`.

    Parameters
    ----------
    tenant
        Only profiles of this tenant.
    """
    wanted = None if tenant is None else paused_name("tenant", tenant)
    rows = asyncio.run(_list(wanted, config))
    show(rows, list_text(rows), json)


@app.command(name="show")
def show_profile(name: str, *, config: Config = None, json: Json = False) -> None:
    """Show one profile: where it is, who has it open, its snapshots, and what is in quarantine.

    The exit code is 1 if it is not in the store of this configuration. Example: `workerctl profile show acme/main`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    """
    answer = asyncio.run(_show(profile_named(name), config))
    show(answer, details_text(answer), json)


for name, place, line in (
    ("delete", "profile_change:delete", "Delete one profile with all its snapshots."),
    ("restore", "profile_change:restore", "Restore a snapshot, or data from quarantine."),
    ("quarantine", "profile_change:quarantine", "Withdraw the newest state of one profile, and keep it."),
    ("reset", "profile_change:reset", "Make one profile empty, and keep its data in quarantine."),
    ("export", "profile_transfer:export_profile", "Write the data, or cookies and storage, of a profile into a file."),
    ("import", "profile_transfer:import_profile", "Replace the data of a profile, or give it cookies and storage."),
    ("unlock", "profile_unlock:unlock", "Release the lock of a worker that is gone."),
):
    app.command(f"pageworker_supervisor.cli.{place}", name=name, help=line)


async def _list(tenant_id: str | None, config: Path | None) -> list[ProfileRow]:
    async with open_queue(config) as (_, queue, settings):
        with profile_errors():
            place = place_of(settings)
            names = await place.names(tenant_id)
            return await _with_logins(queue, await place.rows(names, await _known(queue, names)))


async def _with_logins(queue: QueueClient, rows: list[ProfileRow]) -> list[ProfileRow]:
    found: list[ProfileRow] = []
    for tenant_id, some in groupby(rows, lambda row: row.tenant_id):
        of_tenant = list(some)
        logins = await queue.profile_logins.read(tenant_id, [row.profile_id for row in of_tenant])
        found += [replace(row, login=login.state.value) for row, login in zip(of_tenant, logins, strict=True)]
    return found


async def _known(queue: QueueClient, names: list[ProfileName]) -> list[KnownProfile]:
    found: list[KnownProfile] = []
    for tenant_id, some in groupby(names, lambda name: name.tenant_id):
        found += await queue.profile_locks.read(tenant_id, [name.profile_id for name in some])
    return found


async def _show(name: ProfileName, config: Path | None) -> ProfileAnswer:
    async with open_queue(config) as (_, queue, settings):
        with profile_errors():
            place = place_of(settings)
            (known,) = await _known(queue, [name])
            answer = await place.show(name, known)
            (login,) = await queue.profile_logins.read(name.tenant_id, [name.profile_id])
    if answer is None:
        raise CommandError(f"there is no profile {name} in {place.label}", elsewhere(known))
    row = replace(answer.profile, login=login.state.value)
    return replace(answer, profile=row, login=login_answer(login))


def elsewhere(known: KnownProfile) -> str:
    """Where Redis says that the profile is."""
    if not known.store:
        return "`workerctl profile list` lists those that are there."
    return f"Redis has it on record in the store {known.store} of host {known.host}: run the command there."
