"""How many more runners fit into the memory that all of them together may use. Pure."""

from collections.abc import Sequence

LEAST_EXPECTED_BYTES = 192 * 1024**2
"""What a runner is expected to use before it is measured, at least: a headless shell with one page."""
HOST_SHARE = 0.8
"""Share of the memory of the host, or of the worker's cgroup, that runners may use without `pool.memory_bytes`."""


def expected_bytes(measured: Sequence[int | None]) -> int:
    """What one more runner will use, judging by those that are up. None: not measured yet."""
    known = [used for used in measured if used is not None]
    return max(LEAST_EXPECTED_BYTES, sum(known) // len(known)) if known else LEAST_EXPECTED_BYTES


def runners_that_fit(measured: Sequence[int | None], limit_bytes: int) -> int:
    """How many more runners fit beside these. One always fits on an empty worker: no limit stops all work."""
    expected = expected_bytes(measured)
    used = sum(expected if each is None else each for each in measured)
    return max(0 if measured else 1, (limit_bytes - used) // expected)
