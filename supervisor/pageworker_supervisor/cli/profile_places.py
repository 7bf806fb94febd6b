"""Where `workerctl profile` finds profiles: in the data folder of this host, or in a snapshot store."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from pageworker_profiles import FolderSize
from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import (
    ProfileBusy,
    ProfileError,
    SnapshotStoreAway,
    StaleFence,
    StoreDenied,
)
from pageworker_profiles.exports import OpenedExport, ProfileExport
from pageworker_supervisor.cli.host_profiles import HostProfiles
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.profile_name import ProfileName
from pageworker_supervisor.cli.profile_rows import ProfileAnswer, ProfileRow
from pageworker_supervisor.cli.stored_profiles import CommandKeys, StoredProfiles
from pageworker_supervisor.config.data_dir import data_dir_of, own_folder
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.profile_stores.open_store import open_snapshots
from pageworker_supervisor.queue.profile_locks import KnownProfile, ProfileHeld


class ProfilePlace(Protocol):
    """The profiles of one store. All calls raise ProfileError."""

    label: str
    """Path or URL, without a password."""

    async def store_id(self) -> str | None:
        """As Redis records it; None: nothing was stored here yet."""

    async def own_store_id(self) -> str:
        """The same. A store without one gets it."""

    async def names(self, tenant_id: str | None) -> list[ProfileName]:
        """All profiles, or those of one tenant, sorted."""

    async def rows(self, names: Sequence[ProfileName], known: Sequence[KnownProfile]) -> list[ProfileRow]:
        """What is known of them. Those that are gone meanwhile are left out."""

    async def show(self, name: ProfileName, known: KnownProfile) -> ProfileAnswer | None:
        """All of one; None: it is not here."""

    async def delete(self, name: ProfileName) -> bool:
        """Remove a profile with all that was kept of it. False: it is not here."""

    async def quarantine(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """Withdraw the newest state, and keep it. Returns its name; None: there is none. `fence`: of the Redis lock."""

    async def reset(self, name: ProfileName, reason: str, fence: int) -> str | None:
        """Make the profile empty, and keep its data. Returns the name of what is new (store) or kept (host); None: it
        is not here."""

    async def restore(self, name: ProfileName, state: str, reason: str, fence: int) -> bool:
        """The next opening takes this snapshot, or this data from quarantine. False: there is none of this name."""

    async def export(self, name: ProfileName, file: Path, state: str | None) -> ProfileExport | None:
        """Write the newest state, or this one, into a new file. None: it is not here. Raises FileExistsError."""

    async def import_(self, name: ProfileName, source: OpenedExport, reason: str, fence: int) -> str | None:
        """Replace the data by that of a checked export. What it replaces is kept. Returns as `reset` does; None: on
        this host nothing was replaced."""

    async def checkpoint(self, name: ProfileName) -> ProfileCheckpoint | None:
        """Cookies and storage of the last browser, if the profile is open, or was not closed normally. None: else."""

    async def keep_checkpoint(self, name: ProfileName, checkpoint: ProfileCheckpoint, fence: int) -> None:
        """The next browser gets these cookies and this storage, on top of the data. A profile that is new begins."""


def place_of(settings: Settings) -> HostProfiles | StoredProfiles:
    """The place that the settings name. Raises CommandError if the folder belongs to another user."""
    most = FolderSize(settings.profiles.max_files, settings.profiles.max_bytes)
    snapshots = open_snapshots(settings.profiles, f"workerctl:{user_at_host()}")
    if snapshots is not None:
        return StoredProfiles(snapshots, CommandKeys(settings), most)
    root = data_dir_of(settings) / "profiles"
    with suppress(FileNotFoundError):
        owner = root.lstat()
        if owner.st_uid != os.geteuid():
            # Root does not follow what this user has put there. A worker that was root may have an id without a name.
            raise CommandError(
                f"{root} belongs to another user",
                "Run the command as the user of the worker: setpriv"
                f" --reuid {owner.st_uid} --regid {owner.st_gid} --clear-groups workerctl profile …",
                CommandExit.REFUSED,
            )
    try:
        own_folder(root)
    except PermissionError as error:
        raise CommandError(printable(f"{root}: {error.strerror}"), exit_code=CommandExit.REFUSED) from error
    return HostProfiles(root, most)


@contextmanager
def profile_errors() -> Iterator[None]:
    """Turn errors of profiles into CommandErrors."""
    try:
        yield
    except ProfileHeld as held:
        raise CommandError(
            printable(held),
            "Wait until it is closed, or drain that worker. `workerctl profile show` names the holder.",
            CommandExit.REFUSED,
        ) from held
    except (ProfileBusy, StaleFence) as busy:
        raise CommandError(printable(busy), "Wait until it is closed.", CommandExit.REFUSED) from busy
    except StoreDenied as denied:
        raise CommandError(
            printable(denied), "Run the command as the user of the worker.", CommandExit.REFUSED
        ) from denied
    except SnapshotStoreAway as away:
        raise CommandError(
            printable(away), "Check the store, its credentials and the network.", CommandExit.UNREACHABLE
        ) from away
    except ProfileError as error:
        raise CommandError(printable(error)) from error
