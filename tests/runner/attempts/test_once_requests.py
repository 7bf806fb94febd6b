"""Side effects that a handler must not repeat: what goes over the wire, and what it is told."""

import asyncio
from typing import Any

import pytest

from pageworker import Failed
from pageworker_runner.attempts.once_requests import OnceRequests
from pageworker_runner.errors import OutputLimit
from pageworker_sandbox.wire import messages as m


class AskedOnce:
    """The requests of one attempt. Each is answered at once with what `answers` has for its key."""

    def __init__(self, **answers: m.OnceAnswer) -> None:
        # Any: a message of any kind would be a mistake that the tests see.
        self.sent: list[Any] = []
        self.answers = answers
        self.requests = OnceRequests("a", self._put)

    def _put(self, message: m.Message) -> None:
        self.sent.append(message)
        assert isinstance(message, m.OnceRequest)
        if (answer := self.answers.get(message.key)) is not None:
            asyncio.get_running_loop().call_soon(self.requests.answered, answer)


def answer(state: Any, number: int = 1, value: bytes | None = None) -> m.OnceAnswer:
    return m.OnceAnswer(attempt_id="a", number=number, state=state, value=value)


async def test_it_is_told_state_and_value() -> None:
    it = AskedOnce(order=answer("done", value=b'{"n":1}'))
    assert await it.requests.ask("order", "begin", None) == ("done", {"n": 1})
    assert [(sent.key, sent.act, sent.value) for sent in it.sent] == [("order", "begin", None)]


async def test_a_value_is_stored_as_json() -> None:
    it = AskedOnce(order=answer("done"))
    await it.requests.ask("order", "done", {"n": {3}})
    assert it.sent[0].value == b'{"n":[3]}'
    with pytest.raises(ValueError, match="4096 are kept"):
        await it.requests.ask("order", "done", "x" * 5000)


@pytest.mark.parametrize(("state", "type_", "retryable"), [("full", "once_limit", False), ("lost", "lease_lost", True)])
async def test_what_may_not_be_begun_fails_by_name(state: str, type_: str, retryable: bool) -> None:
    with pytest.raises(Failed) as caught:
        await AskedOnce(order=answer(state)).requests.ask("order", "begin", None)
    assert (caught.value.type, caught.value.retryable) == (type_, retryable)


async def test_a_key_is_a_short_name_and_requests_are_bounded() -> None:
    it = AskedOnce()
    for key in ("", "a b", "x" * 101):
        with pytest.raises(ValueError, match="not a valid key"):
            await it.requests.ask(key, "begin", None)
    for number in range(1, m.MAX_ONCE_REQUESTS + 1):
        it.answers["order"] = answer("dropped", number)
        await it.requests.ask("order", "drop", None)
    with pytest.raises(OutputLimit):
        await it.requests.ask("order", "drop", None)


async def test_the_end_of_the_attempt_ends_what_waits() -> None:
    it = AskedOnce()
    asyncio.get_running_loop().call_soon(it.requests.answered, answer("begun", number=9))
    asyncio.get_running_loop().call_soon(it.requests.close)
    with pytest.raises(ValueError, match="attempt has ended"):
        await it.requests.ask("order", "begin", None)
    with pytest.raises(ValueError, match="attempt has ended"):
        await it.requests.ask("order", "begin", None)
