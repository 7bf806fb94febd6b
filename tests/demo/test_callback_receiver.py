"""The callback receiver, given the signatures that the worker writes."""

import json
import time

import httpx
import pytest

from pageworker_demo.callback_receiver import DemoReceiver, genuine
from pageworker_demo.loopback_server import served
from pageworker_supervisor.delivery.signature import HEADER, sign

SECRET = b"s" * 32
BODY = json.dumps({"job_id": "j1", "tenant_id": "acme"}).encode()


def test_a_signature_of_the_worker_is_genuine() -> None:
    assert genuine(SECRET, sign(SECRET, 1_000, BODY), BODY, now=1_010)


@pytest.mark.parametrize(
    ("signature", "now"),
    [
        (sign(b"x" * 32, 1_000, BODY), 1_010),
        (sign(SECRET, 1_000, BODY + b" "), 1_010),
        (sign(SECRET, 1_000, BODY), 9_000),
        (sign(SECRET, 1_000, BODY).replace("t=1000", "t=1001"), 1_010),
        ("", 1_010),
        ("t=,v1=", 1_010),
    ],
)
def test_any_other_signature_is_not(signature: str, now: float) -> None:
    assert not genuine(SECRET, signature, BODY, now)


async def test_the_first_callback_of_a_tenant_is_answered_as_n8n_does_until_it_waits() -> None:
    receiver = DemoReceiver(SECRET)
    headers = {HEADER: sign(SECRET, int(time.time()), BODY)}
    async with served(receiver.app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answers = [(await client.post("/acme", content=BODY, headers=headers)).status_code for _ in range(2)]
        forged = await client.post("/acme", content=BODY)
    assert answers == [409, 200]
    assert forged.status_code == 401
    assert [(d.genuine, d.accepted) for d in receiver.callbacks] == [(True, False), (True, True), (False, False)]
