"""Tokens and rates, before anything of a request is read."""

import pytest
from api.conftest import GivenTokens
from starlette.requests import Request

from pageworker_supervisor.api.gate import FAILURES_BURST, RequestGate
from pageworker_supervisor.api.grant import ANY, WRITE
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.redis_calls import RedisCalls


def request(token: str, peer: str = "10.0.0.1") -> Request:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return Request({"type": "http", "headers": headers, "client": (peer, 1), "state": {}})


def gate(tokens: GivenTokens, burst: int = 3) -> RequestGate:
    return RequestGate(tokens, RedisCalls(), 0.001, burst)


async def test_a_token_may_come_so_often() -> None:
    under_test = gate(GivenTokens())
    for _ in range(3):
        assert (await under_test.admit(request("pw_a1_secret"), ANY)).tenant_id == "acme"
    with pytest.raises(ApiProblem, match="rate_limited") as refused:
        await under_test.admit(request("pw_a1_secret"), ANY)
    assert int(refused.value.headers["Retry-After"]) > 100
    await under_test.admit(request("pw_b1_secret"), ANY)


async def test_a_request_without_the_scope_counts() -> None:
    under_test = gate(GivenTokens(), 1)
    with pytest.raises(ApiProblem, match="scope_missing"):
        await under_test.admit(request("pw_v1_secret"), WRITE)
    with pytest.raises(ApiProblem, match="rate_limited"):
        await under_test.admit(request("pw_v1_secret"), WRITE)


async def test_a_flood_of_unknown_tokens_is_not_looked_up() -> None:
    tokens = GivenTokens()
    under_test = gate(tokens, 1000)
    await under_test.admit(request("pw_a1_secret"), ANY)
    codes = []
    for number in range(2 * FAILURES_BURST):
        with pytest.raises(ApiProblem) as refused:
            await under_test.admit(request(f"pw_x{number}_secret"), ANY)
        codes.append(refused.value.document.code)
    assert codes.count("token_invalid") <= FAILURES_BURST + 10
    assert tokens.asked == 1 + codes.count("token_invalid")
    await under_test.admit(request("pw_a1_secret"), ANY)
    await under_test.admit(request("pw_b1_secret", "10.0.0.2"), ANY)


async def test_a_revoked_token_is_as_unknown_as_another() -> None:
    tokens = GivenTokens()
    under_test = gate(tokens)
    await under_test.admit(request("pw_a1_secret"), ANY)
    tokens.tokens = {}
    with pytest.raises(ApiProblem, match="token_invalid"):
        await under_test.admit(request("pw_a1_secret"), ANY)
