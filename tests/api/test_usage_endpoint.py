"""Usage that a producer can see."""

import csv
import io

from api.conftest import serving, settings_for
from pw_queue import DONE, ticket
from pw_queue.words import everything
from pw_servers import RedisServer

from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.usage import JobSpending

SPENT = JobSpending(0.25, Traffic(1, 20, 3))


async def end_jobs(queue: QueueClient) -> None:
    """Two of acme, one of beta."""
    await queue.producer.enqueue([ticket("1"), ticket("2"), ticket("3", "beta")])
    for lease in (await queue.consumer.claim("w1", everything(3))).leases:
        assert await queue.consumer.finish(lease, **DONE, spent=SPENT)


async def test_a_tenant_sees_what_its_jobs_used(live_redis: RedisServer) -> None:
    async with serving(settings_for(live_redis.url)) as api:
        assert (await api.client.get("/v1/usage", headers=api.as_("v1"))).json() == {"tenant_id": "acme", "hours": []}
        await end_jobs(api.queue)
        # Two days: the hour may change, and with it the day, between the jobs and the request.
        for token, query in (("v1", ""), ("a1", "&tenant_id=acme"), ("f1", "&tenant_id=acme"), ("a1", "&format=json")):
            seen = (await api.client.get(f"/v1/usage?days=2{query}", headers=api.as_(token))).json()
            assert seen["tenant_id"] == "acme"
            assert sum(hour["page_seconds"] for hour in seen["hours"]) == 0.5
            assert sum(hour["bytes_in"] for hour in seen["hours"]) == 40
            assert sum(hour["jobs"]["succeeded"] for hour in seen["hours"]) == 2
            assert all(hour["hour"].endswith(":00:00Z") for hour in seen["hours"])
        other = (await api.client.get("/v1/usage?days=2", headers=api.as_("b1"))).json()
        assert [hour["jobs"] for hour in other["hours"]] == [{"succeeded": 1}]


async def test_the_hours_as_comma_separated_values(live_redis: RedisServer) -> None:
    async with serving(settings_for(live_redis.url)) as api:
        await end_jobs(api.queue)
        answer = await api.client.get("/v1/usage?days=2&format=csv", headers=api.as_("v1"))
        assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert answer.headers["content-disposition"] == 'attachment; filename="usage-acme.csv"'
        assert answer.headers["cache-control"] == "no-store"
        assert answer.text.endswith("\r\n")
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert {row["tenant_id"] for row in rows} == {"acme"}
        assert sum(int(row["bytes_out"]) for row in rows) == 6
        assert sum(int(row["succeeded"]) for row in rows) == 2


async def test_what_is_refused(live_redis: RedisServer) -> None:
    async with serving(settings_for(live_redis.url)) as api:
        for token, query, status, field in (
            ("b1", "tenant_id=acme", 404, None),
            ("f1", "", 400, "tenant_id"),
            ("f1", "tenant_id=A", 404, None),
            ("p1", "", 403, None),
            *(("a1", f"days={days}", 400, "days") for days in ("0", "401", "1.5", "")),
            ("a1", "format=xml", 400, "format"),
            ("a1", "hours=1", 400, "hours"),
        ):
            answer = await api.client.get(f"/v1/usage?{query}", headers=api.as_(token))
            assert (answer.status_code, answer.json().get("field")) == (status, field), query
        assert (await api.client.get("/v1/usage?days=400", headers=api.as_("a1"))).status_code == 200
