"""One POST: a host that no client accepts, and an answer without end."""

import asyncio

import pytest
from pw_receiver import receiver

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.delivery import http_client
from pageworker_supervisor.delivery.callback_policy import Answered, DeliveryTrouble, ReceiverUnreachable


@pytest.mark.parametrize("host", ["xn--a.n8n.example", "127.0.0.999", "[:::::]"])
async def test_a_host_that_httpx_refuses_is_final(host: str) -> None:
    async with http_client.CallbackHttpClient(1) as client:
        outcome = await client.post(CallbackTarget("https", host, 443, "/", "/"), {}, b"", 1.0)
    assert isinstance(outcome, ReceiverUnreachable)
    assert outcome.trouble is DeliveryTrouble.URL


async def test_no_more_of_an_answer_is_kept_than_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "BODY_SECONDS", 1000)
    async with receiver() as there, http_client.CallbackHttpClient(1) as poster:
        target = CallbackTarget.parse(there.url("/endless"))
        assert target is not None
        async with asyncio.timeout(5):
            outcome = await poster.post(target, {"Idempotency-Key": "j"}, b"{}", 5.0)
    assert outcome == Answered(200, bytes(http_client.EXCERPT_BYTES))
