"""The store for an event loop: nothing here blocks it, whatever a runner has left in its folder.

What takes microseconds (locks, fences, renames) runs in a few threads of its own, whatever walks a folder in a process
of its own: at low priority, and killed with the task that waits for it. Deleting is done one folder at a time, and
nobody waits for it.
"""

import asyncio
import marshal
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pageworker_profiles import errors, folder_worker
from pageworker_profiles.errors import FolderWorkerFailed, ProfileError
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.sizes import MOST, FolderSize
from pageworker_profiles.store import ProfileStore, owner

THREADS = 8
MEASURES = 2
"""Folders that are measured at once."""

T = TypeVar("T")


class ProfileFolders:
    """Profiles of at most `most`. All calls raise ProfileError."""

    def __init__(self, root: Path, most: FolderSize = MOST) -> None:
        self.most = most
        self._store = ProfileStore(root)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="profile")
        self._measuring = asyncio.Semaphore(MEASURES)
        self._trash_filled = asyncio.Event()

    async def open(self, tenant_id: str, profile_id: str, fence: int | None, uid: int | None) -> ProfileLease:
        """As ProfileStore.open. Raises ProfileTooLarge too."""
        lease = await self._quick(lambda: self._store.hold(tenant_id, profile_id, fence, uid))
        try:
            await self._walk("prepare", lease.path, *self.most, *owner(uid), held=[lease.lock_descriptor])
        except BaseException:
            lease.close()
            raise
        return lease

    async def measure(self, folder: Path) -> FolderSize:
        """How large it is, also while a browser is at work in it. Raises ProfileTooLarge at the first breach."""
        async with self._measuring:
            return await self._walk("measure", folder, *self.most)

    async def remove(self, tenant_id: str, profile_id: str) -> bool:
        """As ProfileStore.remove; `run` deletes what this renames away."""
        removed = await self._quick(lambda: self._store.set_aside(tenant_id, profile_id))
        self._trash_filled.set()
        return removed

    async def run(self, on_error: Callable[[ProfileError], None]) -> None:
        """Delete what is removed, for ever; first what dead processes left. What fails is tried again with the next."""
        await self._quick(self._store.collect_abandoned)
        while True:
            self._trash_filled.clear()
            for folder in await self._quick(self._store.trash):
                try:
                    await self._walk("remove", folder)
                except ProfileError as error:
                    on_error(error)
            await self._trash_filled.wait()

    async def _quick(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    async def _walk(self, act: str, folder: Path, *numbers: int, held: Sequence[int] = ()) -> FolderSize:
        return await walk(act, folder, *numbers, held=held)


async def walk(act: str, folder: Path, *numbers: int, held: Sequence[int] = ()) -> FolderSize:
    """An act of folder_worker.py. Raises ProfileError.

    `held` are descriptors of locks: a worker that outlived the daemon would still hold them.
    """
    command = [_interpreter(), "-I", "-S", folder_worker.__file__, str(os.getpid()), act, str(folder)]
    process = await asyncio.create_subprocess_exec(
        *command,
        *map(str, numbers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=held,
        cwd="/",
        env={},
    )
    try:
        said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode != 0:
        text = complained.decode(errors="replace").strip()[-2000:]
        raise FolderWorkerFailed(f"{act} {folder}: the worker ended with status {process.returncode}: {text}")
    answer = marshal.loads(said)  # noqa: S302 - our own program wrote it, by the same interpreter
    if "error" in answer:
        raise getattr(errors, answer["error"])(answer["text"], **answer["fields"])
    return FolderSize(answer["files"], answer["bytes"])


def _interpreter() -> str:
    return str(getattr(sys, "_base_executable", None) or sys.executable)
