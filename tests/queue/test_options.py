"""The defaults of the options are those of the Lua sources, and other values reach them."""

from pageworker_supervisor.queue.library import library
from pageworker_supervisor.queue.options import LEASE_MS, OUTBOX_LEASE_MS, QueueOptions


def test_the_defaults_are_those_of_the_sources() -> None:
    options = QueueOptions()
    assert (options.lease_ms, options.outbox_lease_ms) == (LEASE_MS, OUTBOX_LEASE_MS)
    code = library("pw", cluster=False).code
    assert f"local LEASE_MS = {LEASE_MS} " in code
    assert f"local TAKE_MS = {OUTBOX_LEASE_MS} " in code


def test_shorter_leases_are_another_library() -> None:
    short = library("pw", cluster=False, lease_ms=1000, outbox_lease_ms=2000)
    assert short.name != library("pw", cluster=False).name
    assert "local LEASE_MS = 1000 " in short.code
    assert "local TAKE_MS = 2000 " in short.code
