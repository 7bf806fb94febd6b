"""Secrets that a handler asks for: what goes over the wire, and when."""

import asyncio

import pytest
from pw_runner.bundles import handler
from pw_runner.supervisor import Supervisor

from pageworker import Failed
from pageworker_runner.attempts.secret_requests import SecretRequests
from pageworker_runner.errors import OutputLimit
from pageworker_sandbox.wire import messages as m


class Sent:
    """The requests of one attempt, and what was sent."""

    def __init__(self) -> None:
        self.messages: list[m.SecretRequest] = []
        self.requests = SecretRequests("a", self._put)

    def _put(self, message: m.Message) -> None:
        assert isinstance(message, m.SecretRequest)
        self.messages.append(message)

    def answer(self, number: int, value: str | None = None, denied: str | None = None) -> None:
        self.requests.answered(m.SecretAnswer(attempt_id="a", number=number, value=value, denied=denied))


async def test_an_answer_goes_to_the_request_of_its_number() -> None:
    it = Sent()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(it.requests.ask("one", "value"))
        second = tasks.create_task(it.requests.ask("two", "totp"))
        await asyncio.sleep(0)
        assert [(sent.number, sent.name, sent.form) for sent in it.messages] == [
            (1, "one", "value"),
            (2, "two", "totp"),
        ]
        it.answer(9, "unasked")
        it.answer(2, "b")
        it.answer(1, "a")
        it.answer(1, "again")
    assert (first.result(), second.result()) == ("a", "b")


async def test_a_refusal_ends_the_attempt_unless_the_module_catches_it() -> None:
    it = Sent()
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(refused(it.requests))
        await asyncio.sleep(0)
        it.answer(1, denied="no grant")
    error = asking.result()
    assert (error.type, error.retryable, error.detail) == ("secret_denied", False, {"secret": "login"})
    assert error.message == "The job does not get the secret login: no grant."


async def refused(requests: SecretRequests) -> Failed:
    with pytest.raises(Failed) as caught:
        await requests.ask("login", "value")
    return caught.value


@pytest.mark.parametrize("name", ["", "Login", "a-b", "a__b", "../x", "a" * 64])
async def test_a_name_that_cannot_exist_is_the_modules_mistake(name: str) -> None:
    it = Sent()
    with pytest.raises(ValueError, match="not a valid name of a secret"):
        await it.requests.ask(name, "value")
    assert it.messages == []


async def test_a_loop_that_asks_without_end_is_stopped_before_the_supervisor_kills_the_runner() -> None:
    it = Sent()
    for number in range(1, m.MAX_SECRET_REQUESTS + 1):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(it.requests.ask("login", "value"))
            await asyncio.sleep(0)
            it.answer(number, "x")
    with pytest.raises(OutputLimit):
        await it.requests.ask("login", "value")
    assert len(it.messages) == m.MAX_SECRET_REQUESTS


async def test_nothing_is_given_after_the_end() -> None:
    it = Sent()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(ended(it.requests))
        await asyncio.sleep(0)
        it.requests.close()
    assert waiting.result()
    assert await ended(it.requests)
    assert len(it.messages) == 1


async def ended(requests: SecretRequests) -> bool:
    with pytest.raises(ValueError, match="attempt has ended"):
        await requests.ask("login", "value")
    return True


@pytest.mark.asyncio(loop_scope="module")
async def test_a_module_gets_what_is_granted_and_is_failed_by_name_for_what_is_not(runner: Supervisor) -> None:
    runner.secrets = {"shop_login": "correct-horse", "shop_totp": "123456"}
    code = "return {'a': await helpers.secret('shop_login'), 'b': await helpers.totp('shop_totp')}"
    report = await runner.run(handler(code, name="asks"))
    assert report.data == {"a": "correct-horse", "b": "123456"}
    assert [(asked.name, asked.form) for asked in runner.asked] == [("shop_login", "value"), ("shop_totp", "totp")]
    report = await runner.run(handler("return {'a': await helpers.secret('other')}", name="asks.other"))
    assert (report.failure.type, report.failure.retryable) == ("secret_denied", False)
    assert report.failure.message == "The job does not get the secret other: it is not granted."
    assert report.detail == {"secret": "other"}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_module_that_does_not_ask_causes_no_request(runner: Supervisor) -> None:
    runner.asked.clear()
    await runner.run(handler("return {}", name="silent"))
    assert runner.asked == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_handler_that_waits_for_its_secret_can_be_cancelled(runner: Supervisor) -> None:
    runner.secrets = {"slow": "…"}
    attempt = await runner.begin(handler("await helpers.secret('slow')\nreturn {}", name="slow"))
    await runner.until(lambda: any(asked.name == "slow" for asked in runner.asked))
    await runner.send(m.Cancel(attempt_id=attempt, outcome="cancelled"))
    report = await runner.finished(attempt)
    assert report.done is not None
    assert report.done.outcome == "cancelled"
