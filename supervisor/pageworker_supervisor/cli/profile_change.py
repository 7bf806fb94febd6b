"""`workerctl profile delete|restore|quarantine`: changes under the profile's lock in Redis, so that no worker opens it
meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from pageworker_supervisor.cli.audited import Reason, RecordedAction, audited
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.cli.profile import elsewhere
from pageworker_supervisor.cli.profile_name import ProfileName, profile_named
from pageworker_supervisor.cli.profile_places import HostProfiles, StoredProfiles, place_of, profile_errors
from pageworker_supervisor.cli.profile_rows import ProfileChange
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.profile_locks import KnownProfile


class HeldProfile(NamedTuple):
    """A profile that a command has locked. `fence`: of the lock. `action`: its record in the audit log."""

    place: HostProfiles | StoredProfiles
    known: KnownProfile
    queue: QueueClient
    fence: int
    action: RecordedAction

    @property
    def nowhere(self) -> CommandError:
        """The profile is not in this place."""
        return CommandError(f"there is no such profile in {self.place.label}", elsewhere(self.known))

    async def refuse_elsewhere(self) -> None:
        """Raises CommandError if Redis has the profile on record in another store."""
        if self.known.store and self.known.store != await self.place.store_id():
            raise CommandError(f"the profile is not in {self.place.label}", elsewhere(self.known), CommandExit.REFUSED)


def delete(
    name: str,
    *,
    only_record: Annotated[bool, Parameter(negative=())] = False,
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
        async with changing(profile, "profile delete", reason, config, detail) as held:
            if only_record:
                found = False
            else:
                await held.refuse_elsewhere()
                found = await held.place.delete(profile)
            # Last: a worker with another store must not begin the profile while this one still holds its data.
            if not await held.queue.profile_stores.forget(*profile) and not found:
                raise held.nowhere

    asyncio.run(act())
    report = ProfileChange(tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="deleted")
    what = "the record of " if only_record else ""
    show(report, f"{what}{profile} is deleted", json)


def restore(name: str, snapshot: str, *, reason: Reason = None, config: Config = None, json: Json = False) -> None:
    """Restore a snapshot: the next opening of the profile takes it, even if it was marked bad.

    What a worker has not published yet is moved aside there. A profile that is open is refused with the name of its
    holder (exit code 4). Only for a snapshot store: for the data folder of a host, it is not supported yet. The exit
    code is 1 if there is no such snapshot.

    Example: `workerctl profile restore acme/main 00000000000000000007-0123456789abcdef --reason "logged out"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    snapshot
        Its id, as `workerctl profile show` lists it.
    """
    profile = profile_named(name)

    async def act() -> None:
        async with changing(profile, "profile restore", reason, config, {"snapshot": snapshot}) as held:
            if not isinstance(held.place, StoredProfiles):
                raise CommandError(
                    "profile restore in the data folder of a host: not supported yet",
                    "Only a snapshot store has snapshots (setting profiles.store).",
                    CommandExit.REFUSED,
                )
            if not await held.place.snapshots.restore(*profile, snapshot, held.fence):
                raise CommandError(
                    printable(f"{profile} has no snapshot {snapshot}"), f"See `workerctl profile show {profile}`."
                )

    asyncio.run(act())
    report = ProfileChange(
        tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="restored", snapshot=snapshot
    )
    show(report, printable(f"the next opening of {profile} takes {snapshot}"), json)


def quarantine(name: str, *, reason: Reason = None, config: Config = None, json: Json = False) -> None:
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

    async def act() -> str:
        async with changing(profile, "profile quarantine", reason, config) as held:
            await held.refuse_elsewhere()
            kept = await held.place.quarantine(profile, reason or "withdrawn by an operator", held.fence)
            if kept is None:
                raise held.nowhere
            return kept

    kept = asyncio.run(act())
    report = ProfileChange(
        tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="quarantined", snapshot=kept
    )
    show(report, f"{kept} of {profile} is in quarantine", json)


@asynccontextmanager
async def changing(
    profile: ProfileName,
    command: str,
    reason: str | None,
    config: Path | None,
    detail: dict[str, str | int] | None = None,
) -> AsyncIterator[HeldProfile]:
    """Lock and audit for the block. Raises CommandError if the profile is open, or the store fails."""
    async with (
        open_queue(config) as (_, queue, settings),
        audited(queue, settings, command, str(profile), reason, detail) as action,
    ):
        with profile_errors():
            place = place_of(settings)
            async with queue.profile_locks.held(*profile, f"workerctl:{user_at_host()}") as fence:
                (known,) = await queue.profile_locks.read(profile.tenant_id, [profile.profile_id])
                yield HeldProfile(place, known, queue, fence, action)
