"""Which callbacks may start, without a network."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.delivery.callback_policy import (
    Answered,
    DeliveryOutcome,
    DeliveryTrouble,
    ReceiverUnreachable,
)
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

FAILURE = ReceiverUnreachable(DeliveryTrouble.TIMEOUT)
SUCCESS = Answered(200)


def delivery(host: str, number: int = 0, now: float = 0.0, tries: int = 0) -> DeliveryAttempt:
    url = f"https://{host}/x"
    target = CallbackTarget.parse(url)
    assert target is not None
    entry = OutboxEntry(
        id=f"{host}-{number}",
        shard=0,
        ref=JobRef("t", f"{host}-{number}"),
        callback_url=url,
        result=b"{}",
        tries=tries,
        since=0.0,
        token="t",
    )
    return DeliveryAttempt(entry, target, now)


def started(actions: list[Action]) -> list[DeliveryAttempt]:
    return [action.delivery for action in actions if isinstance(action, Start)]


def test_a_receiver_gets_no_more_than_its_share_and_the_rest_waits() -> None:
    queues = ReceiverQueues(10, 2, random.random)
    first = [started(queues.offer(delivery("a", number), 0.0)) for number in range(4)]
    assert [len(each) for each in first] == [1, 1, 0, 0]
    follows = started(queues.finished(first[0][0], SUCCESS, 0.1, 0.1))
    assert [each.entry.id for each in follows] == ["a-2"]


def test_a_slow_receiver_delays_no_other() -> None:
    queues = ReceiverQueues(64, 16, random.random)
    for number in range(1000):
        queues.offer(delivery("slow", number), 0.0)
    assert len(started(queues.offer(delivery("quick"), 0.0))) == 1


def test_many_slow_receivers_leave_a_quarter_of_the_slots_to_others() -> None:
    queues = ReceiverQueues(64, 16, random.random)
    count = 0
    for host in "abcdefgh":
        for number in range(40):
            count += len(started(queues.offer(delivery(f"slow-{host}", number), 0.0)))
    assert count < 64
    for number in range(4):
        assert len(started(queues.offer(delivery(f"quick-{number}"), 0.0))) == 1


def test_a_backlog_comes_back_at_the_pace_that_its_receiver_has_shown() -> None:
    queues = ReceiverQueues(8, 2, lambda: 1.0)
    delays = [
        action.delay_seconds
        for number in range(2 + WAITING_PER_SLOT * 2 + 50)
        for action in queues.offer(delivery("a", number), 0.0)
        if isinstance(action, Postpone)
    ]
    steps = [after - before for before, after in itertools.pairwise(delays)]
    assert len(delays) == 50
    assert all(abs(step - 0.05) < 1e-9 for step in steps)


def test_a_dead_receiver_gets_no_tries_and_what_waits_is_postponed() -> None:
    queues = ReceiverQueues(64, 8, lambda: 0.5)
    running = [each for number in range(20) for each in started(queues.offer(delivery("a", number), 0.0))]
    back: list[Action] = []
    for each in running[:THRESHOLD]:
        back = queues.finished(each, FAILURE, 10.0, 10.0)
    postponed = [action for action in back if isinstance(action, Postpone)]
    assert len(postponed) == 20 - len(running) - (THRESHOLD - 1)
    assert all(action.delay_seconds >= 2.0 for action in postponed)
    (refused,) = queues.offer(delivery("a", 99, 10.5), 10.5)
    assert isinstance(refused, Postpone)
    assert refused.delay_seconds >= 1.5


def test_one_probe_after_the_pause_and_then_all() -> None:
    queues = ReceiverQueues(64, 8, random.random)
    for number in range(THRESHOLD):
        (each,) = started(queues.offer(delivery("a", number), 0.0))
        queues.finished(each, FAILURE, 0.1, 0.1)
    (probe,) = started(queues.offer(delivery("a", 10, 5.0), 5.0))
    assert not queues.offer(delivery("a", 11, 5.0), 5.0)
    assert not queues.offer(delivery("a", 12, 5.0), 5.0)
    assert len(started(queues.finished(probe, SUCCESS, 0.1, 5.1))) == 2


def test_what_waited_too_long_is_postponed_because_another_worker_may_have_it() -> None:
    queues = ReceiverQueues(1, 1, random.random)
    (first,) = started(queues.offer(delivery("a", 1), 0.0))
    assert not queues.offer(delivery("a", 2), 0.0)
    (late,) = queues.finished(first, SUCCESS, 1.0, STALE_SECONDS + 1)
    assert late == Postpone(delivery("a", 2), 0.0)


def test_receivers_that_are_gone_are_forgotten() -> None:
    queues = ReceiverQueues(4, 4, random.random)
    for number in range(100):
        (each,) = started(queues.offer(delivery(f"good-{number}"), 0.0))
        queues.finished(each, SUCCESS, 0.1, 0.1)
        (each,) = started(queues.offer(delivery(f"failing-{number}"), 0.0))
        queues.finished(each, FAILURE, 0.1, 0.1)
    assert len(queues._queues) == 100
    queues.forget(10_000.0)
    assert not queues._queues


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.floats(0, 30)), max_size=120), st.integers(0, 99))
def test_nothing_is_lost_and_no_limit_is_passed(steps: list[tuple[str, bool, float]], seed: int) -> None:
    chance = random.Random(seed)
    queues = ReceiverQueues(6, 3, chance.random)
    running: list[DeliveryAttempt] = []
    outcomes: list[DeliveryOutcome] = [SUCCESS, FAILURE, Answered(503)]
    offered: set[str] = set()
    ended: set[str] = set()
    now = 0.0

    def act(actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Start):
                running.append(action.delivery)
            else:
                assert action.delay_seconds >= 0
                ended.add(action.delivery.entry.id)

    for number, (host, finish, seconds) in enumerate(steps):
        now += seconds
        if finish and running:
            each = running.pop(chance.randrange(len(running)))
            ended.add(each.entry.id)
            act(queues.finished(each, chance.choice(outcomes), seconds, now))
        else:
            offered.add(f"{host}-{number}")
            act(queues.offer(delivery(host, number, now), now))
        assert len(running) <= 6
        assert all(sum(each.target.host == host for each in running) <= 3 for host in "abcd")
        waiting = {each.entry.id for queue in queues._queues.values() for each in queue.waiting}
        assert offered == ended | waiting | {each.entry.id for each in running}
        # Whatever waits is started when a running delivery ends.
        assert not waiting or running
    while running:
        each = running.pop()
        ended.add(each.entry.id)
        act(queues.finished(each, SUCCESS, 0.1, now))
    assert offered == ended
