"""Which callbacks may start now: one queue per receiver, so that a slow or dead receiver delays no other. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.delivery.callback_policy import DeliveryOutcome, backoff_seconds
from pageworker_supervisor.delivery.circuit_breaker import CircuitBreaker, CircuitState
from pageworker_supervisor.delivery.outbox import OutboxEntry

WAITING_PER_SLOT = 2
"""Entries that a queue holds per slot of its receiver. Further entries are postponed."""
RESERVED = 4
"""One slot in this many is reserved for receivers that use no slot or one."""
STALE_SECONDS = 40.0
"""The outbox gives an entry to another worker a minute after it was taken. A try must end before that."""
LONGEST_RETURN_SECONDS = 60.0
SMOOTHING = 0.2
SPREAD_TRIES = 6
"""The spread after a pause stops growing after this many tries: half a minute is wide enough for any backlog."""


@dataclass(frozen=True)
class DeliveryAttempt:
    """An outbox entry, its receiver, and when it was taken."""

    entry: OutboxEntry
    target: CallbackTarget
    taken_at: float


@dataclass(frozen=True)
class Start:
    """Send it now."""

    delivery: DeliveryAttempt


@dataclass(frozen=True)
class Postpone:
    """Give the entry back to the outbox for this time. It was not tried."""

    delivery: DeliveryAttempt
    delay_seconds: float


Action = Start | Postpone


@dataclass
class ReceiverQueue:
    """The queue of one receiver."""

    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    waiting: deque[DeliveryAttempt] = field(default_factory=deque)
    active: int = 0
    try_seconds: float = 0.1
    """How long a try takes: a moving average."""
    free_at: float = 0.0
    """When all postponed entries will have been served, if they come back evenly."""


class ReceiverQueues:
    """The queues of all receivers. Times are seconds on a clock that does not go back."""

    def __init__(self, concurrency: int, host_concurrency: int, random: Callable[[], float]) -> None:
        self._concurrency = concurrency
        self._host_concurrency = min(host_concurrency, concurrency)
        self._random = random
        self._queues: dict[str, ReceiverQueue] = {}
        self._active = 0

    def resize(self, concurrency: int, host_concurrency: int) -> None:
        """Start as many at the same time from now on. Those that run above a lower number are not stopped."""
        self._concurrency = concurrency
        self._host_concurrency = min(host_concurrency, concurrency)

    def offer(self, delivery: DeliveryAttempt, now: float) -> list[Action]:
        """An entry was taken from the outbox."""
        queue = self._queues.setdefault(delivery.target.origin, ReceiverQueue())
        if not queue.breaker.permits(now, queue.active) and queue.breaker.state is CircuitState.OPEN:
            return [self._past_pause(delivery, queue, now)]
        if len(queue.waiting) >= WAITING_PER_SLOT * self._host_concurrency:
            return [self._in_turn(delivery, queue, now)]
        queue.waiting.append(delivery)
        return self._start(now)

    def finished(self, delivery: DeliveryAttempt, outcome: DeliveryOutcome, seconds: float, now: float) -> list[Action]:
        """A try ended. Others may start, or are postponed because their receiver fails."""
        origin = delivery.target.origin
        queue = self._queues[origin]
        self._active -= 1
        queue.active -= 1
        queue.try_seconds += SMOOTHING * (seconds - queue.try_seconds)
        queue.breaker.record(outcome, now)
        actions: list[Action] = []
        if queue.breaker.state is CircuitState.OPEN:
            actions += [self._past_pause(waiting, queue, now) for waiting in queue.waiting]
            queue.waiting.clear()
        actions += self._start(now)
        if not queue.active and not queue.waiting and queue.breaker == CircuitBreaker():
            del self._queues[origin]
        return actions

    def forget(self, now: float) -> None:
        """Drop the queues of receivers that got no callback for long after their pause."""
        for origin, queue in list(self._queues.items()):
            idle = not queue.active and not queue.waiting
            if idle and now > queue.breaker.backoff.until + 10 * LONGEST_RETURN_SECONDS:
                del self._queues[origin]

    def leave(self) -> list[DeliveryAttempt]:
        """Remove and return everything that waits, to be given back."""
        left = [delivery for queue in self._queues.values() for delivery in queue.waiting]
        for queue in self._queues.values():
            queue.waiting.clear()
        return left

    def _start(self, now: float) -> list[Action]:
        """Start what fits, one from each queue in turn."""
        actions: list[Action] = []
        while True:
            ready = [queue for queue in self._queues.values() if queue.waiting and self._fits(queue, now)]
            if not ready:
                return actions
            for queue in ready:
                if not self._fits(queue, now):
                    continue
                delivery = queue.waiting.popleft()
                if now - delivery.taken_at > STALE_SECONDS:
                    actions.append(Postpone(delivery, 0.0))
                    continue
                queue.active += 1
                self._active += 1
                actions.append(Start(delivery))

    def _fits(self, queue: ReceiverQueue, now: float) -> bool:
        if self._active >= self._concurrency or queue.active >= self._host_concurrency:
            return False
        crowded = self._active >= self._concurrency - self._concurrency // RESERVED
        return not (crowded and queue.active >= 2) and queue.breaker.permits(now, queue.active)

    def _past_pause(self, delivery: DeliveryAttempt, queue: ReceiverQueue, now: float) -> Postpone:
        """After the pause, spread out: one is the probe, and the others should not arrive together with it."""
        spread = backoff_seconds(min(delivery.entry.tries, SPREAD_TRIES), self._random)
        return Postpone(delivery, queue.breaker.backoff.remaining_seconds(now) + spread)

    def _in_turn(self, delivery: DeliveryAttempt, queue: ReceiverQueue, now: float) -> Postpone:
        """Evenly, as fast as the receiver has been. Otherwise a backlog would be postponed again and again."""
        pace = queue.try_seconds / self._host_concurrency
        queue.free_at = max(queue.free_at, now + len(queue.waiting) * pace) + pace
        return Postpone(delivery, min(queue.free_at - now, LONGEST_RETURN_SECONDS * (0.5 + 0.5 * self._random())))
