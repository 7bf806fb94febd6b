"""Which message a runner may send when: every pair of state and message, and what a runner cannot do."""

from functools import partial

import pytest
from pw_states import StatePair, check, every_pair

from pageworker_sandbox.state_machine import label
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded, ProtocolViolation
from pageworker_sandbox.wire.message_rules import (
    ATTEMPT_TRANSITIONS,
    CONNECTION_TRANSITIONS,
    AttemptMessage,
    ConnectionState,
    MessageRules,
    RunnerMessage,
    SentAttemptState,
)

MESSAGES: dict[str, m.Message] = {
    "Hello": m.Hello(protocol=1),
    "Listener": m.Listener(port=1),
    "Ready": m.Ready(browser_version="", pages=1, evidence={}),
    "Pong": m.Pong(number=1),
    "Accepted": m.Accepted(attempt_id="a", page=0),
    "LogLine": m.LogLine(attempt_id="a", level="info", message=""),
    "ArtifactData": m.ArtifactData(attempt_id="a", kind="html", content_type="text/html"),
    "Offer": m.Offer(attempt_id="a", number=1, bytes=1),
    "SecretRequest": m.SecretRequest(attempt_id="a", number=1, name="login", form="value"),
    "Done": m.Done(attempt_id="a", outcome="succeeded"),
    "Free": m.Free(attempt_id="a"),
    "Retire": m.Retire(cause="jobs", reason=""),
    "PermitRequest": m.PermitRequest(number=1, host="shop.test"),
    "Spans": m.Spans(attempt_id="a", spans=()),
    "StepReport": m.StepReport(attempt_id="a", number=1, text="x", at_seconds=0),
    "OnceRequest": m.OnceRequest(attempt_id="a", number=1, key="order", act="begin"),
    "CheckpointTaken": m.CheckpointTaken(number=1),
}

CONNECTION_GRID = """
           hello   listener  ready spare_ready assign log_line   pong       accepted offer artifact_data secret_request done  free  retire     permit_request spans checkpoint_taken step_report once_request
started    greeted -         -     -           -      -          -          -        -     -             -              -     -     -          -              -     - - -
greeted    -       listening -     -           -      greeted    -          -        -     -             -              -     -     -          -              -     - - -
listening  -       -         ready unassigned  -      listening  -          -        -     -             -              -     -     -          -              -     - - -
unassigned -       -         -     -           ready  unassigned unassigned -        -     -             -              -     -     unassigned -              -     - - -
ready      -       -         -     -           -      ready      ready      ready    ready ready         ready          ready ready ready      ready          ready ready ready ready
"""  # noqa: E501 - one column per message

ATTEMPT_GRID = """
         log_line  accepted  offer    grant    artifact_data  secret_request  spans    done  free step_report once_request
sent     sent      running   -        -        -              -               -        done  - - -
running  running   -         offered  -        -              running         running  done  - running running
offered  offered   -         offered  granted  -              offered         offered  done  - offered offered
granted  granted   -         offered  -        running        granted         granted  done  - granted granted
done     -         -         -        -        -              -               -        -     freed - -
freed    -         -         -        -        -              -               -        -     - - -
"""  # noqa: E501 - one column per message


def test_the_messages_are_those_that_a_runner_can_send() -> None:
    known = {spec.message.__name__ for spec in m.TO_SUPERVISOR.values()}
    assert {message.value for message in RunnerMessage} - {"Ready of a spare", "Assign"} == set(MESSAGES) == known


def test_every_message_about_an_attempt_is_in_the_attempts_table() -> None:
    about = {name for name, message in MESSAGES.items() if hasattr(message, "attempt_id")}
    assert {message.value for message in AttemptMessage} == about | {"Grant"}


@every_pair(CONNECTION_GRID, ConnectionState, RunnerMessage)
def test_every_pair_of_a_connection(pair: StatePair) -> None:
    check(CONNECTION_TRANSITIONS, pair)
    rules = MessageRules(spare=pair.event is RunnerMessage.SPARE_READY)
    # The attempt is where the message is legal, so that only the connection's own table decides.
    rules.sent("a", spans=True)
    rules.checkpoint_asked(1)
    legal = (state for state, event in ATTEMPT_TRANSITIONS if event.value == pair.event.value)
    rules.attempts["a"] = next(legal, SentAttemptState.SENT)
    rules.state = pair.state
    if pair.event is RunnerMessage.ASSIGN:
        step, name = rules.assigned, "Assign"
    else:
        message = MESSAGES["Ready" if pair.event is RunnerMessage.SPARE_READY else pair.event.value]
        step, name = partial(rules.receive, message), type(message).__name__
    if pair.after is None:
        with pytest.raises(ProtocolViolation, match=f"{name} .* connection is {label(pair.state)}"):
            step()
    else:
        step()
        assert rules.state is pair.after


def test_a_spare_gets_neither_module_nor_attempt_before_it_is_assigned() -> None:
    rules = MessageRules(spare=True)
    for message in ("Hello", "Listener", "Ready"):
        rules.receive(MESSAGES[message])
    with pytest.raises(ProtocolViolation, match="before it is assigned"):
        rules.check_assigned()
    with pytest.raises(ProtocolViolation, match="before it is assigned"):
        rules.sent("a")
    rules.assigned()
    rules.check_assigned()
    rules.sent("a")
    with pytest.raises(ProtocolViolation, match="Assign is not permitted while the connection is ready"):
        rules.assigned()


def test_a_runner_of_a_tenant_is_assigned_to_no_other_one() -> None:
    rules = MessageRules()
    for message in ("Hello", "Listener", "Ready"):
        rules.receive(MESSAGES[message])
    with pytest.raises(ProtocolViolation, match="Assign is not permitted while the connection is ready"):
        rules.assigned()


@every_pair(ATTEMPT_GRID, SentAttemptState, AttemptMessage)
def test_every_pair_of_an_attempt(pair: StatePair) -> None:
    check(ATTEMPT_TRANSITIONS, pair)
    rules = ready()
    if pair.state is not SentAttemptState.FREED:
        rules.sent("a", spans=True)
        rules.attempts["a"] = pair.state
    if pair.event is AttemptMessage.GRANT:
        rules.granted("a")
        assert (rules.attempts.get("a") is SentAttemptState.GRANTED) == (
            pair.state in (SentAttemptState.OFFERED, SentAttemptState.GRANTED)
        )
    elif pair.after is None:
        with pytest.raises(ProtocolViolation, match=f"{pair.event.value} is not permitted for an attempt"):
            rules.receive(MESSAGES[pair.event.value])
    else:
        rules.receive(MESSAGES[pair.event.value])
        assert rules.attempts.get("a", SentAttemptState.FREED) is pair.after


def ready() -> MessageRules:
    """Those of a runner that is ready."""
    rules = MessageRules()
    rules.state = ConnectionState.READY
    return rules


def test_a_runner_waits_for_a_bounded_number_of_permits() -> None:
    rules = ready()
    for number in range(m.MAX_WAITING_PERMITS):
        rules.receive(m.PermitRequest(number=number, host="shop.test"))
    rules.permit_answered()
    rules.receive(MESSAGES["PermitRequest"])
    with pytest.raises(ProtocolViolation, match="more than 1024 permit requests"):
        rules.receive(MESSAGES["PermitRequest"])


def test_nothing_may_be_said_of_an_attempt_that_was_not_sent() -> None:
    with pytest.raises(ProtocolViolation, match="not sent"):
        ready().receive(m.Done(attempt_id="stranger", outcome="succeeded"))


def test_an_artifact_comes_only_after_the_grant_of_the_last_offer() -> None:
    rules = ready()
    rules.sent("a")
    rules.granted("a")  # nothing is offered yet
    for name in ("Accepted", "Offer"):
        rules.receive(MESSAGES[name])
    rules.granted("a")
    rules.receive(MESSAGES["Offer"])
    with pytest.raises(ProtocolViolation, match="offered"):
        rules.receive(MESSAGES["ArtifactData"])
    rules.granted("a")
    rules.receive(MESSAGES["ArtifactData"])
    with pytest.raises(ProtocolViolation, match="running"):
        rules.receive(MESSAGES["ArtifactData"])


LINE = m.LogLine(attempt_id=None, level="info", message="")


def test_lines_without_end_are_output_past_its_limit() -> None:
    rules = ready()
    with pytest.raises(OutputExceeded) as caught:
        for _ in range(10 * m.MAX_LINES):
            rules.receive(LINE)
    assert (caught.value.used, caught.value.allowed, caught.value.unit) == (4001, 4000, "lines")


def test_an_attempt_asks_for_so_many_secrets_and_no_more() -> None:
    rules = ready()
    for attempt_id in ("a", "b"):
        rules.sent(attempt_id)
        rules.receive(m.Accepted(attempt_id=attempt_id, page=0))
    for number in range(m.MAX_SECRET_REQUESTS):
        for attempt_id in ("a", "b"):
            rules.receive(m.SecretRequest(attempt_id=attempt_id, number=number, name="login", form="value"))
    with pytest.raises(ProtocolViolation, match="secret requests"):
        rules.receive(MESSAGES["SecretRequest"])


def test_a_second_done_is_refused() -> None:
    rules = ready()
    rules.sent("a")
    rules.receive(MESSAGES["Accepted"])
    rules.receive(MESSAGES["Done"])
    with pytest.raises(ProtocolViolation):
        rules.receive(MESSAGES["Done"])


def test_a_runner_has_so_many_lines_and_each_attempt_brings_its_own() -> None:
    rules = ready()
    rules.sent("a")
    for _ in range(3 * m.MAX_LINES + 1):
        rules.receive(LINE)
    with pytest.raises(ProtocolViolation, match="lines"):
        rules.receive(LINE)


def test_spans_come_once_and_only_if_the_run_asks_for_them() -> None:
    rules = ready()
    for attempt_id, asks in (("a", True), ("b", False)):
        rules.sent(attempt_id, spans=asks)
        rules.receive(m.Accepted(attempt_id=attempt_id, page=0))
    rules.receive(MESSAGES["Spans"])
    for attempt_id in ("a", "b"):
        with pytest.raises(ProtocolViolation, match="no Run asked for, or a second time"):
            rules.receive(m.Spans(attempt_id=attempt_id, spans=()))


def test_a_checkpoint_is_handed_over_once_and_only_if_it_is_asked_for() -> None:
    rules = MessageRules()
    rules.state = ConnectionState.READY
    with pytest.raises(ProtocolViolation, match="not asked for"):
        rules.receive(MESSAGES["CheckpointTaken"])
    rules.checkpoint_asked(2)
    with pytest.raises(ProtocolViolation, match="not asked for"):
        rules.receive(MESSAGES["CheckpointTaken"])
    rules.receive(m.CheckpointTaken(number=2))
    with pytest.raises(ProtocolViolation, match="a second time"):
        rules.receive(m.CheckpointTaken(number=2))


@pytest.mark.parametrize(
    ("kind", "most", "named"),
    [("StepReport", 2 * m.MAX_STEPS, "step reports"), ("OnceRequest", m.MAX_ONCE_REQUESTS, "requests about side")],
)
def test_an_attempt_sends_a_bounded_number_of_these(kind: str, most: int, named: str) -> None:
    rules = MessageRules()
    rules.state = ConnectionState.READY
    for attempt_id in ("a", "b"):
        rules.sent(attempt_id)
        rules.receive(m.Accepted(attempt_id=attempt_id, page=0))
    for _ in range(most):
        rules.receive(MESSAGES[kind])
    rules.receive(m.StepReport(attempt_id="b", number=1, text="x", at_seconds=0))
    rules.receive(m.OnceRequest(attempt_id="b", number=1, key="order", act="begin"))
    with pytest.raises(ProtocolViolation, match=f"more than {most} {named}"):
        rules.receive(MESSAGES[kind])
