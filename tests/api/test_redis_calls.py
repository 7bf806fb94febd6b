"""Time limits of the calls to Redis."""

import asyncio

import pytest

from pageworker_supervisor.api import redis_calls
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.redis_calls import RedisCalls


async def test_a_request_of_many_commands_is_cut_and_may_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_calls, "CALL_SECONDS", 0.05)
    done = 0

    async def commands() -> None:
        nonlocal done
        while True:
            done += 1
            await asyncio.sleep(0.001)

    with pytest.raises(ApiProblem, match="redis_unavailable") as cut:
        await RedisCalls().run(commands())
    document = cut.value.document
    assert done > 1
    assert (document.detail, document.hint) == (
        "Redis did not finish the request within 0.05 s",
        "repeat the request: what is done already stays done",
    )
