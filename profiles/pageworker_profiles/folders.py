"""The profile store for an event loop. No call blocks the loop, whatever a runner has left in its folder.

Locks, fences and renames take microseconds and run in a few threads. Every walk over a folder runs in a process of its
own, at low priority, which is killed when the task that waits for it is cancelled. Removed folders are deleted in the
background, one at a time.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pageworker_profiles import checkpoint as checkpoint_file
from pageworker_profiles import damage_mark, homes, opening_marker
from pageworker_profiles.browser_version import BrowserVersion
from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import ContentDamaged, FolderWorkerFailed, InvalidName, ProfileError, explained
from pageworker_profiles.folder_calls import call_worker, walk
from pageworker_profiles.homes import ProfileHomes
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.sizes import MOST, FolderSize
from pageworker_profiles.store import ProfileStore, owner

THREADS = 8
MEASURES = 2
"""Maximum number of folders that are measured at the same time."""
CONTENT_SIGNALS = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGXCPU}
"""What ends a check is its content, not the host."""

T = TypeVar("T")


class ProfileFolders:
    """Opens profiles of at most the size `most`. All calls raise ProfileError.

    `namespace`: descriptor of a user namespace in which this user may change owners; None: it is root, or gives no
    folder away. `profile_homes`: where profiles live; None: all of them live here.
    """

    def __init__(
        self,
        root: Path,
        most: FolderSize = MOST,
        namespace: int | None = None,
        profile_homes: ProfileHomes | None = None,
        on_failed_check: Callable[[str, str, ProfileError], None] = lambda *_: None,
    ) -> None:
        """`on_failed_check`: called with tenant, profile and error: ContentDamaged, or why it could not be checked."""
        self.most = most
        self._homes = profile_homes
        self._on_failed_check = on_failed_check
        self._namespace = namespace
        self._store = ProfileStore(root, others_pass=namespace is not None or os.geteuid() == 0)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="profile")
        self._measuring = asyncio.Semaphore(MEASURES)
        self._trash_filled = asyncio.Event()

    async def open(
        self,
        tenant_id: str,
        profile_id: str,
        fence: int | None,
        uid: int | None,
        browser: BrowserVersion | None = None,
    ) -> ProfileLease:
        """As ProfileStore.open. Raises BrowserOlder, ContentDamaged and ProfileElsewhere too."""
        if self._homes is not None:
            # First: a profile that lives elsewhere must not get an empty folder here.
            await self._homes.claim(tenant_id, profile_id, await self.store_id())
        lease = await self.hold(tenant_id, profile_id, fence, uid)
        try:
            if await self.in_thread(lambda: damage_mark.is_there(lease.path.parent)):
                # Again: it may be quarantined or repaired by now.
                await self.check(lease)
                await self.in_thread(lambda: damage_mark.remove(lease.path.parent))
            await self.prepare(lease, browser)
            lease.checkpoint = await self.in_thread(lambda: checkpoint_file.read(lease.path.parent))
        except BaseException:
            lease.close()
            raise
        return lease

    async def release(self, lease: ProfileLease, fence: int | None, *, clean: bool, browser_version: str) -> None:
        """What the browser left stays where it is, with a mark if one of its databases is damaged."""
        if not clean:
            # The browser repairs what a kill left: a journal, or a log, holds it.
            return
        try:
            await self.in_thread(lambda: checkpoint_file.remove(lease.path.parent))
            await self._check_and_mark(lease)
        except ProfileError as error:
            self._on_failed_check(lease.tenant_id, lease.profile_id, error)

    async def keep_checkpoint(self, lease: ProfileLease, fence: int | None, checkpoint: ProfileCheckpoint) -> None:
        """See ProfileBackend. In a file beside the data, under the lock of the lease."""
        await self.in_thread(lambda: checkpoint_file.write(lease.path.parent, checkpoint))

    async def _check_and_mark(self, lease: ProfileLease) -> None:
        try:
            await self.check(lease)
        except ContentDamaged as damaged:
            reason = str(damaged)
            await self.in_thread(lambda: damage_mark.write(lease.path.parent, reason))
            raise

    async def store_id(self) -> str:
        """The name of this folder of profiles. See homes.store_id."""

        def read() -> str:
            with explained("reading the id of", self._store.root):
                return homes.store_id(self._store.root)

        return await self.in_thread(read)

    async def prepare(self, lease: ProfileLease, browser: BrowserVersion | None = None) -> None:
        """The second half of `open`: the browser's version, the owner of the folder, and its size."""
        folder, lock = lease.folder_descriptor, lease.lock_descriptor
        marker = opening_marker.new_marker()
        numbers = (*self.most, *owner(lease.uid), folder, marker, *(browser or ()))
        await self._walk("prepare", lease.path, *numbers, held=[lock, folder])
        lease.marker = opening_marker.marker_text(marker)

    async def call(
        self, lease: ProfileLease, action: str, folder: Path, *numbers: int, message: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Run an action of the folder worker that takes a message, under the lock of the lease."""
        held = [lease.lock_descriptor]
        return await call_worker(action, folder, *numbers, held=held, namespace=self._namespace, message=message)

    async def check(self, lease: ProfileLease, folder: Path | None = None) -> None:
        """Check the browser's databases in a folder (None: that of the lease). Raises ContentDamaged.

        No browser runs.
        """
        try:
            await self.call(lease, "check", folder or lease.path, message={})
        except FolderWorkerFailed as failed:
            if failed.signal in CONTENT_SIGNALS:
                raise ContentDamaged(f"a database of the profile ends its check by signal {failed.signal}") from failed
            raise

    async def discard(self, lease: ProfileLease) -> None:
        """Move the data into the trash, where `run` deletes it, and begin with an empty folder."""
        await self._replace(lease, self._store.new_trash())
        self._trash_filled.set()

    async def set_aside(self, lease: ProfileLease, reason: str, keep: int) -> Path:
        """Keep the data beside an empty folder, with the reason. Of those with such a reason only `keep` stay."""
        aside = await self.in_thread(lambda: self._store.new_aside(lease, reason))
        await self._replace(lease, aside / "data")
        await self.in_thread(lambda: self._store.trim_aside(lease, keep))
        self._trash_filled.set()
        return aside

    async def remove_folder(self, folder: Path) -> None:
        """Delete a folder of ours, if there is one."""
        await self._walk("remove", folder)

    def folder(self, tenant_id: str, profile_id: str) -> Path:
        """The folder of a profile, which may not exist. Raises InvalidName."""
        return self._store.folder(tenant_id, profile_id)

    async def profiles(self) -> list[tuple[str, str]]:
        """`(tenant, profile)` of every profile that has a folder here."""

        def found() -> list[tuple[str, str]]:
            profiles: list[tuple[str, str]] = []
            for tenant_id in self._store.tenants():
                # A folder of another program, such as `lost+found`.
                with suppress(InvalidName):
                    profiles += [(tenant_id, profile_id) for profile_id in self._store.list(tenant_id)]
            return profiles

        return await self.in_thread(found)

    async def _replace(self, lease: ProfileLease, to: Path) -> None:
        # In the folder worker: to move a folder of another user into another one, the kernel writes to it.
        await self.call(lease, "move", lease.path, message={"to": str(to)})

        def begin() -> None:
            with explained("opening", lease.path):
                lease.path.mkdir(mode=0o700)
                lease.follow_path()

        await self.in_thread(begin)

    async def measure(self, folder: Path) -> FolderSize:
        """Size of a folder, which a browser may be using. Raises ProfileTooLarge as soon as a limit is exceeded."""
        async with self._measuring:
            return await self._walk("measure", folder, *self.most)

    async def remove(self, tenant_id: str, profile_id: str) -> bool:
        """As ProfileStore.remove, but `run` deletes the folder later."""
        removed = await self.in_thread(lambda: self._store.set_aside(tenant_id, profile_id))
        self._trash_filled.set()
        return removed

    async def run(self, on_error: Callable[[ProfileError], None]) -> None:
        """Delete removed folders, for ever. Begins with those that dead processes left. Retries a failure with the next
        folder."""
        await self.in_thread(self._store.collect_abandoned)
        while True:
            self._trash_filled.clear()
            for folder in await self.in_thread(self._store.trash):
                try:
                    await self._walk("remove", folder)
                except ProfileError as error:
                    on_error(error)
            await self._trash_filled.wait()

    async def hold(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """As ProfileStore.hold."""
        hold = partial(self._store.hold, tenant_id, profile_id, fence, uid)
        holding = asyncio.get_running_loop().run_in_executor(self._threads, hold)
        try:
            return await asyncio.shield(holding)
        except asyncio.CancelledError:
            # The thread takes the lock nevertheless. Release it as soon as that is done, in microseconds.
            holding.add_done_callback(_close)
            await asyncio.wait({holding})
            raise

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Run a short call that blocks on the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    async def _walk(self, action: str, folder: Path, *numbers: int, held: Sequence[int] = ()) -> FolderSize:
        return await walk(action, folder, *numbers, held=held, namespace=self._namespace)


def _close(holding: asyncio.Future[ProfileLease]) -> None:
    if not holding.cancelled() and holding.exception() is None:
        holding.result().close()
