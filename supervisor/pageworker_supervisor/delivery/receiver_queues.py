"""Who may be called now: one lane a receiver, so that a slow or dead one delays nobody else. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.delivery.callback_policy import backoff_seconds
from pageworker_supervisor.delivery.circuit_breaker import CircuitBreaker, CircuitState
from pageworker_supervisor.delivery.outbox import OutboxEntry
from pageworker_supervisor.delivery.response import DeliveryOutcome

WAITING_PER_SLOT = 2
"""A lane holds so many promises for each slot of its own; more go back and come again when there is room."""
RESERVED = 4
"""One in so many of all slots is for lanes that use none or one."""
STALE_SECONDS = 40.0
"""The outbox gives a promise to somebody else a minute after it was taken; a try must end before that."""
LONGEST_RETURN_SECONDS = 60.0
SMOOTHING = 0.2
SPREAD_TRIES = 6
"""Tries count for the spread after a pause up to here: half a minute is wide enough for any backlog."""


@dataclass(frozen=True)
class DeliveryAttempt:
    """A promise, where it goes, and when it was taken."""

    promise: OutboxEntry
    target: CallbackTarget
    taken_at: float


@dataclass(frozen=True)
class Start:
    """Send it now."""

    errand: DeliveryAttempt


@dataclass(frozen=True)
class Postpone:
    """Give it back for so long; it was not tried."""

    errand: DeliveryAttempt
    delay_seconds: float


Action = Start | Postpone


@dataclass
class ReceiverQueue:
    """One receiver."""

    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    waiting: deque[DeliveryAttempt] = field(default_factory=deque)
    active: int = 0
    try_seconds: float = 0.1
    """How long a try takes, smoothed."""
    free_at: float = 0.0
    """When all that was sent away will have been served, if it comes back evenly."""


class ReceiverQueues:
    """The state table of all receivers. Times are seconds on a clock that does not go back."""

    def __init__(self, concurrency: int, host_concurrency: int, random: Callable[[], float]) -> None:
        self._concurrency = concurrency
        self._host_concurrency = min(host_concurrency, concurrency)
        self._random = random
        self._lanes: dict[str, ReceiverQueue] = {}
        self._active = 0

    def offer(self, errand: DeliveryAttempt, now: float) -> list[Action]:
        """A promise was taken."""
        lane = self._lanes.setdefault(errand.target.origin, ReceiverQueue())
        if not lane.breaker.permits(now, lane.active) and lane.breaker.state is CircuitState.OPEN:
            return [self._past_pause(errand, lane, now)]
        if len(lane.waiting) >= WAITING_PER_SLOT * self._host_concurrency:
            return [self._in_turn(errand, lane, now)]
        lane.waiting.append(errand)
        return self._start(now)

    def finished(self, errand: DeliveryAttempt, outcome: DeliveryOutcome, seconds: float, now: float) -> list[Action]:
        """A try ended; others may start, or have to go back because their receiver is ill."""
        origin = errand.target.origin
        lane = self._lanes[origin]
        self._active -= 1
        lane.active -= 1
        lane.try_seconds += SMOOTHING * (seconds - lane.try_seconds)
        lane.breaker.record(outcome, now)
        actions: list[Action] = []
        if lane.breaker.state is CircuitState.OPEN:
            actions += [self._past_pause(waiting, lane, now) for waiting in lane.waiting]
            lane.waiting.clear()
        actions += self._start(now)
        if not lane.active and not lane.waiting and lane.breaker == CircuitBreaker():
            del self._lanes[origin]
        return actions

    def forget(self, now: float) -> None:
        """Drop lanes of receivers that nobody has called for long after their pause."""
        for origin, lane in list(self._lanes.items()):
            idle = not lane.active and not lane.waiting
            if idle and now > lane.breaker.open_until + 10 * LONGEST_RETURN_SECONDS:
                del self._lanes[origin]

    def leave(self) -> list[DeliveryAttempt]:
        """Everything that waits, to be given back."""
        left = [errand for lane in self._lanes.values() for errand in lane.waiting]
        for lane in self._lanes.values():
            lane.waiting.clear()
        return left

    def _start(self, now: float) -> list[Action]:
        """Start what fits, one from each lane in turn."""
        actions: list[Action] = []
        while True:
            ready = [lane for lane in self._lanes.values() if lane.waiting and self._fits(lane, now)]
            if not ready:
                return actions
            for lane in ready:
                if not self._fits(lane, now):
                    continue
                errand = lane.waiting.popleft()
                if now - errand.taken_at > STALE_SECONDS:
                    actions.append(Postpone(errand, 0.0))
                    continue
                lane.active += 1
                self._active += 1
                actions.append(Start(errand))

    def _fits(self, lane: ReceiverQueue, now: float) -> bool:
        if self._active >= self._concurrency or lane.active >= self._host_concurrency:
            return False
        crowded = self._active >= self._concurrency - self._concurrency // RESERVED
        return not (crowded and lane.active >= 2) and lane.breaker.permits(now, lane.active)

    def _past_pause(self, errand: DeliveryAttempt, lane: ReceiverQueue, now: float) -> Postpone:
        """After the pause, spread out: the first is the probe, the rest should not all come with it."""
        spread = backoff_seconds(min(errand.promise.tries, SPREAD_TRIES), self._random)
        return Postpone(errand, max(0.0, lane.breaker.open_until - now) + spread)

    def _in_turn(self, errand: DeliveryAttempt, lane: ReceiverQueue, now: float) -> Postpone:
        """Evenly, at the pace that the receiver has shown; else a backlog would go round and round."""
        pace = lane.try_seconds / self._host_concurrency
        lane.free_at = max(lane.free_at, now + len(lane.waiting) * pace) + pace
        return Postpone(errand, min(lane.free_at - now, LONGEST_RETURN_SECONDS * (0.5 + 0.5 * self._random())))
