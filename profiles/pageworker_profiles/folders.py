"""The profile store for an event loop. No call blocks the loop, whatever a runner has left in its folder.

Locks, fences and renames take microseconds and run in a few threads. Every walk over a folder runs in a process of its
own, at low priority, which is killed when the task that waits for it is cancelled. Removed folders are deleted in the
background, one at a time.
"""

import asyncio
import marshal
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from pageworker_profiles import errors, folder_worker
from pageworker_profiles.errors import FolderWorkerFailed, ProfileError
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.sizes import MOST, FolderSize
from pageworker_profiles.store import ProfileStore, owner

THREADS = 8
MEASURES = 2
"""Maximum number of folders that are measured at the same time."""

T = TypeVar("T")


class ProfileFolders:
    """Opens profiles of at most the size `most`. All calls raise ProfileError.

    `namespace`: descriptor of a user namespace in which this user may change owners; None: it is root, or gives no
    folder away.
    """

    def __init__(self, root: Path, most: FolderSize = MOST, namespace: int | None = None) -> None:
        self.most = most
        self._namespace = namespace
        self._store = ProfileStore(root, others_pass=namespace is not None or os.geteuid() == 0)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="profile")
        self._measuring = asyncio.Semaphore(MEASURES)
        self._trash_filled = asyncio.Event()

    async def open(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """As ProfileStore.open. Raises ProfileTooLarge too."""
        lease = await self._hold(tenant_id, profile_id, fence, uid)
        try:
            folder, lock = lease.folder_descriptor, lease.lock_descriptor
            await self._walk("prepare", lease.path, *self.most, *owner(uid), folder, held=[lock, folder])
        except BaseException:
            lease.close()
            raise
        return lease

    async def measure(self, folder: Path) -> FolderSize:
        """Size of a folder, which a browser may be using. Raises ProfileTooLarge as soon as a limit is exceeded."""
        async with self._measuring:
            return await self._walk("measure", folder, *self.most)

    async def remove(self, tenant_id: str, profile_id: str) -> bool:
        """As ProfileStore.remove, but `run` deletes the folder later."""
        removed = await self._in_thread(lambda: self._store.set_aside(tenant_id, profile_id))
        self._trash_filled.set()
        return removed

    async def run(self, on_error: Callable[[ProfileError], None]) -> None:
        """Delete removed folders, for ever. Begins with those that dead processes left. Retries a failure with the next
        folder."""
        await self._in_thread(self._store.collect_abandoned)
        while True:
            self._trash_filled.clear()
            for folder in await self._in_thread(self._store.trash):
                try:
                    await self._walk("remove", folder)
                except ProfileError as error:
                    on_error(error)
            await self._trash_filled.wait()

    async def _hold(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        hold = partial(self._store.hold, tenant_id, profile_id, fence, uid)
        holding = asyncio.get_running_loop().run_in_executor(self._threads, hold)
        try:
            return await asyncio.shield(holding)
        except asyncio.CancelledError:
            # The thread takes the lock nevertheless. Release it as soon as that is done, in microseconds.
            holding.add_done_callback(_close)
            await asyncio.wait({holding})
            raise

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    async def _walk(self, action: str, folder: Path, *numbers: int, held: Sequence[int] = ()) -> FolderSize:
        return await walk(action, folder, *numbers, held=held, namespace=self._namespace)


async def walk(
    action: str, folder: Path, *numbers: int, held: Sequence[int] = (), namespace: int | None = None
) -> FolderSize:
    """Run one action of folder_worker.py. Raises ProfileError.

    `held` are descriptors that the worker inherits. With that of a lock, a worker that outlives the daemon keeps the
    lock. `namespace`: as in ProfileFolders.
    """
    inside = "-" if namespace is None else str(namespace)
    command = [_interpreter(), "-I", "-S", folder_worker.__file__, str(os.getpid()), inside, action, str(folder)]
    process = await asyncio.create_subprocess_exec(
        *command,
        *map(str, numbers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[*held, *([] if namespace is None else [namespace])],
        cwd="/",
        env={},
    )
    try:
        output, errors_text = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode != 0:
        text = errors_text.decode(errors="replace").strip()[-2000:]
        raise FolderWorkerFailed(f"{action} {folder}: the worker ended with status {process.returncode}: {text}")
    answer = marshal.loads(output)  # noqa: S302 - folder_worker.py wrote it, with the same interpreter
    if "error" in answer:
        raise getattr(errors, answer["error"])(answer["text"], **answer["fields"])
    return FolderSize(answer["files"], answer["bytes"])


def _close(holding: asyncio.Future[ProfileLease]) -> None:
    if not holding.cancelled() and holding.exception() is None:
        holding.result().close()


def _interpreter() -> str:
    return str(getattr(sys, "_base_executable", None) or sys.executable)
