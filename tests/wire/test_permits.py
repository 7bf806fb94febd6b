"""The permit tables, over every (state, message) pair."""

import itertools

import pytest

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded, ProtocolViolation
from pageworker_sandbox.wire.permits import ATTEMPT, RUNNER, AttemptPhase, Permits, RunnerPhase

WORDS: dict[type[m.Message], m.Message] = {
    m.Hello: m.Hello(protocol=1),
    m.Listener: m.Listener(port=1),
    m.Ready: m.Ready(browser_version="", pages=1, evidence={}),
    m.Pong: m.Pong(number=1),
    m.Accepted: m.Accepted(attempt_id="a", page=0),
    m.LogLine: m.LogLine(attempt_id=None, level="info", message=""),
    m.ArtifactData: m.ArtifactData(attempt_id="a", kind="html", content_type="text/html"),
    m.Offer: m.Offer(attempt_id="a", number=1, bytes=1),
    m.Done: m.Done(attempt_id="a", outcome="succeeded"),
    m.Free: m.Free(attempt_id="a"),
    m.Retire: m.Retire(reason=""),
}


def test_every_word_of_the_runner_is_in_the_samples() -> None:
    assert set(WORDS) == {word.message for word in m.TO_SUPERVISOR.values()}


@pytest.mark.parametrize(("phase", "kind"), list(itertools.product(RunnerPhase, WORDS)))
def test_runner_table(phase: RunnerPhase, kind: type[m.Message]) -> None:
    permits = Permits()
    permits.phase = phase
    # The attempt is where the word would be legal, so that only the runner's own table speaks.
    home = next((at for at, row in ATTEMPT.items() if kind in row), None)
    if home is not None:
        permits.attempts["a"] = home
    if kind in RUNNER[phase]:
        permits.receive(WORDS[kind])
        assert permits.phase is RUNNER[phase][kind]
    else:
        with pytest.raises(ProtocolViolation, match=phase.name):
            permits.receive(WORDS[kind])


@pytest.mark.parametrize(
    ("phase", "kind"), list(itertools.product(AttemptPhase, (m.Accepted, m.Offer, m.ArtifactData, m.Done, m.Free)))
)
def test_attempt_table(phase: AttemptPhase, kind: type[m.Message]) -> None:
    permits = Permits()
    permits.phase = RunnerPhase.READY
    permits.attempts["a"] = phase
    if kind in ATTEMPT[phase]:
        permits.receive(WORDS[kind])
        assert permits.attempts.get("a") is ATTEMPT[phase][kind]
    else:
        with pytest.raises(ProtocolViolation, match=phase.name):
            permits.receive(WORDS[kind])


def test_nothing_may_be_said_of_an_attempt_that_was_not_sent() -> None:
    permits = Permits()
    permits.phase = RunnerPhase.READY
    with pytest.raises(ProtocolViolation, match="unknown"):
        permits.receive(m.Done(attempt_id="stranger", outcome="succeeded"))


def test_an_artifact_comes_only_after_the_grant_of_the_last_offer() -> None:
    permits = Permits()
    permits.phase = RunnerPhase.READY
    permits.sent("a")
    permits.granted("a")  # nothing is offered yet
    for word in (m.Accepted, m.Offer):
        permits.receive(WORDS[word])
    permits.granted("a")
    permits.receive(WORDS[m.Offer])
    with pytest.raises(ProtocolViolation, match="OFFERED"):
        permits.receive(WORDS[m.ArtifactData])
    permits.granted("a")
    permits.receive(WORDS[m.ArtifactData])
    with pytest.raises(ProtocolViolation, match="RUNNING"):
        permits.receive(WORDS[m.ArtifactData])


def test_lines_without_end_are_output_past_its_limit() -> None:
    permits = Permits()
    permits.phase = RunnerPhase.READY
    with pytest.raises(OutputExceeded) as caught:
        for _ in range(10 * m.MAX_LINES):
            permits.receive(WORDS[m.LogLine])
    assert (caught.value.used, caught.value.allowed, caught.value.unit) == (4001, 4000, "lines")


def test_a_second_done_is_refused() -> None:
    permits = Permits()
    permits.phase = RunnerPhase.READY
    permits.sent("a")
    permits.receive(WORDS[m.Accepted])
    permits.receive(WORDS[m.Done])
    with pytest.raises(ProtocolViolation):
        permits.receive(WORDS[m.Done])


def test_a_runner_has_so_many_lines_and_each_attempt_brings_its_own() -> None:
    permits = Permits()
    permits.phase = RunnerPhase.READY
    permits.sent("a")
    for _ in range(3 * m.MAX_LINES + 1):
        permits.receive(WORDS[m.LogLine])
    with pytest.raises(ProtocolViolation, match="lines"):
        permits.receive(WORDS[m.LogLine])
