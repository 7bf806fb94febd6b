"""A profile that a command changes: under its lock in Redis, so that no worker opens it meanwhile, and audited."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number

from pageworker_profiles.errors import ProfileBusy
from pageworker_supervisor.cli.audited import RecordedAction, audited
from pageworker_supervisor.cli.connect import open_queue
from pageworker_supervisor.cli.host_profiles import HostProfiles
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.profile import elsewhere
from pageworker_supervisor.cli.profile_name import ProfileName
from pageworker_supervisor.cli.profile_places import place_of, profile_errors
from pageworker_supervisor.cli.stored_profiles import StoredProfiles
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.profile_login import LoginEvent
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.profile_locks import KnownProfile, ProfileHeld

PAUSE_SECONDS = 0.25
"""Between two tries to lock a profile. Nothing notifies of its release."""

Wait = Annotated[
    float,
    Parameter(
        name="--wait",
        validator=Number(gte=0),
        help="Seconds to wait until the profile is closed. A worker that runs no job of it is asked to close it.",
    ),
]
"""Type of the parameter of every command that locks a profile."""
T = TypeVar("T")


class HeldProfile(NamedTuple):
    """A profile that a command has locked. `fence`: of the lock. `action`: its record in the audit log. `until`: end of
    the time to wait, on the monotonic clock."""

    place: HostProfiles | StoredProfiles
    known: KnownProfile
    queue: QueueClient
    fence: int
    action: RecordedAction
    until: float

    @property
    def nowhere(self) -> CommandError:
        """The profile is not in this place."""
        return CommandError(f"there is no such profile in {self.place.label}", elsewhere(self.known))

    async def refuse_elsewhere(self) -> None:
        """Raises CommandError if Redis has the profile on record in another store."""
        if self.known.store and self.known.store != await self.place.store_id():
            raise CommandError(f"the profile is not in {self.place.label}", elsewhere(self.known), CommandExit.REFUSED)

    async def forget_login(self, profile: ProfileName) -> None:
        """The profile has other data now: what modules have reported of its login does not hold for it."""
        await self.queue.profile_logins.report(*profile, LoginEvent.FORGET)

    async def once_closed(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do what needs the kernel lock of the profile. Raises ProfileBusy if the time to wait has passed."""
        return await once_closed(act, self.until)


async def once_closed(act: Callable[[], Awaitable[T]], until: float) -> T:
    """Repeat `act` while the profile is open. Raises ProfileHeld, ProfileBusy at `until`, on the monotonic clock."""
    while True:
        try:
            return await act()
        except (ProfileHeld, ProfileBusy):
            left = until - time.monotonic()
            if left <= 0:
                raise
            await asyncio.sleep(min(PAUSE_SECONDS, left))


@asynccontextmanager
async def changing(
    profile: ProfileName,
    command: str,
    reason: str | None,
    config: Path | None,
    detail: dict[str, str | int] | None = None,
    wait_seconds: float = 0.0,
) -> AsyncIterator[HeldProfile]:
    """Lock and audit for the block. Raises CommandError if the profile is open for `wait_seconds`, or the store
    fails."""
    until = time.monotonic() + wait_seconds
    async with (
        open_queue(config) as (_, queue, settings),
        audited(queue, settings, command, str(profile), reason, detail) as action,
    ):
        with profile_errors(), _waited(wait_seconds):
            place = place_of(settings)
            async with AsyncExitStack() as stack:

                def lock() -> Awaitable[int]:
                    held = queue.profile_locks.held(*profile, f"workerctl:{user_at_host()}", ask=wait_seconds > 0)
                    return stack.enter_async_context(held)

                fence = await once_closed(lock, until)
                (known,) = await queue.profile_locks.read(profile.tenant_id, [profile.profile_id])
                yield HeldProfile(place, known, queue, fence, action, until)


@asynccontextmanager
async def living_here(held: HeldProfile, profile: ProfileName, *, stored: bool = False) -> AsyncIterator[None]:
    """Redis has the profile on record in this place for the block, and after it unless the block fails.

    `stored`: the block stores a snapshot, if this place is a store of snapshots.
    """
    stores, place = held.queue.profile_stores, held.place
    store, host = await place.own_store_id(), socket.gethostname()
    found = await stores.claim(*profile, store, host)
    if found.store != store:
        # Recorded since the lock was taken, by a worker that did not ask for it.
        known = KnownProfile("", found.store, found.host)
        await held._replace(known=known).refuse_elsewhere()
    try:
        yield
    except BaseException:
        if not held.known.store:
            await stores.forget(*profile)
        raise
    if stored and isinstance(place, StoredProfiles):
        await stores.claim(*profile, store, host, keep=True)


@contextmanager
def _waited(seconds: float) -> Iterator[None]:
    """A profile that stays open ends a command that has waited for it with an exit code of its own."""
    try:
        yield
    except (ProfileHeld, ProfileBusy) as open_still:
        if not seconds:
            raise
        raise CommandError(
            printable(f"after {seconds:g} s: {open_still}"),
            "Wait longer, or drain that worker. While its jobs come, `workerctl pause` keeps them back.",
            CommandExit.DEADLINE,
        ) from open_still
