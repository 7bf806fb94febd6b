"""The health of the host: every pair of state and event, and what a worker sees of it."""

from hypothesis import given
from hypothesis import strategies as st
from pw_states import StatePair, check, every_pair

from pageworker_supervisor.runners.host_health import (
    FAILED_STARTS,
    TRANSITIONS,
    HostEvent,
    HostHealth,
    HostState,
)
from pageworker_supervisor.runners.spawn_backoff import CAP_SECONDS

GRID = """
         came_up  doubt    failed  failed_at_threshold
well     well     doubted  closed  -
doubted  well     doubted  closed  -
closed   well     closed   closed  failing
failing  well     failing  -       failing
"""


@every_pair(GRID, HostState, HostEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


def test_a_doubt_closes_nothing_and_wants_a_probe_at_once() -> None:
    host = HostHealth()
    assert host.probe_in(10.0) is None
    host.doubt()
    assert not host.closed
    assert host.probe_in(10.0) == 0.0


def test_a_failed_probe_counts_with_the_start_that_made_the_doubt() -> None:
    host = HostHealth()
    host.doubt()
    host.failed(10.0, "no browser")
    assert (host.failures, host.state) == (2, HostState.CLOSED)
    assert host.trouble is None, "still ready: it may have been a moment's trouble"
    host.failed(11.0, "no browser")
    assert host.state is HostState.FAILING
    assert host.trouble == "no browser starts here, 3 starts failed: no browser"


def test_probes_come_later_each_time() -> None:
    host, at = HostHealth(), 0.0
    waits = []
    for _ in range(10):
        host.failed(at, "")
        wait = host.probe_in(at)
        assert wait is not None
        waits.append(wait)
        at += wait
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert waits[-1] == CAP_SECONDS


def test_one_runner_that_comes_up_mends_it() -> None:
    host = HostHealth()
    for _ in range(2 * FAILED_STARTS):
        host.failed(5.0, "broken")
    host.came_up(6.0)
    assert (host.state, host.failures, host.trouble, host.probe_in(6.0)) == (HostState.WELL, 0, None, None)


@given(st.lists(st.sampled_from(["up", "doubt", "failed"]), max_size=30))
def test_it_is_not_ready_only_after_failures_in_a_row_and_then_always_probes(happened: list[str]) -> None:
    host, since = HostHealth(), 0
    for number, what in enumerate(happened):
        match what:
            case "up":
                host.came_up(float(number))
                since = 0
            case "doubt":
                host.doubt()
            case _:
                host.failed(float(number), "x")
                since += 1
        assert (host.trouble is not None) <= (since >= FAILED_STARTS - 1)
        assert host.closed == (since > 0)
        assert (host.probe_in(float(number)) is None) == (host.state is HostState.WELL)
