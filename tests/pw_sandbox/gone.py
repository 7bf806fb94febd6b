"""Waits for the end of processes that are not our children, by pidfd."""

import os
import select
from collections.abc import Iterable
from contextlib import suppress


def watch(pids: Iterable[int]) -> dict[int, int]:
    """A pidfd for each process that lives."""
    watched = {}
    for pid in pids:
        with suppress(ProcessLookupError):
            watched[pid] = os.pidfd_open(pid)
    return watched


def left(watched: dict[int, int], seconds: float) -> set[int]:
    """The processes that still live after this time. Closes the pidfds."""
    poll = select.poll()
    pids = {descriptor: pid for pid, descriptor in watched.items()}
    for descriptor in pids:
        poll.register(descriptor, select.POLLIN)
    alive = set(pids)
    while alive and (ready := poll.poll(seconds * 1000)):
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            alive.discard(descriptor)
    for descriptor in pids:
        os.close(descriptor)
    return {pids[descriptor] for descriptor in alive}
