"""Which message a runner may send when: one table for the connection, one for each attempt.

A runner says hello, hands over its listening socket, and is ready. Only a ready runner may speak of attempts, and only
of those that the supervisor sent. An attempt is accepted, asks for secrets and about side effects, reports its steps,
offers artifacts one at a time and hands each over after a grant, is done, and frees its page. A ready runner asks for
permits at any time: requests of its pages need not belong to an attempt. It hands over one checkpoint of its profile
per TakeCheckpoint. A spare runner has no tenant at first: it may only log, answer pings and ask to retire until it is
assigned to a tenant, and that happens once. Feed every received message to `MessageRules.receive`: a message that the
tables do not permit raises ProtocolViolation, and the supervisor kills the runner. The shape is OpenSSH's monitor: one
table of permitted requests per phase. Pure.
"""

from collections import Counter
from enum import Enum

from pageworker_sandbox.state_machine import IllegalTransition, TransitionTable, label, next_state
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded, ProtocolViolation


class ConnectionState(Enum):
    """How far a runner's connection has come."""

    STARTED = "started"
    GREETED = "greeted"
    LISTENING = "listening"
    """The supervisor has the socket on which the runner's browser connects to the egress gateway."""
    UNASSIGNED = "unassigned"
    """A spare runner that is up: it has no tenant yet, and gets no module and no attempt."""
    READY = "ready"


class RunnerMessage(Enum):
    """A message from the runner. The value is the name of its type; only ASSIGN comes from the supervisor."""

    HELLO = "Hello"
    LISTENER = "Listener"
    READY = "Ready"
    SPARE_READY = "Ready of a spare"
    ASSIGN = "Assign"
    LOG_LINE = "LogLine"
    PONG = "Pong"
    ACCEPTED = "Accepted"
    OFFER = "Offer"
    ARTIFACT_DATA = "ArtifactData"
    SECRET_REQUEST = "SecretRequest"  # noqa: S105 - the name of a message
    DONE = "Done"
    FREE = "Free"
    RETIRE = "Retire"
    PERMIT_REQUEST = "PermitRequest"
    SPANS = "Spans"
    STEP_REPORT = "StepReport"
    ONCE_REQUEST = "OnceRequest"
    CHECKPOINT_TAKEN = "CheckpointTaken"


class SentAttemptState(Enum):
    """How far an attempt has come that was sent to a runner."""

    SENT = "sent"
    RUNNING = "running"
    OFFERED = "offered"
    """It has an artifact and waits for its grant."""
    GRANTED = "granted"
    """It may hand over the artifact that it offered last."""
    DONE = "done"
    FREED = "freed"
    """Its page is clean. Nothing more may be said of it."""


class AttemptMessage(Enum):
    """A message about one attempt. The value is the name of its type; only GRANT comes from the supervisor."""

    LOG_LINE = "LogLine"
    ACCEPTED = "Accepted"
    OFFER = "Offer"
    GRANT = "Grant"
    ARTIFACT_DATA = "ArtifactData"
    SECRET_REQUEST = "SecretRequest"  # noqa: S105 - the name of a message
    SPANS = "Spans"
    STEP_REPORT = "StepReport"
    ONCE_REQUEST = "OnceRequest"
    DONE = "Done"
    FREE = "Free"


CONNECTION_TRANSITIONS: TransitionTable[ConnectionState, RunnerMessage] = {
    (ConnectionState.STARTED, RunnerMessage.HELLO): ConnectionState.GREETED,
    (ConnectionState.GREETED, RunnerMessage.LOG_LINE): ConnectionState.GREETED,
    (ConnectionState.GREETED, RunnerMessage.LISTENER): ConnectionState.LISTENING,
    (ConnectionState.LISTENING, RunnerMessage.LOG_LINE): ConnectionState.LISTENING,
    (ConnectionState.LISTENING, RunnerMessage.READY): ConnectionState.READY,
    (ConnectionState.LISTENING, RunnerMessage.SPARE_READY): ConnectionState.UNASSIGNED,
    (ConnectionState.UNASSIGNED, RunnerMessage.LOG_LINE): ConnectionState.UNASSIGNED,
    (ConnectionState.UNASSIGNED, RunnerMessage.PONG): ConnectionState.UNASSIGNED,
    (ConnectionState.UNASSIGNED, RunnerMessage.RETIRE): ConnectionState.UNASSIGNED,
    (ConnectionState.UNASSIGNED, RunnerMessage.ASSIGN): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.LOG_LINE): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.PONG): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.ACCEPTED): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.OFFER): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.ARTIFACT_DATA): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.SECRET_REQUEST): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.DONE): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.FREE): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.RETIRE): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.PERMIT_REQUEST): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.SPANS): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.STEP_REPORT): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.ONCE_REQUEST): ConnectionState.READY,
    (ConnectionState.READY, RunnerMessage.CHECKPOINT_TAKEN): ConnectionState.READY,
}

ATTEMPT_TRANSITIONS: TransitionTable[SentAttemptState, AttemptMessage] = {
    (SentAttemptState.SENT, AttemptMessage.LOG_LINE): SentAttemptState.SENT,
    (SentAttemptState.SENT, AttemptMessage.ACCEPTED): SentAttemptState.RUNNING,
    (SentAttemptState.SENT, AttemptMessage.DONE): SentAttemptState.DONE,
    (SentAttemptState.RUNNING, AttemptMessage.LOG_LINE): SentAttemptState.RUNNING,
    (SentAttemptState.RUNNING, AttemptMessage.OFFER): SentAttemptState.OFFERED,
    (SentAttemptState.RUNNING, AttemptMessage.SECRET_REQUEST): SentAttemptState.RUNNING,
    (SentAttemptState.RUNNING, AttemptMessage.SPANS): SentAttemptState.RUNNING,
    (SentAttemptState.RUNNING, AttemptMessage.STEP_REPORT): SentAttemptState.RUNNING,
    (SentAttemptState.RUNNING, AttemptMessage.ONCE_REQUEST): SentAttemptState.RUNNING,
    (SentAttemptState.RUNNING, AttemptMessage.DONE): SentAttemptState.DONE,
    (SentAttemptState.OFFERED, AttemptMessage.LOG_LINE): SentAttemptState.OFFERED,
    (SentAttemptState.OFFERED, AttemptMessage.OFFER): SentAttemptState.OFFERED,
    (SentAttemptState.OFFERED, AttemptMessage.GRANT): SentAttemptState.GRANTED,
    (SentAttemptState.OFFERED, AttemptMessage.SECRET_REQUEST): SentAttemptState.OFFERED,
    (SentAttemptState.OFFERED, AttemptMessage.SPANS): SentAttemptState.OFFERED,
    (SentAttemptState.OFFERED, AttemptMessage.STEP_REPORT): SentAttemptState.OFFERED,
    (SentAttemptState.OFFERED, AttemptMessage.ONCE_REQUEST): SentAttemptState.OFFERED,
    (SentAttemptState.OFFERED, AttemptMessage.DONE): SentAttemptState.DONE,
    (SentAttemptState.GRANTED, AttemptMessage.LOG_LINE): SentAttemptState.GRANTED,
    (SentAttemptState.GRANTED, AttemptMessage.OFFER): SentAttemptState.OFFERED,
    (SentAttemptState.GRANTED, AttemptMessage.ARTIFACT_DATA): SentAttemptState.RUNNING,
    (SentAttemptState.GRANTED, AttemptMessage.SECRET_REQUEST): SentAttemptState.GRANTED,
    (SentAttemptState.GRANTED, AttemptMessage.SPANS): SentAttemptState.GRANTED,
    (SentAttemptState.GRANTED, AttemptMessage.STEP_REPORT): SentAttemptState.GRANTED,
    (SentAttemptState.GRANTED, AttemptMessage.ONCE_REQUEST): SentAttemptState.GRANTED,
    (SentAttemptState.GRANTED, AttemptMessage.DONE): SentAttemptState.DONE,
    (SentAttemptState.DONE, AttemptMessage.FREE): SentAttemptState.FREED,
}


MOST_PER_ATTEMPT: dict[type[m.Message], tuple[int, str]] = {
    m.SecretRequest: (m.MAX_SECRET_REQUESTS, "secret requests"),
    m.StepReport: (2 * m.MAX_STEPS, "step reports"),
    m.OnceRequest: (m.MAX_ONCE_REQUESTS, "requests about side effects"),
}
"""How often an attempt may send a message, and what its messages are called."""


class MessageRules:
    """The states of one runner's connection and of its attempts."""

    def __init__(self, *, spare: bool = False) -> None:
        """`spare`: the runner has no tenant until `assigned` is called."""
        self.state = ConnectionState.STARTED
        self._spare = spare
        self.attempts: dict[str, SentAttemptState] = {}
        self._counts: dict[str, Counter[type[m.Message]]] = {}
        """Per attempt, its messages that have a bound."""
        self._may_send_spans: set[str] = set()
        """Attempts whose Run asked for spans, and that have sent none yet."""
        self._waiting_permits = 0
        self._asked_checkpoint: int | None = None
        # For the runner's own lines, and as many again for lines that it cannot assign to an attempt.
        self._lines = self._most_lines = 2 * m.MAX_LINES

    def sent(self, attempt_id: str, *, spans: bool = False) -> None:
        """A Run message went out: from now on the runner may speak of its attempt. `spans`: it asks for them."""
        self.check_assigned()
        self.attempts[attempt_id] = SentAttemptState.SENT
        if spans:
            self._may_send_spans.add(attempt_id)
        # +1 for the final "more lines were left out" line.
        self._lines += m.MAX_LINES + 1
        self._most_lines += m.MAX_LINES + 1

    def assigned(self) -> None:
        """An Assign message is about to go out. Raises ProtocolViolation for a runner that has a tenant."""
        try:
            self.state = next_state(CONNECTION_TRANSITIONS, self.state, RunnerMessage.ASSIGN)
        except IllegalTransition:
            raise ProtocolViolation(f"Assign is not permitted while the connection is {label(self.state)}") from None

    def check_assigned(self) -> None:
        """A Module or a Run is about to go out. Raises ProtocolViolation for a spare without a tenant."""
        if self.state is ConnectionState.UNASSIGNED:
            raise ProtocolViolation("a spare runner gets no module before it is assigned to a tenant")

    def granted(self, attempt_id: str) -> None:
        """A Grant message went out: the artifact that was offered last may come. No effect if none is offered."""
        if self.attempts.get(attempt_id) is SentAttemptState.OFFERED:
            self._advance(attempt_id, AttemptMessage.GRANT)

    def checkpoint_asked(self, number: int) -> None:
        """A TakeCheckpoint message is about to go out. No earlier one is without an answer."""
        self._asked_checkpoint = number

    def permit_answered(self) -> None:
        """A PermitAnswer message is about to go out."""
        self._waiting_permits -= 1

    def receive(self, message: m.Message) -> None:
        """Advance by one received message. Raises ProtocolViolation if it is not permitted."""
        kind = type(message).__name__
        try:
            event = RunnerMessage.SPARE_READY if self._spare and kind == "Ready" else RunnerMessage(kind)
            self.state = next_state(CONNECTION_TRANSITIONS, self.state, event)
        except (IllegalTransition, ValueError):
            raise ProtocolViolation(f"{kind} is not permitted while the connection is {label(self.state)}") from None
        if isinstance(message, m.LogLine):
            self._lines -= 1
            if self._lines < 0:
                raise OutputExceeded(self._most_lines + 1, self._most_lines, "lines")
        if isinstance(message, m.PermitRequest):
            self._waiting_permits += 1
            if self._waiting_permits > m.MAX_WAITING_PERMITS:
                raise ProtocolViolation(f"more than {m.MAX_WAITING_PERMITS} permit requests without an answer")
        if isinstance(message, m.CheckpointTaken):
            if message.number != self._asked_checkpoint:
                raise ProtocolViolation("a checkpoint that was not asked for, or a second time")
            self._asked_checkpoint = None
        attempt_id: str | None = getattr(message, "attempt_id", None)
        if attempt_id is not None:
            self._advance(attempt_id, AttemptMessage(kind))
            self._count(attempt_id, type(message))
        if isinstance(message, m.Spans):
            if message.attempt_id not in self._may_send_spans:
                raise ProtocolViolation("spans that no Run asked for, or a second time")
            self._may_send_spans.remove(message.attempt_id)

    def _count(self, attempt_id: str, kind: type[m.Message]) -> None:
        if (bound := MOST_PER_ATTEMPT.get(kind)) is not None:
            counts = self._counts.setdefault(attempt_id, Counter())
            counts[kind] += 1
            if counts[kind] > bound[0]:
                raise ProtocolViolation(f"more than {bound[0]} {bound[1]} of one attempt")

    def _advance(self, attempt_id: str, event: AttemptMessage) -> None:
        state = self.attempts.get(attempt_id)
        if state is None:
            raise ProtocolViolation(f"{event.value} is not permitted for an attempt that was not sent, or is freed")
        try:
            after = next_state(ATTEMPT_TRANSITIONS, state, event)
        except IllegalTransition:
            raise ProtocolViolation(f"{event.value} is not permitted for an attempt that is {label(state)}") from None
        if after is SentAttemptState.FREED:
            del self.attempts[attempt_id]
            self._counts.pop(attempt_id, None)
            self._may_send_spans.discard(attempt_id)
        else:
            self.attempts[attempt_id] = after
