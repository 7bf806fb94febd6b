"""Who may be called: played through without a network."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.delivery.circuit_breaker import THRESHOLD
from pageworker_supervisor.delivery.outbox import OutboxEntry
from pageworker_supervisor.delivery.receiver_queues import (
    STALE_SECONDS,
    WAITING_PER_SLOT,
    Action,
    DeliveryAttempt,
    Postpone,
    ReceiverQueues,
    Start,
)
from pageworker_supervisor.delivery.response import Answered, DeliveryOutcome, DeliveryTrouble, ReceiverUnreachable

DEAD = ReceiverUnreachable(DeliveryTrouble.TIMEOUT)
WELL = Answered(200)


def errand(host: str, number: int = 0, now: float = 0.0, tries: int = 0) -> DeliveryAttempt:
    url = f"https://{host}/x"
    target = CallbackTarget.parse(url)
    assert target is not None
    promise = OutboxEntry(
        id=f"{host}-{number}",
        shard=0,
        ref=JobRef("t", f"{host}-{number}"),
        callback_url=url,
        result=b"{}",
        tries=tries,
        since=0.0,
        token="t",
    )
    return DeliveryAttempt(promise, target, now)


def started(actions: list[Action]) -> list[DeliveryAttempt]:
    return [action.errand for action in actions if isinstance(action, Start)]


def test_a_receiver_gets_no_more_than_its_share_and_the_rest_waits() -> None:
    lanes = ReceiverQueues(10, 2, random.random)
    first = [started(lanes.offer(errand("a", number), 0.0)) for number in range(4)]
    assert [len(each) for each in first] == [1, 1, 0, 0]
    follows = started(lanes.finished(first[0][0], WELL, 0.1, 0.1))
    assert [each.promise.id for each in follows] == ["a-2"]


def test_a_slow_receiver_delays_nobody_else() -> None:
    lanes = ReceiverQueues(64, 16, random.random)
    for number in range(1000):
        lanes.offer(errand("slow", number), 0.0)
    assert len(started(lanes.offer(errand("quick"), 0.0))) == 1


def test_many_slow_receivers_leave_a_quarter_of_the_slots_to_others() -> None:
    lanes = ReceiverQueues(64, 16, random.random)
    count = 0
    for host in "abcdefgh":
        for number in range(40):
            count += len(started(lanes.offer(errand(f"slow-{host}", number), 0.0)))
    assert count < 64
    for number in range(4):
        assert len(started(lanes.offer(errand(f"quick-{number}"), 0.0))) == 1


def test_a_backlog_comes_back_at_the_pace_that_its_receiver_has_shown() -> None:
    lanes = ReceiverQueues(8, 2, lambda: 1.0)
    delays = [
        action.delay_seconds
        for number in range(2 + WAITING_PER_SLOT * 2 + 50)
        for action in lanes.offer(errand("a", number), 0.0)
        if isinstance(action, Postpone)
    ]
    steps = [after - before for before, after in itertools.pairwise(delays)]
    assert len(delays) == 50
    assert all(abs(step - 0.05) < 1e-9 for step in steps)


def test_a_dead_receiver_is_left_alone_and_what_waits_goes_back() -> None:
    lanes = ReceiverQueues(64, 8, lambda: 0.5)
    running = [each for number in range(20) for each in started(lanes.offer(errand("a", number), 0.0))]
    back: list[Action] = []
    for each in running[:THRESHOLD]:
        back = lanes.finished(each, DEAD, 10.0, 10.0)
    postponed = [action for action in back if isinstance(action, Postpone)]
    assert len(postponed) == 20 - len(running) - (THRESHOLD - 1)
    assert all(action.delay_seconds >= 2.0 for action in postponed)
    (refused,) = lanes.offer(errand("a", 99, 10.5), 10.5)
    assert isinstance(refused, Postpone)
    assert refused.delay_seconds >= 1.5


def test_one_probe_after_the_pause_and_then_all() -> None:
    lanes = ReceiverQueues(64, 8, random.random)
    for number in range(THRESHOLD):
        (each,) = started(lanes.offer(errand("a", number), 0.0))
        lanes.finished(each, DEAD, 0.1, 0.1)
    (probe,) = started(lanes.offer(errand("a", 10, 5.0), 5.0))
    assert not lanes.offer(errand("a", 11, 5.0), 5.0)
    assert not lanes.offer(errand("a", 12, 5.0), 5.0)
    assert len(started(lanes.finished(probe, WELL, 0.1, 5.1))) == 2


def test_what_waited_too_long_goes_back_because_another_may_have_it_by_then() -> None:
    lanes = ReceiverQueues(1, 1, random.random)
    (first,) = started(lanes.offer(errand("a", 1), 0.0))
    assert not lanes.offer(errand("a", 2), 0.0)
    (late,) = lanes.finished(first, WELL, 1.0, STALE_SECONDS + 1)
    assert late == Postpone(errand("a", 2), 0.0)


def test_receivers_that_are_gone_are_forgotten() -> None:
    lanes = ReceiverQueues(4, 4, random.random)
    for number in range(100):
        (each,) = started(lanes.offer(errand(f"well-{number}"), 0.0))
        lanes.finished(each, WELL, 0.1, 0.1)
        (each,) = started(lanes.offer(errand(f"ill-{number}"), 0.0))
        lanes.finished(each, DEAD, 0.1, 0.1)
    assert len(lanes._lanes) == 100
    lanes.forget(10_000.0)
    assert not lanes._lanes


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.floats(0, 30)), max_size=120), st.integers(0, 99))
def test_nothing_is_lost_and_no_limit_is_passed(steps: list[tuple[str, bool, float]], seed: int) -> None:
    chance = random.Random(seed)
    lanes = ReceiverQueues(6, 3, chance.random)
    running: list[DeliveryAttempt] = []
    outcomes: list[DeliveryOutcome] = [WELL, DEAD, Answered(503)]
    offered: set[str] = set()
    ended: set[str] = set()
    now = 0.0

    def act(actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Start):
                running.append(action.errand)
            else:
                assert action.delay_seconds >= 0
                ended.add(action.errand.promise.id)

    for number, (host, finish, seconds) in enumerate(steps):
        now += seconds
        if finish and running:
            each = running.pop(chance.randrange(len(running)))
            ended.add(each.promise.id)
            act(lanes.finished(each, chance.choice(outcomes), seconds, now))
        else:
            offered.add(f"{host}-{number}")
            act(lanes.offer(errand(host, number, now), now))
        assert len(running) <= 6
        assert all(sum(each.target.host == host for each in running) <= 3 for host in "abcd")
        waiting = {each.promise.id for lane in lanes._lanes.values() for each in lane.waiting}
        assert offered == ended | waiting | {each.promise.id for each in running}
        # What waits has somebody at work whose end will wake it.
        assert not waiting or running
    while running:
        each = running.pop()
        ended.add(each.promise.id)
        act(lanes.finished(each, WELL, 0.1, now))
    assert offered == ended
