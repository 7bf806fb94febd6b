"""The words for the end of a runner and of its browser, and what is counted."""

from typing import get_args

import pytest

from pageworker_runner.exit_codes import RunnerExit
from pageworker_sandbox.launch import ExitStatus
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.runner_end import (
    EXITS,
    BrowserExit,
    Restart,
    RestartReason,
    RunnerEnd,
    RunnerEnding,
)
from pageworker_supervisor.telemetry.metrics import Metrics


@pytest.mark.parametrize(
    ("code", "signal", "oom", "in_order"),
    [(0, None, False, True), (73, None, False, False), (71, None, False, False), (0, 9, False, False),
     (None, 9, False, False), (0, None, True, False)],
)  # fmt: skip
def test_only_a_browser_that_was_closed_in_order_leaves_a_good_profile(
    code: int | None, signal: int | None, oom: bool, in_order: bool
) -> None:
    end = RunnerEnd()
    assert not end.closed_in_order, "it has not ended yet"
    end.status = ExitStatus(code, signal)
    if oom:
        end.note(None, Breach("memory_limit", 2, 1, "bytes"))
    assert end.closed_in_order is in_order


SERVING = RunnerEnding(up=True, killed=False, told_to_go=False)
STOPPED = RunnerEnding(up=True, killed=False, told_to_go=True)
NEVER_UP = RunnerEnding(up=False, killed=False, told_to_go=False)
KILLED = RunnerEnding(up=True, killed=True, told_to_go=True)
MEMORY, FILES = Breach("memory_limit", 2, 1, "bytes"), Breach("disk_limit", 2, 1, "bytes")
KILL = ExitStatus(None, 9)


def ended(status: ExitStatus | None, reason: Restart = None, breach: Breach | None = None) -> RunnerEnd:
    end = RunnerEnd()
    end.note(reason, breach)
    end.status = status
    return end


@pytest.mark.parametrize(
    ("end", "how", "browser", "restart"),
    [
        (ended(ExitStatus(0, None)), STOPPED, "closed", None),
        (ended(ExitStatus(0, None), "retired"), STOPPED, "closed", "retired"),
        (ended(ExitStatus(73, None)), STOPPED, "not_flushed", None),
        (ended(KILL), STOPPED, "killed", None),
        (ended(KILL, "hung"), KILLED, "killed", "hung"),
        (ended(KILL, None), KILLED, "killed", None),
        (ended(KILL, "protocol", FILES), KILLED, "killed", "limit"),
        (ended(KILL, "hung", MEMORY), KILLED, "oom", "oom"),
        (ended(ExitStatus(137, None)), SERVING, "signal", "signal"),
        (ended(ExitStatus(None, 11)), SERVING, "signal", "signal"),
        (ended(ExitStatus(71, None)), SERVING, "crashed", "crashed"),
        (ended(ExitStatus(74, None)), SERVING, "runner_exited", "exited"),
        (ended(ExitStatus(3, None)), SERVING, "runner_exited", "exited"),
        (ended(ExitStatus(70, None)), NEVER_UP, "not_started", "not_started"),
        (ended(None), SERVING, None, "exited"),
        (ended(None, "host"), NEVER_UP, None, "host"),
    ],
)
def test_an_end_has_a_word(
    end: RunnerEnd, how: RunnerEnding, browser: BrowserExit | None, restart: RestartReason | None
) -> None:
    assert (end.browser(how), end.restart(how)) == (browser, restart)


def test_the_first_reason_counts() -> None:
    end = ended(KILL, "host")
    end.note("hung")
    assert end.restart(KILLED) == "host"


def test_the_codes_are_those_of_the_runner() -> None:
    named = {
        RunnerExit.STOPPED: "closed",
        RunnerExit.NOT_STARTED: "not_started",
        RunnerExit.BROWSER_LOST: "crashed",
        RunnerExit.NOT_FLUSHED: "not_flushed",
    }
    assert named == EXITS
    assert set(EXITS.values()) < set(get_args(BrowserExit))


def test_an_end_is_counted_once_in_each_metric() -> None:
    metrics = Metrics()
    ended(ExitStatus(71, None)).count(SERVING, metrics.runners, None)
    value = metrics.registry.get_sample_value
    assert value("pageworker_runners_ended_total", {"reason": "crashed"}) == 1
    assert value("pageworker_browser_exits_total", {"reason": "crashed"}) == 1
    assert value("pageworker_runner_restarts_total", {"reason": "crashed"}) == 1
    ended(ExitStatus(0, None)).count(STOPPED, metrics.runners, None)
    assert metrics.totals()["runner_restarts"] == 1
    assert metrics.totals()["browser_exits"] == 2


@pytest.mark.parametrize(
    ("how", "name"),
    [(NEVER_UP, "not_started"), (KILLED, "killed"), (STOPPED, "retired"), (SERVING, "crashed")],
)
def test_a_life_ends_in_one_of_four_ways(how: RunnerEnding, name: str) -> None:
    assert how.name == name
