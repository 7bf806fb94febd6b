"""What a runner takes from its supervisor while it belongs to no tenant."""

from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_runner.process import MessageLoop
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation

MODULE = m.Module(name="m", version="1", sha256="0" * 64, entrypoint="m:handler")
FORGET = m.Forget(name="m", version="1")
CANCEL = m.Cancel(attempt_id="a", outcome="cancelled")
ASSIGN = m.Assign(tenant_id="acme")


def loop(done: list[Any], *, spare: bool) -> MessageLoop:
    """A message loop whose work is noted in `done`."""
    attempts = SimpleNamespace(force_result=lambda attempt_id, _: done.append(attempt_id))
    catalog = SimpleNamespace(forget=lambda name, _: done.append(name))
    queue = SimpleNamespace(put=done.append)
    checkpoints = SimpleNamespace(ask=lambda number: done.append(f"checkpoint {number}"))
    parts = (any_typed(part) for part in (attempts, catalog, SimpleNamespace(), queue, checkpoints.ask))
    return MessageLoop(*parts, spare=spare)


@pytest.mark.parametrize(
    "message",
    [MODULE, FORGET, CANCEL, m.PermitAnswer(number=1), m.TakeCheckpoint(number=1)],
    ids=lambda each: type(each).__name__,
)
def test_a_spare_takes_nothing_of_a_tenant_before_it_is_assigned(message: m.Message) -> None:
    done: list[Any] = []
    with pytest.raises(ProtocolViolation, match="before Assign"):
        loop(done, spare=True).handle(message, [])
    assert done == []


def test_a_spare_answers_pings_and_works_once_it_is_assigned() -> None:
    done: list[Any] = []
    spare = loop(done, spare=True)
    spare.handle(m.Ping(number=1), [])
    spare.handle(ASSIGN, [])
    spare.handle(FORGET, [])
    spare.handle(CANCEL, [])
    spare.handle(m.TakeCheckpoint(number=7), [])
    assert done == [m.Pong(number=1), "m", "a", "checkpoint 7"]


@pytest.mark.parametrize("spare", [True, False])
def test_a_runner_is_never_assigned_to_a_second_tenant(spare: bool) -> None:
    runner = loop([], spare=spare)
    if spare:
        runner.handle(ASSIGN, [])
    with pytest.raises(ProtocolViolation, match="Assign while READY"):
        runner.handle(m.Assign(tenant_id="other"), [])
