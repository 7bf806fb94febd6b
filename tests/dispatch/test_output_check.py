"""What a handler returned, against the output schema of its module."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from pw_modules.author import Author, packed
from pw_schemas import DOUBLES

from pageworker_sandbox.signing import VerifiedBundle, verify
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.dispatch.output_check import checked_done
from pageworker_supervisor.input_schema.check_limits import CheckLimits
from pageworker_supervisor.input_schema.input_checks import InputChecks

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
