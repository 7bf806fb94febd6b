"""What a worker does with its local folder of an open profile: the mark beside it, transfers, and replacing its data.

Every call is under the lock of a lease, and none blocks the event loop.
"""

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pageworker_profiles.errors import explained
from pageworker_profiles.folders import ProfileFolders
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.snapshots.local_copy import LocalCopy, drop_copy, read_copy, write_copy

TRANSFER = "transfer"
T = TypeVar("T")


class LocalFolders:
    """Those of one worker. Every call raises ProfileError."""

    def __init__(self, folders: ProfileFolders) -> None:
        self._folders = folders

    async def copy(self, lease: ProfileLease) -> LocalCopy | None:
        """The mark; None: there is none."""
        return await self._do(lease, "reading the mark in", lambda: read_copy(lease.path.parent))

    async def mark(self, lease: ProfileLease, copy: LocalCopy) -> None:
        """Write the mark, and sync it."""
        await self._do(lease, "marking", lambda: write_copy(lease.path.parent, copy))

    async def drop_mark(self, lease: ProfileLease) -> None:
        """From now on the folder is of unknown origin."""
        await self._do(lease, "forgetting the copy in", lambda: drop_copy(lease.path.parent))

    async def has_data(self, lease: ProfileLease) -> bool:
        """Whether there is anything in the folder. One without anything is a new folder afterwards."""
        return await self._do(lease, "opening", lambda: _has_data(lease))

    async def forget(self, lease: ProfileLease) -> None:
        """Empty the folder. First its mark: a crash must not leave an empty folder that counts as a snapshot."""
        await self.drop_mark(lease)
        if await self.has_data(lease):
            await self._folders.discard(lease)

    async def replace(self, lease: ProfileLease, unpacked: Path) -> None:
        """Put a new folder in the place of the one that is there."""
        await self.forget(lease)
        await self._do(lease, "replacing", lambda: _put_in_place(lease, unpacked))

    async def transfer_folder(self, lease: ProfileLease) -> Path:
        """An empty folder beside the data: what a killed worker left in it is worth nothing."""
        folder = lease.path.parent / TRANSFER
        if not await self._do(lease, "emptying", lambda: _is_empty(folder)):
            await self._folders.remove_folder(folder)
            await self._do(lease, "creating", lambda: folder.mkdir(mode=0o700))
        return folder

    async def delete(self, file: Path) -> None:
        """Delete a file of ours, if it is there."""
        await self._folders.in_thread(lambda: file.unlink(missing_ok=True))

    async def _do(self, lease: ProfileLease, act: str, call: Callable[[], T]) -> T:
        def explain() -> T:
            with explained(act, lease.path.parent):
                return call()

        return await self._folders.in_thread(explain)


def _has_data(lease: ProfileLease) -> bool:
    empty = _is_empty(lease.path)
    lease.follow_path()
    return not empty


def _is_empty(folder: Path) -> bool:
    """Whether the folder is empty. It is a new one then: this process may not be permitted to list another user's."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    folder.mkdir(mode=0o700)
    return True


def _put_in_place(lease: ProfileLease, unpacked: Path) -> None:
    with suppress(FileNotFoundError):
        lease.path.rmdir()
    unpacked.rename(lease.path)
    lease.follow_path()
