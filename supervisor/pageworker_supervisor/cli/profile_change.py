"""`workerctl profile delete|restore|quarantine|reset`."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pageworker_supervisor.cli.audited import Reason
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.held_profile import Wait, changing
from pageworker_supervisor.cli.output import CommandError, Json, show
from pageworker_supervisor.cli.profile_name import ProfileName, profile_named
from pageworker_supervisor.cli.profile_rows import ProfileChange
from pageworker_supervisor.contract.printable import printable

WHY = {"quarantine": "withdrawn by an operator", "reset": "reset by an operator"}
"""On record where the operator gives no reason."""


def delete(
    name: str,
    *,
    only_record: Annotated[bool, Parameter(negative=())] = False,
    wait: Wait = 0.0,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Delete one profile for ever, with its snapshots and what is in quarantine. Its next job begins an empty one.

    A profile that is open is refused with the name of its holder (exit code 4), as is one in the store of another host.
    The exit code is 1 if there is no such profile. Example: `workerctl profile delete acme/main --reason "left us"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    only_record
        Delete only what Redis has on record: for a profile in a store that is gone for good.
    """
    profile = profile_named(name)

    async def act() -> None:
        detail: dict[str, str | int] = {"only_record": 1} if only_record else {}
        async with changing(profile, "profile delete", reason, config, detail, wait) as held:
            if only_record:
                found = False
            else:
                await held.refuse_elsewhere()
                found = await held.once_closed(lambda: held.place.delete(profile))
            # Last: a worker with another store must not begin the profile while this one still holds its data.
            if not await held.queue.profile_stores.forget(*profile) and not found:
                raise held.nowhere

    asyncio.run(act())
    report = ProfileChange(tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="deleted")
    what = "the record of " if only_record else ""
    show(report, f"{what}{profile} is deleted", json)


def restore(
    name: str, snapshot: str, *, wait: Wait = 0.0, reason: Reason = None, config: Config = None, json: Json = False
) -> None:
    """Restore a snapshot, or data from quarantine: the next opening of the profile takes it.

    In a snapshot store, a snapshot that was marked bad may be used again, and what a worker has not published yet is
    moved aside there. In the data folder of a host, the data of today goes to `aside/` in place of the old. A profile
    that is open is refused with the name of its holder (exit code 4). The exit code is 1 if there is nothing of this
    name.

    Example: `workerctl profile restore acme/main 00000000000000000007-0123456789abcdef --reason "logged out"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    snapshot
        Its id, or the name of the folder in quarantine, as `workerctl profile show` lists them.
    """
    profile = profile_named(name)

    async def act() -> None:
        why = reason or f"replaced by {snapshot}"
        async with changing(profile, "profile restore", reason, config, {"snapshot": snapshot}, wait) as held:
            await held.refuse_elsewhere()
            if not await held.once_closed(lambda: held.place.restore(profile, snapshot, why, held.fence)):
                raise CommandError(
                    printable(f"{profile} has no snapshot {snapshot}"), f"See `workerctl profile show {profile}`."
                )
            await held.forget_login(profile)

    asyncio.run(act())
    report = ProfileChange(
        tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="restored", snapshot=snapshot
    )
    show(report, printable(f"the next opening of {profile} takes {snapshot}"), json)


def quarantine(
    name: str, *, wait: Wait = 0.0, reason: Reason = None, config: Config = None, json: Json = False
) -> None:
    """Withdraw the newest state of one profile, and keep it.

    In a snapshot store, the newest good snapshot is marked bad, and the next opening takes the one before. If no good
    one is left, jobs of the profile fail until you restore one. In the data folder of a host, the data moves to
    `aside/`, and the profile begins empty. A profile that is open is refused with the name of its holder (exit code 4).
    The exit code is 1 if there is nothing to withdraw.

    Example: `workerctl profile quarantine acme/main --reason "account is blocked"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    """
    profile = profile_named(name)
    kept = asyncio.run(_take_away(profile, "quarantine", wait, reason, config))
    report = ProfileChange(
        tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="quarantined", snapshot=kept
    )
    show(report, f"{kept} of {profile} is in quarantine", json)


def reset(name: str, *, wait: Wait = 0.0, reason: Reason = None, config: Config = None, json: Json = False) -> None:
    """Make one profile empty, and keep its data in quarantine: its next job begins without a login.

    In a snapshot store, an empty snapshot becomes the newest, and all others are marked bad. In the data folder of a
    host, the data moves to `aside/`. `workerctl profile restore` brings it back. A profile that is open is refused with
    the name of its holder (exit code 4). The exit code is 1 if there is no such profile.

    Example: `workerctl profile reset acme/main --reason "account was sold"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    """
    profile = profile_named(name)
    changed = asyncio.run(_take_away(profile, "reset", wait, reason, config))
    report = ProfileChange(tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="reset", snapshot=changed)
    show(report, f"{profile} is empty", json)


async def _take_away(
    profile: ProfileName, how: Literal["quarantine", "reset"], wait: float, reason: str | None, config: Path | None
) -> str:
    """Take its data from a profile. Returns the name of what is kept, or of what is new. Raises CommandError."""
    async with changing(profile, f"profile {how}", reason, config, wait_seconds=wait) as held:
        await held.refuse_elsewhere()
        take = held.place.quarantine if how == "quarantine" else held.place.reset
        changed = await held.once_closed(lambda: take(profile, reason or WHY[how], held.fence))
        if changed is None:
            raise held.nowhere
        await held.forget_login(profile)
        return changed
