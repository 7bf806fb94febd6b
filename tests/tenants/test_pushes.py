"""Pushing an id again: what one tenant repeats, corrects or cancels does not affect another tenant."""

import json

import pw_tenants
from pw_tenants import Home, Tenant

pytestmark = pw_tenants.MARKS


async def untouched(tenant: Tenant, job_id: str) -> None:
    """The tenant has one result of this id, and heard nothing else of it."""
    result = await tenant.result(job_id)
    assert result["data"]["tenant"] == tenant.name, result
    assert await tenant.kept(job_id) == result
    assert tenant.events(job_id) == []


async def test_the_corrected_push_of_a_rejected_text_runs(home: Home) -> None:
    """A corrects a text that was rejected and has its result; B's ended job of that id keeps its own."""
    job_id = home.fresh("corrected")
    await home.b.run(job_id)
    await home.a.push(home.a.broken(job_id))
    await home.a.results(job_id)
    await home.a.push(home.a.say(job_id))
    rejected, result = await home.a.results(job_id, 2)
    assert (rejected["status"], result["status"]) == ("rejected", "succeeded")
    assert await home.a.kept(job_id) == result
    await untouched(home.b, job_id)


async def test_the_corrected_push_of_a_job_that_no_module_took_runs(home: Home) -> None:
    """A names a module that is not there, then the right one; B's job of that id does not run again."""
    job_id = home.fresh("module")
    await home.b.run(job_id)
    await home.a.push(home.a.job(job_id, "tenants.sya"))
    assert (await home.a.results(job_id))[0]["error"]["type"] == "module_unknown"
    await home.a.push(home.a.say(job_id))
    assert (await home.a.results(job_id, 2))[1]["status"] == "succeeded"
    await untouched(home.b, job_id)


async def test_a_push_of_an_ended_job_is_answered_on_its_own_callback(home: Home) -> None:
    """A pushes an ended id again and is called back with A's result; B, with the same id, is not called."""
    job_id = home.fresh("again")
    for tenant in (home.a, home.b):
        await tenant.run(job_id)
    await home.a.push(home.a.say(job_id, {"words": "other"}, callback_url=home.hook(home.a)))
    (post,) = await home.called(home.a, job_id)
    assert json.loads(post.body) == await home.a.result(job_id)
    assert post.headers["idempotency-key"] == f"{home.a.name}:{job_id}"
    await home.a.event("duplicate", job_id)
    assert home.posts(home.b, job_id) == []
    await untouched(home.b, job_id)


async def test_a_first_push_never_gets_another_tenants_result(home: Home) -> None:
    """A's job has ended; B pushes the same id for the first time, with a callback, and gets its own job's result."""
    job_id = home.fresh("first")
    await home.a.run(job_id, {"words": "a secret of A"})
    await home.b.push(home.b.say(job_id, {"words": "B"}, callback_url=home.hook(home.b)))
    (post,) = await home.called(home.b, job_id)
    assert json.loads(post.body)["data"]["words"] == "B"
    await untouched(home.b, job_id)
    await untouched(home.a, job_id)


async def test_a_push_of_an_id_that_runs_is_the_same_job_for_its_tenant_alone(home: Home) -> None:
    """A pushes an id thrice while it runs; that is one job, and B's push of it meanwhile is another."""
    job_id = home.fresh("running")
    await home.a.push(*[home.a.say(job_id, {"seconds": 0.8})] * 2)
    await home.a.fence()
    await home.a.push(home.a.say(job_id))
    await home.b.run(job_id)
    await untouched(home.b, job_id)
    await untouched(home.a, job_id)


async def test_what_is_read_twice_is_answered_once(home: Home) -> None:
    """Texts of A and B with one id are read a second time after their jobs have ended; no tenant is told twice."""
    job_id = home.fresh("reread")
    texts = [tenant.say(job_id, callback_url=home.hook(tenant)) for tenant in (home.a, home.b)]
    await home.a.push(*texts)
    for tenant in (home.a, home.b):
        await home.called(tenant, job_id)
    await home.read_again(*texts)
    for tenant in (home.a, home.b):
        assert len(home.posts(tenant, job_id)) == 1
        await untouched(tenant, job_id)


async def test_a_rejected_text_that_is_pushed_again_is_answered_to_its_tenant_alone(home: Home) -> None:
    """A pushes the same broken text twice, each time with its callback; B, whose id it is too, hears of neither."""
    job_id = home.fresh("broken")
    text = home.a.broken(job_id, callback_url=home.hook(home.a))
    for count in (1, 2):
        await home.a.push(text)
        await home.called(home.a, job_id, count)
    assert home.a.events(job_id) == ["rejected", "rejected"]
    await home.b.run(job_id)
    await untouched(home.b, job_id)
    assert home.posts(home.b, job_id) == []
    assert len(await home.a.results(job_id)) == 1, "one result, told twice"


async def test_dead_letters_are_listed_for_their_tenant_alone(home: Home) -> None:
    """A and B each have dead letters of one id, of a failed job and of a rejected text; each lists its own."""
    job_id = home.fresh("letters")
    for tenant in (home.a, home.b):
        await tenant.push(tenant.broken(job_id))
        await tenant.results(job_id)
        await tenant.push(tenant.say(job_id, {"fail": "told"}))
        await tenant.results(job_id, 2)
    for tenant in (home.a, home.b):
        letters = (await home.queue.dead_letters.page(1000, tenant_id=tenant.name)).letters
        assert {letter.tenant_id for letter in letters} == {tenant.name}
        assert {letter.reason for letter in letters if letter.job_id == job_id} == {"rejected", "failed"}


async def test_a_dead_letter_is_retried_for_its_tenant_alone(home: Home) -> None:
    """A's failed job is sent again; B's failed job of that id, and its letter, stay as they are."""
    job_id = home.fresh("retried")
    for tenant in (home.a, home.b):
        await tenant.push(tenant.say(job_id, {"fail": "told"}))
        await tenant.results(job_id)
    (letter,) = [
        one.id
        for one in (await home.queue.dead_letters.page(1000, tenant_id=home.a.name)).letters
        if one.job_id == job_id
    ]
    code, said = await home.workerctl("dead", "retry", letter, "--payload", '{"words": "mended"}')
    assert (code, "queued" in said) == (0, True), said
    assert (await home.a.results(job_id, 2))[1]["data"]["words"] == "mended"
    assert (await home.b.result(job_id))["status"] == "failed"
    assert (await home.b.kept(job_id) or {})["status"] == "failed"
    assert job_id in {one.job_id for one in (await home.queue.dead_letters.page(1000, tenant_id=home.b.name)).letters}


async def test_events_go_to_their_tenant_alone(home: Home) -> None:
    """A's job of an id is retried, rejected and pushed again; none of its events is on B's channel."""
    job_id = home.fresh("events")
    await home.a.push(home.a.say(job_id, {"fail": "told", "retryable": True}, max_retries=1))
    await home.a.results(job_id)
    await home.a.push(home.a.broken(job_id), home.a.say(job_id))
    await home.a.event("duplicate", job_id)
    await home.a.event("rejected", job_id)
    assert home.a.events(job_id).count("retrying") == 1
    await home.b.fence()
    assert home.b.events(job_id) == []
