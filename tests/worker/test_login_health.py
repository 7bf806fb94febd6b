"""The login of a profile: a job reports it, and record and event have it. On a worker with echo runners."""

import asyncio
import json
from typing import Any

from pw_worker import Echoes, nap

from pageworker_supervisor.contract.profile_login import ProfileLogin

PROFILE = {"profile_id": "buyer"}
HUMAN: dict[str, Any] = {"state": "needs_human", "evidence": {"text": "code"}, "url": "https://shop.example/2fa"}


async def test_a_job_reports_the_state_of_its_profile(worker: Echoes) -> None:
    async with worker.client.pubsub() as channel, asyncio.timeout(20):
        await channel.subscribe("pw:events:acme")
        heard = channel.listen()
        await anext(heard)
        await worker.push(nap("j2", 1, "login", report=HUMAN))
        await worker.answered(1)
        await worker.push(nap("j1", 1, "login", fields=PROFILE, report=HUMAN))
        event = json.loads((await anext(heard))["data"])
        await worker.answered(2)
    assert (event["event"], event["detail"]["profile_id"]) == ("profile_state", "buyer")
    assert (event["detail"]["state"], event["detail"]["evidence"]) == ("needs_human", HUMAN["evidence"])
    (record,) = await worker.queue.profile_logins.read("acme", ["buyer"])
    assert (record.state, record.module, record.job_id) == (ProfileLogin.NEEDS_HUMAN, "test.nap", "j1")
    counted = b'pageworker_profile_login_reports_total{state="needs_human"} 1.0'
    await worker.until(lambda: counted in worker.metrics())
