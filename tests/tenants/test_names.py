"""Ids are per tenant: whatever one tenant pushes under an id, another tenant's job of that id is not affected."""

import asyncio
import json
import time

import pw_tenants
from pw_tenants import Home, Tenant
from pw_tenants.home import SECRETS

from pageworker_demo.callback_receiver import genuine
from pageworker_supervisor.delivery.signature import HEADER

pytestmark = pw_tenants.MARKS
LONG_AGO = "2020-01-01T00:00:00Z"
AN_HOUR = 3600


async def its_own(tenant: Tenant, job_id: str) -> None:
    """The tenant has one result of this id, of its own job, on every way."""
    result = await tenant.result(job_id)
    assert (result["status"], result["tenant_id"]) == ("succeeded", tenant.name), result
    assert (result["data"]["tenant"], result["data"]["job"]) == (tenant.name, job_id)
    assert await tenant.kept(job_id) == result
    assert tenant.announced(job_id) == [result]


async def test_two_jobs_with_one_id_at_the_same_time(home: Home) -> None:
    """A and B push the same id in one breath; each has its own result on stream, key and channel."""
    job_id = home.fresh("both")
    await home.a.push(home.a.say(job_id), home.b.say(job_id))
    for tenant in (home.a, home.b):
        await its_own(tenant, job_id)


async def test_the_list_and_the_stream_share_no_ids_of_two_tenants(home: Home) -> None:
    """A pushes an id into the stream, B onto the list; each has its own result."""
    job_id = home.fresh("ways")
    await home.a.add(home.a.say(job_id))
    await home.b.push(home.b.say(job_id))
    for tenant in (home.a, home.b):
        await its_own(tenant, job_id)


async def test_an_invalid_text_before_the_other_tenants_job(home: Home) -> None:
    """A pushes an invalid text with an id; B's job with that id, pushed later, runs."""
    job_id = home.fresh("before")
    await home.a.push(home.a.broken(job_id))
    assert (await home.a.result(job_id))["status"] == "rejected"
    await home.b.push(home.b.say(job_id))
    await its_own(home.b, job_id)
    assert "rejected" not in home.b.events(job_id)
    assert (await home.a.kept(job_id) or {})["status"] == "rejected"


async def test_an_invalid_text_after_the_other_tenants_job(home: Home) -> None:
    """A pushes an invalid text with the id of B's ended job; B keeps its result and hears nothing."""
    job_id = home.fresh("after")
    await home.b.run(job_id)
    await home.a.push(home.a.broken(job_id))
    assert (await home.a.result(job_id))["error"]["type"] == "unknown_field"
    await its_own(home.b, job_id)
    assert home.b.events(job_id) == []


async def test_an_invalid_text_while_the_other_tenants_job_runs(home: Home) -> None:
    """A pushes an invalid text with the id of B's running job; it is answered to A, and B's job ends as it would."""
    job_id = home.fresh("meanwhile")
    await home.b.push(home.b.say(job_id, {"seconds": 1.0}))
    await home.b.fence()
    await home.a.push(home.a.broken(job_id))
    assert (await home.a.result(job_id))["status"] == "rejected"
    await its_own(home.b, job_id)


async def test_a_text_of_an_unknown_tenant(home: Home) -> None:
    """An unknown tenant pushes B's id with B's callback; B's job runs and is called back once, as ever."""
    job_id, unknown = home.fresh("unknown"), home.stranger()
    await unknown.push(unknown.say(job_id, callback_url=home.hook(home.b)))
    await home.b.push(home.b.say(job_id, callback_url=home.hook(home.b)))
    await its_own(home.b, job_id)
    assert (await unknown.result(job_id))["error"]["type"] == "unknown_tenant"
    await home.called(home.b, job_id)
    await home.b.fence()
    (post,) = home.posts(home.b, job_id)
    assert json.loads(post.body)["tenant_id"] == home.b.name
    assert home.b.events(job_id) == []


async def test_an_unknown_tenant_leaves_nothing_in_the_queue(home: Home) -> None:
    """An unknown tenant pushes the ids of A and B; no key of the queue bears its name or the ids."""
    job_id, unknown = home.fresh("traceless"), home.stranger("ghost")
    await unknown.push(unknown.say(job_id), unknown.broken(job_id))
    await unknown.results(job_id)
    await home.b.fence()
    keys = [key.decode() for key in await home.redis_client.send("KEYS", f"pw:*{job_id}*", key="pw")]
    assert keys == [f"pw:result:ghost:{job_id}"], "its sender's answer, and nothing that another push could meet"
    assert await home.redis_client.send("KEYS", "pw:{0}:tenant:ghost", key="pw") == []


async def test_an_id_that_looks_like_another_tenants(home: Home) -> None:
    """A uses ids that read like B's job with its tenant; nothing of them meets B's names."""
    job_id = home.fresh("shape")
    shapes = [f"{home.b.name}:{job_id}", f"{home.b.name}.{job_id}", f":{job_id}", f"{job_id}:result"]
    await home.a.push(*(home.a.say(shape) for shape in shapes))
    await home.b.push(home.b.say(job_id))
    for shape in shapes:
        await its_own(home.a, shape)
    await its_own(home.b, job_id)


async def test_an_id_with_a_slash_cannot_pose_as_a_name(home: Home) -> None:
    """A pushes an id that holds a slash and B's tenant; it is no job, and B's is untouched."""
    job_id = home.fresh("slash")
    await home.b.run(job_id)
    await home.a.push(home.a.say(f"{home.b.name}/{job_id}"), home.a.say(f"../{home.b.name}/{job_id}"))
    await home.a.fence()
    await its_own(home.b, job_id)
    assert home.b.events(job_id) == []


async def test_a_delayed_job_delays_no_other(home: Home) -> None:
    """A's job of an id waits for an hour; B's of that id runs at once, and A's still waits."""
    job_id = home.fresh("delayed")
    await home.a.push(home.a.say(job_id, delay_seconds=AN_HOUR))
    await home.a.fence()
    await home.b.run(job_id)
    await its_own(home.b, job_id)
    assert await home.queue.inspection.cancel(home.a.ref(job_id)) == "cancelled"
    assert (await home.a.result(job_id))["status"] == "cancelled"


async def test_an_expired_job_expires_no_other(home: Home) -> None:
    """A's job of an id expires; B's waiting job of that id does not."""
    job_id = home.fresh("expired")
    await home.b.push(home.b.say(job_id, delay_seconds=0.5))
    await home.a.push(home.a.say(job_id, expires_at=LONG_AGO))
    assert (await home.a.result(job_id))["status"] == "expired"
    await its_own(home.b, job_id)


async def test_failures_and_retries_are_counted_for_each_alone(home: Home) -> None:
    """A's job of an id fails three times; B's job of that id has one attempt, its first."""
    job_id = home.fresh("attempts")
    await home.a.push(home.a.say(job_id, {"fail": "told", "retryable": True}, max_retries=2))
    await home.b.push(home.b.say(job_id, {"seconds": 0.3}))
    failed = await home.a.result(job_id)
    assert (failed["status"], len(failed["attempts"])) == ("failed", 3)
    await its_own(home.b, job_id)
    assert len((await home.b.result(job_id))["attempts"]) == 1


async def test_traces_are_apart(home: Home) -> None:
    """A and B use the same id and no trace; their jobs are in different traces."""
    job_id = home.fresh("trace")
    traces = {(await tenant.run(job_id))["trace_id"] for tenant in (home.a, home.b)}
    assert len(traces) == 2


async def test_artifacts_are_apart(home: Home) -> None:
    """A and B leave an artifact of the same id, kind and text; each has its own file."""
    job_id = home.fresh("artifact")
    found = [(await tenant.run(job_id, {"artifact": "the same"}))["artifacts"][0] for tenant in (home.a, home.b)]
    assert found[0]["sha256"] == found[1]["sha256"]
    assert found[0]["url"] != found[1]["url"]
    assert f"/{home.b.name}/" in found[1]["url"]


async def test_each_has_its_callback_under_its_own_key_and_secret(home: Home) -> None:
    """A and B want the result of the same id; each is called back once, signed with its own secret."""
    job_id = home.fresh("callback")
    for tenant in (home.a, home.b):
        await tenant.push(tenant.say(job_id, callback_url=home.hook(tenant)))
    for tenant in (home.a, home.b):
        (post,) = await home.called(tenant, job_id)
        assert post.headers["idempotency-key"] == f"{tenant.name}:{job_id}"
        assert genuine(SECRETS[tenant.name], post.headers[HEADER.lower()], post.body, time.time())
        assert json.loads(post.body) == await tenant.result(job_id)


async def test_a_result_cannot_be_sent_to_another_tenants_receiver(home: Home) -> None:
    """A asks for a callback to B's URL; A's text is rejected, and B's receiver hears of B's job alone."""
    job_id = home.fresh("elsewhere")
    await home.a.push(home.a.say(job_id, callback_url=home.hook(home.b)))
    assert (await home.a.result(job_id))["error"]["type"] == "callback_not_allowed"
    await home.b.push(home.b.say(job_id, callback_url=home.hook(home.b)))
    await home.called(home.b, job_id)
    await home.b.fence()
    (post,) = home.posts(home.b, job_id)
    assert json.loads(post.body)["tenant_id"] == home.b.name


async def test_names_in_the_log_tell_the_tenants_apart(home: Home) -> None:
    """A and B use the same id; the worker's log names two jobs."""
    job_id = home.fresh("log")
    for tenant in (home.a, home.b):
        await tenant.run(job_id)
    wanted = {f"{home.a.name}/{job_id}", f"{home.b.name}/{job_id}"}
    async with asyncio.timeout(10):
        while wanted != {line["job"] for line in home.daemon.log() if line["message"] == "job ended"} & wanted:
            await home.turn()
