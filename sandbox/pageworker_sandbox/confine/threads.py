"""Landlock restricts one thread (before ABI 8), so there must be only one when it is put on.

A thread that was started earlier would keep its rights, and lend them to any code that can write its stack.
"""

import asyncio
import sys
from pathlib import Path


def count() -> int:
    """Threads of this process, by the kernel."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def watch_children_without_threads() -> None:
    """Make asyncio start subprocesses without a thread each. To be called within the running loop.

    Python 3.12 does so by itself; the watchers are gone in 3.14.
    """
    if sys.version_info < (3, 12):
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
