"""Waiting for conditions without an event: the port or state of another process."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], what: str, seconds: float = 20.0, step: float = 0.005) -> None:
    """Ask until it holds. Raises TimeoutError that names `what`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        # A server's start and a replica's role have no descriptor to wait on; the step is the resolution.
        time.sleep(step)
