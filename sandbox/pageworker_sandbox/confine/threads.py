"""Threads of this process. Before ABI 8, Landlock restricts only the calling thread, so there must be no other one.

A thread that was started earlier would keep its rights, and any code that can write to its stack could use them.
"""

import asyncio
import sys
from pathlib import Path


def count() -> int:
    """Number of threads of this process, as the kernel counts them."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def watch_children_without_threads() -> None:
    """Make asyncio wait for subprocesses without a thread each. Must be called within the running loop.

    From Python 3.12 on this is the default, and Python 3.14 has no watchers.
    """
    if sys.version_info < (3, 12):
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
