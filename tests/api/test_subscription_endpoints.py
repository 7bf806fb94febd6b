"""Subscriptions over HTTP: made once, shown to producers of their tenant, ended."""

from pathlib import Path

from api.conftest import serving, settings_for
from pw_queue import DONE, ticket
from pw_queue.words import everything
from pw_servers import RedisServer

from pageworker_supervisor.config.settings import TenantSettings

URL = "https://n8n.test/webhook/7"
EVERY = "/v1/subscriptions"


async def test_a_subscription_is_made_once_shown_and_ended(live_redis: RedisServer, tmp_path: Path) -> None:
    own = TenantSettings(callback_allow=("https://n8n.test/webhook*",), callback_secret_file=tmp_path / "secret")
    mute = TenantSettings(callback_allow=("https://n8n.test/webhook*",))
    async with serving(settings_for(live_redis.url, tenants={"acme": own, "beta": mute})) as api:
        acme = api.as_("a1")
        assert (await api.client.get(EVERY, headers=acme)).json() == {"subscriptions": []}
        wanted = {"url": URL, "events": ["job.*", "event.blocked", "job.*"], "modules": ["shop.*"]}
        made = await api.client.post(EVERY, headers=acme, json=wanted)
        assert made.status_code == 201
        found = made.json()
        assert (found["url"], found["events"], found["modules"]) == (URL, ["event.blocked", "job.*"], ["shop.*"])
        assert (found["state"], found["waiting"], found["dropped"]) == ("active", 0, 0)
        again = await api.client.post(f"{EVERY}?tenant_id=acme", headers=api.as_("f1"), json=wanted)
        assert (again.status_code, again.json()) == (200, found)
        await api.queue.producer.enqueue([ticket("1", module=("shop.product", None))])
        (lease,) = (await api.queue.consumer.claim("w1", everything(1))).leases
        assert await api.queue.consumer.finish(lease, **DONE)
        one = f"{EVERY}/{found['subscription_id']}"
        assert (await api.client.get(one, headers=acme)).json() == {**found, "waiting": 1}
        listed = (await api.client.get(EVERY, headers=acme)).json()["subscriptions"]
        assert [each["subscription_id"] for each in listed] == [found["subscription_id"]]
        for token, method, path, body, status, code, field in (
            ("v1", "GET", EVERY, None, 403, "scope_missing", None),
            ("b1", "GET", one, None, 404, "not_found", None),
            ("b1", "DELETE", one, None, 404, "not_found", None),
            ("a1", "GET", f"{EVERY}/sub_7", None, 404, "not_found", None),
            ("f1", "GET", EVERY, None, 400, "invalid_request", "tenant_id"),
            ("f1", "POST", f"{EVERY}?tenant_id=gamma", wanted, 404, "not_found", None),
            ("a1", "POST", EVERY, {"url": URL}, 400, "invalid_request", None),
            ("a1", "POST", EVERY, {**wanted, "event": []}, 400, "invalid_request", None),
            ("a1", "POST", EVERY, {"url": URL, "events": []}, 400, "invalid_request", "events"),
            ("a1", "POST", EVERY, {"url": URL, "events": ["job.done"]}, 400, "invalid_request", "events"),
            ("a1", "POST", EVERY, {"url": URL, "events": ["event.progress"]}, 400, "invalid_request", "events"),
            ("a1", "POST", EVERY, {**wanted, "modules": ["Shop"]}, 400, "invalid_request", "modules"),
            ("a1", "POST", EVERY, {**wanted, "events": ["event.dead"]}, 400, "invalid_request", "modules"),
            ("a1", "POST", EVERY, {**wanted, "url": "https://other.test/"}, 422, "subscription_invalid", "url"),
            ("b1", "POST", EVERY, wanted, 422, "subscription_invalid", "url"),
        ):
            answer = await api.client.request(method, path, headers=api.as_(token), json=body)
            problem = answer.json()
            assert (answer.status_code, problem["code"], problem.get("field")) == (status, code, field), (path, body)
        assert (await api.client.post(EVERY, headers=acme, content=b"{")).json()["code"] == "invalid_json"
        assert (await api.client.post(EVERY, headers=acme, content=b"[" * 500)).json()["code"] == "invalid_json"
        for number in range(9):
            body = {"url": f"{URL}{number}", "events": ["job.failed"]}
            assert (await api.client.post(EVERY, headers=acme, json=body)).status_code == 201
        full = await api.client.post(EVERY, headers=acme, json={"url": f"{URL}x", "events": ["job.failed"]})
        assert (full.status_code, full.json()["code"]) == (409, "subscriptions_full")
        ended = await api.client.delete(one, headers=acme)
        assert ended.json() == {"subscription_id": found["subscription_id"], "tenant_id": "acme"}
        assert (await api.client.delete(one, headers=acme)).status_code == 404
