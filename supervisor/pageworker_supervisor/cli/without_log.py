"""Silences the log of one package while a command calls it: its answer says what the log of a worker would say."""

from collections.abc import Iterator
from contextlib import contextmanager

from pageworker_supervisor.telemetry import log


@contextmanager
def without_log(package: str) -> Iterator[None]:
    """For the block."""
    log.disable(package)
    try:
        yield
    finally:
        log.enable(package)
