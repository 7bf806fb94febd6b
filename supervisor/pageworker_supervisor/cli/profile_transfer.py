"""`workerctl profile export|import`: the data of a profile as a file."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Annotated

from cyclopts import Parameter

from pageworker_profiles.errors import ProfileError
from pageworker_profiles.exports import OpenedExport, ProfileExport, check_export
from pageworker_supervisor.cli.audited import Reason
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.held_profile import HeldProfile, Wait, changing
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.cli.profile_name import ProfileName, profile_named
from pageworker_supervisor.cli.profile_rows import ProfileChange
from pageworker_supervisor.cli.stored_profiles import StoredProfiles
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.profile_locks import KnownProfile


def export_profile(
    name: str,
    file: Path,
    *,
    snapshot: str | None = None,
    wait: Wait = 0.0,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write the data of one profile into a new file that only you can read: cookies and logins, without caches.

    It is not encrypted, and a tar program can list it. A profile that is open is refused with the name of its holder
    (exit code 4), as is a file that exists. The exit code is 1 if there is no such profile or snapshot.

    Example: `workerctl profile export acme/main main.tar --reason "moves to the other fleet"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    file
        The new file.
    snapshot
        A snapshot, or a folder in quarantine, as `workerctl profile show` lists them. Default: the newest state.
    """
    profile = profile_named(name)

    async def act() -> ProfileExport:
        detail: dict[str, str | int] = {} if snapshot is None else {"snapshot": snapshot}
        async with changing(profile, "profile export", reason, config, detail, wait) as held:
            await held.refuse_elsewhere()
            try:
                head = await held.once_closed(lambda: held.place.export(profile, file, snapshot))
            except FileExistsError as error:
                raise CommandError(
                    printable(f"{file} already exists"), "Name a new file.", CommandExit.REFUSED
                ) from error
            except OSError as error:
                raise CommandError(printable(f"{file}: {error.strerror or error}")) from error
            if head is None:
                raise held.nowhere
            held.action.outcome = f"{head.bytes} bytes, sha256 {head.sha256}"
            return head

    head = asyncio.run(act())
    report = ProfileChange(
        tenant_id=profile.tenant_id,
        profile_id=profile.profile_id,
        change="exported",
        snapshot=snapshot,
        file=str(file.absolute()),
    )
    show(report, printable(f"{profile} is in {file}: {head.bytes} bytes"), json)


def import_profile(
    name: str,
    file: Path,
    *,
    source: Annotated[str | None, Parameter(name="--from", show_default=False)] = None,
    wait: Wait = 0.0,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Replace the data of one profile by that of a file of `workerctl profile export`, or begin the profile with it.

    The data from before is kept: as older snapshots, or in `aside/`. A file that was changed, is too large, or is of
    another profile is refused, and nothing is changed. A profile that is open is refused with the name of its holder
    (exit code 4), as is one that lives elsewhere.

    Example: `workerctl profile import acme/main main.tar --reason "moved from the other fleet"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    file
        The file of the export.
    source
        Profile that the file must be of. Default: NAME.
    """
    profile = profile_named(name)
    expected = profile if source is None else profile_named(source)

    async def act(opened: OpenedExport) -> str | None:
        detail: dict[str, str | int] = {"sha256": opened.head.sha256}
        if expected != profile:
            detail["from"] = str(expected)
        async with changing(profile, "profile import", reason, config, detail, wait) as held:
            await held.refuse_elsewhere()
            why = reason or "replaced by an import"
            async with _living_here(held, profile):
                return await held.once_closed(lambda: held.place.import_(profile, opened, why, held.fence))

    try:
        with file.open("rb") as content:
            changed = asyncio.run(act(_checked(content, file, expected)))
    except OSError as error:
        raise CommandError(printable(f"{file}: {error.strerror or error}")) from error
    report = ProfileChange(
        tenant_id=profile.tenant_id,
        profile_id=profile.profile_id,
        change="imported",
        snapshot=changed,
        file=str(file.absolute()),
    )
    show(report, printable(f"the next opening of {profile} takes the data of {file}"), json)


def _checked(content: IO[bytes], file: Path, expected: ProfileName) -> OpenedExport:
    try:
        opened = check_export(content, str(file))
    except ProfileError as error:
        raise CommandError(printable(error)) from error
    found = ProfileName(opened.head.tenant_id, opened.head.profile_id)
    if found != expected:
        raise CommandError(
            printable(f"{file} is of profile {found}, not of {expected}"),
            printable(f"If {found} is meant, add `--from {found}`."),
            CommandExit.REFUSED,
        )
    return opened


@asynccontextmanager
async def _living_here(held: HeldProfile, profile: ProfileName) -> AsyncIterator[None]:
    """Redis has the profile on record in this place for the block, and after it unless the block fails."""
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
    if isinstance(place, StoredProfiles):
        await stores.claim(*profile, store, host, keep=True)
