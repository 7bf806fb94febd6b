"""Tells when a module's folder has changed.

It compares the names, sizes and times of the files a few times per second. inotify would not see what another host
changes in a shared folder, and a container sees few events of its host's folders (inotify(7), "Limitations").
"""

import asyncio
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from pageworker_supervisor.registry.packing import is_skipped

LOOK_SECONDS = 0.2
MOST_FILES = 20_000
"""A folder with more is no module. Only so many are looked at."""

FolderState = dict[str, tuple[int, int, int]]
"""By path: time of the last change (ns), bytes, inode. A file that is replaced has another inode."""


class FolderWatch:
    """The files of a folder that `module pack` takes, and single files beside it."""

    def __init__(self, folder: Path, others: Collection[Path] = (), look_seconds: float = LOOK_SECONDS) -> None:
        self._folder = folder
        self._others = others
        self._look_seconds = look_seconds

    def look(self) -> FolderState:
        """The state of now. A file that cannot be looked at counts as missing."""
        state: FolderState = {}
        for path in self._paths():
            try:
                found = os.stat(path)  # noqa: PTH116 - thousands of paths per second
            except OSError:
                continue
            state[path] = (found.st_mtime_ns, found.st_size, found.st_ino)
            if len(state) >= MOST_FILES:
                break
        return state

    async def changed(self, since: FolderState) -> None:
        """Wait until the state is another one, and two looks see the same: an editor writes in several steps."""
        seen = since
        while True:
            await asyncio.sleep(self._look_seconds)
            now = await asyncio.to_thread(self.look)
            if now != since and now == seen:
                return
            seen = now

    def _paths(self) -> Iterator[str]:
        yield from map(str, self._others)
        for place, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if not is_skipped(name)]
            yield from (os.path.join(place, name) for name in files if not is_skipped(name))  # noqa: PTH118 - thousands of paths per second
