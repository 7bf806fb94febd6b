"""Errors of runners: which part of the system each blames."""

import pytest

from pageworker_supervisor.runners.errors import BrowserNotReady, RunnerFailure, RunnerLost, SpawnFailed
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.start_failure import Blame, ContextBroken, explain


@pytest.mark.parametrize("kind", [SpawnFailed, BrowserNotReady, RunnerLost, ContextBroken])
def test_every_error_of_a_runner_can_be_caught_as_one(kind: type[Exception]) -> None:
    assert issubclass(kind, RunnerFailure)


def test_a_failed_spawn_blames_the_host_and_a_browser_that_is_not_ready_blames_none_yet() -> None:
    assert explain(SpawnFailed("no user id is left")).blame is Blame.HOST
    assert explain(BrowserNotReady("too slow")).blame is Blame.UNKNOWN


def test_a_lost_runner_blames_one_job_only_where_that_is_said() -> None:
    lost = RunnerLost("it exited", charged=True)
    assert (str(lost), lost.reason, lost.charged, lost.breach, lost.alone) == (
        "it exited",
        "it exited",
        True,
        None,
        False,
    )
    breach = Breach("memory_limit", 2, 1, "bytes")
    assert RunnerLost(breach.message, charged=True, breach=breach, alone=True).breach is breach
