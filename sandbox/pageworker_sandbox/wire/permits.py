"""Which message a runner may say when. Two small tables: the runner's life and each attempt's life.

Pure: feed every received message to `Permits.receive`; an illegal one raises ProtocolViolation, and the
supervisor kills the runner. The shape is OpenSSH's monitor: one table of permitted requests a phase.
"""

from enum import Enum, auto

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded, ProtocolViolation


class RunnerPhase(Enum):
    """A runner as the supervisor sees it."""

    STARTED = auto()
    GREETED = auto()
    LISTENING = auto()
    READY = auto()


class AttemptPhase(Enum):
    """An attempt as the supervisor sees it."""

    SENT = auto()
    RUNNING = auto()
    OFFERED = auto()
    """It has an artifact, and waits for its grant."""
    GRANTED = auto()
    DONE = auto()


RUNNER: dict[RunnerPhase, dict[type[m.Message], RunnerPhase]] = {
    RunnerPhase.STARTED: {m.Hello: RunnerPhase.GREETED},
    RunnerPhase.GREETED: {m.LogLine: RunnerPhase.GREETED, m.Listener: RunnerPhase.LISTENING},
    RunnerPhase.LISTENING: {m.LogLine: RunnerPhase.LISTENING, m.Ready: RunnerPhase.READY},
    RunnerPhase.READY: dict.fromkeys(
        (m.LogLine, m.Pong, m.Accepted, m.Offer, m.ArtifactData, m.Done, m.Free, m.Retire), RunnerPhase.READY
    ),
}

ATTEMPT: dict[AttemptPhase, dict[type[m.Message], AttemptPhase | None]] = {
    AttemptPhase.SENT: {
        m.Accepted: AttemptPhase.RUNNING,
        m.LogLine: AttemptPhase.SENT,
        m.Done: AttemptPhase.DONE,
    },
    AttemptPhase.RUNNING: {
        m.LogLine: AttemptPhase.RUNNING,
        m.Offer: AttemptPhase.OFFERED,
        m.Done: AttemptPhase.DONE,
    },
    AttemptPhase.OFFERED: {
        m.LogLine: AttemptPhase.OFFERED,
        m.Offer: AttemptPhase.OFFERED,
        m.Done: AttemptPhase.DONE,
    },
    AttemptPhase.GRANTED: {
        m.LogLine: AttemptPhase.GRANTED,
        m.Offer: AttemptPhase.OFFERED,
        m.ArtifactData: AttemptPhase.RUNNING,
        m.Done: AttemptPhase.DONE,
    },
    AttemptPhase.DONE: {m.Free: None},
}


class Permits:
    """One runner's place in both tables."""

    def __init__(self) -> None:
        self.phase = RunnerPhase.STARTED
        self.attempts: dict[str, AttemptPhase] = {}
        # Its own lines, and those that it can't tell whose they are.
        self._lines = self._most_lines = 2 * m.MAX_LINES

    def sent(self, attempt_id: str) -> None:
        """A Run went out: its attempt may now be spoken of."""
        self.attempts[attempt_id] = AttemptPhase.SENT
        # One more: that there were more.
        self._lines += m.MAX_LINES + 1
        self._most_lines += m.MAX_LINES + 1

    def granted(self, attempt_id: str) -> None:
        """A Grant went out: the artifact that was offered last may come."""
        if self.attempts.get(attempt_id) is AttemptPhase.OFFERED:
            self.attempts[attempt_id] = AttemptPhase.GRANTED

    def receive(self, message: m.Message) -> None:
        """Advance by one received message. Raises ProtocolViolation where it is not permitted."""
        kind = type(message)
        try:
            self.phase = RUNNER[self.phase][kind]
        except KeyError:
            raise ProtocolViolation(f"{kind.__name__} is not permitted while {self.phase.name}") from None
        if kind is m.LogLine:
            self._lines -= 1
            if self._lines < 0:
                raise OutputExceeded(self._most_lines + 1, self._most_lines, "lines")
        attempt_id: str | None = getattr(message, "attempt_id", None)
        if attempt_id is not None:
            self._advance(attempt_id, kind)

    def _advance(self, attempt_id: str, kind: type[m.Message]) -> None:
        phase = self.attempts.get(attempt_id)
        if phase is None or kind not in ATTEMPT[phase]:
            at = phase.name if phase else "unknown"
            raise ProtocolViolation(f"{kind.__name__} is not permitted for an attempt that is {at}")
        after = ATTEMPT[phase][kind]
        if after is None:
            del self.attempts[attempt_id]
        else:
            self.attempts[attempt_id] = after
