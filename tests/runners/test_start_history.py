"""The health of the host in every pair of state and event, contexts that fail alone, and what a claim has to know."""

from hypothesis import given
from hypothesis import strategies as st
from pw_states import StatePair, check, every_pair

from pageworker_profiles.errors import ProfileTampered
from pageworker_supervisor.contract.context_key import ANY_PROFILE, ContextKey
from pageworker_supervisor.runners.context_breaker import THRESHOLD
from pageworker_supervisor.runners.errors import BrowserNotReady
from pageworker_supervisor.runners.start_failure import Blame, explain
from pageworker_supervisor.runners.start_history import (
    FAILED_STARTS,
    FORGET_SECONDS,
    HELD_BACK,
    LONGEST_PROBE_SECONDS,
    LONGEST_SUSPICION_SECONDS,
    PATIENCE_SECONDS,
    REFUSED_PER_CLAIM,
    SUSPECTED_SECONDS,
    TRANSITIONS,
    HostEvent,
    HostHealth,
    HostState,
    StartHistory,
)

GRID = """
         came_up  doubt    failed  failed_at_threshold
well     well     doubted  closed  -
doubted  well     doubted  closed  -
closed   well     closed   closed  failing
failing  well     failing  -       failing
"""

BAD, GOOD = ContextKey("acme", "bad"), ContextKey("acme", "good")
FAILURE = explain(BrowserNotReady("it did not get ready"))


def opened(at: float = 100.0) -> tuple[StartHistory, float]:
    """One whose BAD context has an open breaker, and when the pause is over."""
    starts = StartHistory()
    for _ in range(THRESHOLD):
        starts.failed(BAD, FAILURE, at)
        at += starts.changes_in(at) or 0.0
    return starts, at


def free_pages(starts: StartHistory, now: float, empty: int = 1) -> dict[ContextKey, int]:
    return {found.context: found.free_pages for found in starts.broken_capacity(now, empty)}


def test_a_context_that_failed_is_held_back_and_no_other() -> None:
    starts = StartHistory()
    starts.failed(BAD, FAILURE, 100.0)
    assert free_pages(starts, 100.0) == {BAD: HELD_BACK}
    assert not starts.permits(BAD, 100.0)
    assert starts.permits(GOOD, 100.0), "a tenant's other profile is another context"
    assert starts.refusal(BAD, 100.0) is None, "its jobs wait"
    assert free_pages(starts, 101.0) == {}


def test_with_an_open_breaker_its_jobs_are_refused() -> None:
    starts, until = opened()
    assert free_pages(starts, until - 0.1) == {BAD: REFUSED_PER_CLAIM}
    broken = starts.refusal(BAD, until - 1.0)
    assert broken is not None
    assert (broken.failure.type, broken.retry_after_seconds) == ("browser_start_failed", 1.0)
    assert starts.refusal(GOOD, until) is None


def test_a_probe_of_an_open_breaker_takes_an_empty_slot_only() -> None:
    starts, until = opened()
    assert free_pages(starts, until, empty=1) == {}, "any job of it may be claimed: the next one is the probe"
    assert free_pages(starts, until, empty=0) == {BAD: REFUSED_PER_CLAIM}
    assert starts.careful(BAD, until)
    assert starts.begin(BAD)
    assert free_pages(starts, until, empty=1) == {BAD: REFUSED_PER_CLAIM}, "one probe at a time"


def test_a_context_that_failed_once_gets_another_ones_slot_after_a_while() -> None:
    starts = StartHistory()
    starts.failed(BAD, FAILURE, 100.0)
    assert starts.careful(BAD, 101.0)
    assert not starts.careful(BAD, 101.0 + PATIENCE_SECONDS)
    assert starts.changes_in(101.5) == PATIENCE_SECONDS - 0.5


def test_a_breaker_that_could_not_try_is_forgotten_in_the_end() -> None:
    starts, until = opened()
    assert free_pages(starts, until + FORGET_SECONDS, empty=0) == {}
    assert not starts.careful(BAD, until + FORGET_SECONDS)


def test_what_failed_before_it_had_a_slot_may_try_for_any() -> None:
    """A profile that was tampered with is looked at before a runner is replaced for it."""
    starts = StartHistory()
    starts.failed(BAD, explain(ProfileTampered("a link")), 100.0)
    assert free_pages(starts, 100.0, empty=0) == {BAD: REFUSED_PER_CLAIM}
    assert free_pages(starts, 101.0, empty=0) == {}
    assert not starts.careful(BAD, 101.0)


def suspected() -> tuple[StartHistory, float]:
    """Two contexts of one tenant with open breakers, and when the later one failed."""
    starts, at = StartHistory(), 100.0
    for context in (BAD, ContextKey("acme", "worse")):
        for _ in range(THRESHOLD):
            starts.failed(context, FAILURE, at)
            at = starts.until(context)
    return starts, at


def test_a_tenant_whose_contexts_do_not_come_up_gets_empty_slots_only_for_a_while() -> None:
    starts, at = suspected()
    fresh, other = ContextKey("acme", "fresh"), ContextKey("other", "fresh")
    everything = ContextKey("acme", ANY_PROFILE)
    assert free_pages(starts, at, empty=0)[everything] == HELD_BACK
    assert everything not in free_pages(starts, at, empty=1), "an empty slot belongs to no tenant"
    assert starts.careful(fresh, at)
    assert not starts.careful(other, at)
    assert not starts.careful(fresh, at + SUSPECTED_SECONDS)
    assert everything not in free_pages(starts, at + SUSPECTED_SECONDS, empty=0)


def test_the_more_contexts_fail_the_longer_their_tenant_waits() -> None:
    starts = StartHistory()
    waits = []
    for number in range(10):
        starts.failed(ContextKey("acme", f"bad-{number}"), FAILURE, 100.0)
        later = [seconds for seconds in range(400) if not starts.careful(ContextKey("acme", "fresh"), 100.0 + seconds)]
        waits.append(later[0])
    assert waits[:3] == [0, 30, 60]
    assert waits[-1] == LONGEST_SUSPICION_SECONDS


def test_one_context_that_comes_up_clears_its_tenant() -> None:
    starts, at = suspected()
    starts.came_up(GOOD, at)
    assert not starts.careful(ContextKey("acme", "fresh"), at)


def test_a_good_start_forgives() -> None:
    starts, until = opened()
    starts.came_up(BAD, until)
    assert free_pages(starts, until, empty=0) == {}
    assert starts.broken() == 0


def test_the_next_start_of_another_context_tells_who_is_to_blame() -> None:
    starts = StartHistory()
    assert starts.blame_for(BAD, 10.0, 12.0) is Blame.UNKNOWN
    starts.came_up(GOOD, 9.0)
    assert starts.blame_for(BAD, 10.0, 12.0) is Blame.UNKNOWN, "that was before"
    starts.came_up(GOOD, 11.0)
    assert starts.blame_for(BAD, 10.0, 12.0) is Blame.CONTEXT


def test_the_host_is_to_blame_once_it_is_known_to_fail() -> None:
    starts = StartHistory()
    starts.host.failed(11.0, "no memory")
    assert starts.blame_for(BAD, 10.0, 12.0) is Blame.HOST
    assert not starts.permits(GOOD, 12.0), "nothing is started but probes"


def test_a_context_that_failed_before_is_to_blame_without_a_new_probe() -> None:
    starts = StartHistory()
    starts.came_up(GOOD, 50.0)
    starts.failed(BAD, FAILURE, 51.0)
    assert starts.blame_for(BAD, 60.0, 61.0) is Blame.CONTEXT
    assert starts.blame_for(GOOD, 60.0, 61.0) is Blame.UNKNOWN


def test_nothing_is_started_while_the_fault_is_not_known() -> None:
    starts = StartHistory()
    starts.suspect(BAD)
    assert free_pages(starts, 0.0) == {BAD: HELD_BACK}
    starts.decided(BAD)
    assert free_pages(starts, 0.0) == {}


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
    assert waits[-1] == LONGEST_PROBE_SECONDS


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
