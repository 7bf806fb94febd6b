"""Requests of an attempt are answered while it runs, and its answer leaves without the secrets."""

import asyncio
from typing import Any, Literal

import msgspec
import pytest
from pw_doubles import any_typed

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProfileReport
from pageworker_supervisor.dispatch.secret_requests import answer_secret_requests, mask_done, masked_done
from pageworker_supervisor.runners.attempt_messages import tell_page
from pageworker_supervisor.runners.page_reservation import PageReservation, RunnerPages
from pageworker_supervisor.secrets.errors import SecretBackendAway, SecretUnavailable
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.secret_service import SecretDenied, SecretGranted

SECRET = "correct-horse"
MASKER = SecretMasker()
MASKER.add("login", SECRET)
DONE = m.Done(attempt_id="a", outcome="cancelled")


class ScriptedService:
    """Answers by name. A name without an answer waits for ever."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def answer(self, user: Any, name: str, form: str, masker: SecretMasker) -> SecretGranted | SecretDenied:
        self.asked.set()
        match name:
            case "granted":
                masker.add(name, SECRET)
                return SecretGranted(SECRET)
            case "denied":
                return SecretDenied("not granted")
            case "refused":
                raise SecretUnavailable("no connection")
            case "away":
                raise SecretBackendAway("no connection")
        await asyncio.Event().wait()
        raise AssertionError


class Served:
    """A page whose requests are answered."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[m.SecretAnswer] = asyncio.Queue()
        self.service = ScriptedService()
        runner = any_typed(self)
        self.page = PageReservation(runner, RunnerPages(lambda: None), exclusive=False)
        self.stopped: list[str] = []

    async def answer(self, page: PageReservation, answer: m.SecretAnswer) -> None:
        self.answers.put_nowait(answer)

    def ask(self, number: int, name: str) -> None:
        request = m.SecretRequest(attempt_id="a", number=number, name=name, form="value")
        tell_page(self.page, request, [])

    async def stop(self, outcome: Literal["cancelled"]) -> None:
        self.stopped.append(outcome)
        self.page.end(DONE)

    async def serve(self) -> None:
        user = any_typed(None)
        service = any_typed(self.service)
        async with asyncio.timeout(30):
            await answer_secret_requests(self.page, user, service, self.stop)


async def test_requests_are_answered_in_their_order_until_the_attempt_ends() -> None:
    it = Served()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(it.serve())
        for number, name in enumerate(("granted", "denied", "granted")):
            it.ask(number, name)
        answers = [await it.answers.get() for _ in range(3)]
        it.page.end(DONE)
    assert [(answer.number, answer.value, answer.denied) for answer in answers] == [
        (0, SECRET, None),
        (1, None, "not granted"),
        (2, SECRET, None),
    ]
    assert it.page.masker.text(SECRET) == "(secret granted)"
    assert it.page.secret_outage is None


@pytest.mark.parametrize("why", ["refused", "away"])
async def test_an_outage_stops_the_attempt_and_is_kept_for_its_end(why: str) -> None:
    it = Served()
    it.ask(1, why)
    await it.serve()
    assert it.page.secrets_asked == [f"{why} value unavailable"]
    assert it.stopped == ["cancelled"]
    assert str(it.page.secret_outage) == "no connection"
    assert it.answers.empty(), "the module learns nothing"


async def test_an_attempt_that_ends_while_the_backend_is_asked_does_not_wait_for_it() -> None:
    it = Served()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(it.serve())
        it.ask(1, "slow")
        await it.service.asked.wait()
        it.page.end(DONE)
        await serving
    assert it.answers.empty()


async def test_a_lost_runner_ends_the_answering() -> None:
    it = Served()
    it.page.lose(RuntimeError("gone"))
    await it.serve()
    assert it.page.done.exception()


def packed(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(value))


def test_every_part_of_an_answer_is_masked() -> None:
    done = m.Done(
        attempt_id="a",
        outcome="failed",
        data=packed({"a": [SECRET]}),
        failure=m.Failure(
            type="login_refused",
            message=f"wrong: {SECRET}",
            retryable=True,
            detail=packed({SECRET: 1}),
            retry_after_seconds=5,
        ),
        obstacle=m.Obstacle(
            kind="captcha", provider=SECRET, evidence={"url": f"http://h/{SECRET}"}, url=f"http://h/?q={SECRET}"
        ),
        profile=ProfileReport(state="needs_human", evidence={SECRET: SECRET}, url=f"http://h/{SECRET}"),
    )
    masked = mask_done(done, MASKER)
    assert SECRET.encode() not in msgspec.msgpack.encode(masked)
    assert masked.failure is not None
    assert (masked.failure.type, masked.failure.message) == ("login_refused", "wrong: (secret login)")
    assert (masked.failure.retryable, masked.failure.retry_after_seconds) == (True, 5)
    assert msgspec.msgpack.decode(masked.data) == {"a": ["(secret login)"]}


def test_a_failure_whose_type_is_a_secret_has_an_ordinary_one() -> None:
    failure = m.Failure(type=SECRET, message="", retryable=False)
    masked = mask_done(m.Done(attempt_id="a", outcome="failed", failure=failure), MASKER)
    assert masked.failure is not None
    assert masked.failure.type == "module_failure"


def test_data_that_is_no_messagepack_is_left_to_its_reader() -> None:
    done = m.Done(attempt_id="a", outcome="succeeded", data=msgspec.Raw(b"\xc1"))
    assert mask_done(done, MASKER).data == msgspec.Raw(b"\xc1")


def test_data_that_is_too_deep_to_be_masked_is_left_out() -> None:
    nested: object = SECRET
    for _ in range(600):
        nested = [nested]
    masked = mask_done(m.Done(attempt_id="a", outcome="succeeded", data=packed(nested)), MASKER)
    assert SECRET.encode() not in bytes(masked.data)


@pytest.mark.parametrize("masker", [SecretMasker(), MASKER])
async def test_an_answer_of_a_job_without_secrets_is_not_touched(masker: SecretMasker) -> None:
    done = m.Done(attempt_id="a", outcome="succeeded", data=packed({"a": SECRET}))
    masked = await masked_done(done, masker)
    assert (masked is done) == (not masker)
