"""`workerctl tenant pause` and `unpause` on a real queue."""

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness

from pageworker_supervisor.cli.app import run


async def nothing(harness: QueueHarness) -> None:
    """The queue as it is."""


def test_a_tenant_is_paused_and_unpaused(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(nothing)
    assert run(["tenant", "pause", "acme", "--reason", "unpaid", "--for", "1h"]) == 0
    assert "tenant acme is paused until" in capsys.readouterr().out
    assert run(["tenant", "show", "acme"]) == 0
    assert "unpaid" in capsys.readouterr().out
    assert run(["tenant", "unpause", "acme"]) == 0
    assert run(["tenant", "unpause", "acme"]) == 1
