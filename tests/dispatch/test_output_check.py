"""What a handler returned, against the output schema of its module."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from pw_doubles import any_typed
from pw_modules.author import Author, packed
from pw_schemas import DOUBLES

from pageworker_sandbox.signing import VerifiedBundle, verify
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.job import Job, JobRef
from pageworker_supervisor.dispatch.output_check import checked_done, final_done
from pageworker_supervisor.input_schema.check_limits import CheckLimits
from pageworker_supervisor.input_schema.input_checks import InputChecks
from pageworker_supervisor.registry.resolve import Release
from pageworker_supervisor.secrets.masker import SecretMasker

PRICE = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}


def bundle(output: dict[str, Any] | None) -> VerifiedBundle:
    author = Author()
    more = "" if output is None else "[output]\n"
    return verify(author.signed(packed(more=more, output=output)), author.trust)


def done(data: object) -> m.Done:
    return m.Done(attempt_id="a", outcome="succeeded", data=msgspec.Raw(msgspec.msgpack.encode(data)))


@asynccontextmanager
async def checks() -> AsyncIterator[InputChecks]:
    made = InputChecks(CheckLimits(seconds=0.05), CheckLimits(seconds=0.1))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.run())
        yield made
        running.cancel()


async def test_data_that_matches_leaves_as_it_is() -> None:
    async with checks() as made:
        for module in (bundle(PRICE), bundle(None)):
            answer = done({"price": 1.5})
            assert await checked_done(answer, module, "acme", made) is answer
        assert await checked_done(done("any"), bundle(None), "acme", made) == done("any")


async def test_data_that_does_not_match_ends_as_result_invalid_with_its_fields() -> None:
    async with checks() as made:
        answer = await checked_done(done({"price": "secret-text"}), bundle(PRICE), "acme", made)
    assert answer.outcome == "failed"
    assert msgspec.msgpack.decode(answer.data) is None
    assert answer.failure is not None
    assert (answer.failure.type, answer.failure.retryable) == ("result_invalid", False)
    (mistake,) = msgspec.msgpack.decode(answer.failure.detail)
    assert mistake["field"] == "data.price"
    assert "data.price" in answer.failure.message
    assert "secret-text" not in str(answer), "mistakes never hold values"


async def test_a_schema_that_takes_too_long_fails_the_result() -> None:
    async with checks() as made:
        answer = await checked_done(done({}), bundle(DOUBLES[0]), "acme", made)
    assert answer.failure is not None
    assert answer.failure.type == "result_invalid"
    assert "0.1 s of processor time" in answer.failure.message


@pytest.mark.parametrize("outcome", ["failed", "blocked", "cancelled", "timed_out"])
async def test_what_did_not_succeed_has_no_data_to_check(outcome: Any) -> None:
    async with checks() as made:
        answer = m.Done(attempt_id="a", outcome=outcome)
        assert await checked_done(answer, bundle(PRICE), "acme", made) is answer


async def test_data_that_is_no_message_pack_is_left_to_its_reader() -> None:
    async with checks() as made:
        answer = m.Done(attempt_id="a", outcome="succeeded", data=msgspec.Raw(b"\xc1"))
        assert await checked_done(answer, bundle(PRICE), "acme", made) is answer


class AnsweredPage:
    """A page whose runner has answered, and services whose registry writes down what is reported to it."""

    def __init__(self, answer: m.Done, *, begun: bool) -> None:
        self.done: asyncio.Future[m.Done] = asyncio.get_running_loop().create_future()
        self.done.set_result(answer)
        self.masker = SecretMasker()
        self.accepted_at = 1.0 if begun else None
        self.registry = self
        self.input_checks = None
        self.reported: list[tuple[str, str | None, str, str]] = []

    async def load_failed(self, release: Release, pin: str | None, job: JobRef, reason: str) -> None:
        self.reported.append((release.version, pin, str(job), reason))


@pytest.mark.parametrize(
    ("type_", "begun", "reported"),
    [
        ("module_broken", False, [("1.4.2", "1.4.2", "acme/1", "no `x`")]),
        ("module_broken", True, []),
        ("handler_error", False, []),
    ],
)
async def test_a_version_that_does_not_load_is_reported_unless_its_handler_has_begun(
    type_: str, begun: bool, reported: list[Any]
) -> None:
    """A handler may raise an error of any type."""
    failure = m.Failure(type=type_, message="no `x`", retryable=False)
    it = AnsweredPage(m.Done(attempt_id="a", outcome="failed", failure=failure), begun=begun)
    job = Job(job_id="1", tenant_id="acme", endpoint_module="shop.product@1.4.2")
    answer = await final_done(any_typed(it), bundle(None), job, any_typed(it))
    assert answer.failure == failure
    assert it.reported == reported
