"""Decisions of the judge that the audit log has: once per change, not once per failed start."""

import asyncio
from typing import Any

from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.context_breaker import THRESHOLD
from pageworker_supervisor.runners.start_failure import Blame, StartFailure
from pageworker_supervisor.runners.start_judge import StartJudge
from pageworker_supervisor.telemetry.metrics import Metrics

CONTEXT = ContextKey("acme", "main")


async def taken(decisions: Decisions) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Action, target, reason and detail of each one."""
    found: list[tuple[str, str, str, dict[str, Any]]] = []
    while True:
        try:
            async with asyncio.timeout(0):
                entry = (await decisions.oldest()).entry
        except TimeoutError:
            return found
        found.append((entry.action, entry.target, entry.reason, entry.detail))
        decisions.recorded()


def judge(decisions: Decisions) -> StartJudge:
    return StartJudge("w1", Metrics(), decisions, lambda: None)


async def test_a_breaker_that_opens_is_recorded_once() -> None:
    decisions = Decisions()
    judging = judge(decisions)
    failure = StartFailure(Blame.CONTEXT, "it hangs", type="profile_corrupt")
    for failures in range(1, THRESHOLD + 3):
        await judging.judge(CONTEXT, failure, 0.0, 1.0)
        opened = await taken(decisions)
        expected = ("breaker.open", "tenant acme", "it hangs", {"profile": "main", "error": "profile_corrupt"})
        assert opened == ([expected] if failures == THRESHOLD else [])


async def test_a_host_that_is_closed_and_opened_is_recorded_once() -> None:
    decisions = Decisions()
    judging = judge(decisions)
    for _ in range(3):
        judging.blame_host(StartFailure(Blame.HOST, "no memory\nmore"))
    assert await taken(decisions) == [("host.close", "w1", "no memory", {})]
    for _ in range(2):
        judging.came_up(CONTEXT, probe=False)
    assert await taken(decisions) == [("host.open", "w1", "", {})]
