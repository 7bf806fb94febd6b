"""A cancellation affects one job of one tenant, and holds whatever another tenant does."""

import json

import pw_tenants
from pw_tenants import Home, Tenant

from pageworker_supervisor.queue.functions import packed

pytestmark = pw_tenants.MARKS
AN_HOUR = 3600
PER_TENANT = 10_000
"""Cancellations of unknown jobs that are remembered for one tenant."""


async def cancelled(home: Home, tenant: Tenant, job_id: str) -> str:
    """What the queue answers."""
    return str(await home.queue.inspection.cancel(tenant.ref(job_id)))


async def remembered(home: Home, tenant: Tenant, count: int, milliseconds: int) -> list[bytes]:
    """Cancel `count` ids of this tenant that were never pushed. Returns the answers."""
    async with home.redis_client.commands.pipeline(transaction=False) as pipe:
        for number in range(count):
            ref = f"{tenant.name}/never-{number}"
            request = packed(ref=ref, memory_ms=milliseconds)
            pipe.execute_command("FCALL", home.queue.function("cancel"), 1, "pw:{0}", request)
        answers: list[bytes] = await pipe.execute()
    return answers


async def test_a_tenant_that_cancels_anothers_running_job_reaches_only_its_own_names(home: Home) -> None:
    """A cancels the id of B's running job; B's succeeds, and A's own job of that id, pushed later, does not run."""
    job_id = home.fresh("not-mine")
    await home.b.push(home.b.say(job_id, {"seconds": 6}))
    await home.working(home.b.ref(job_id))
    assert await cancelled(home, home.a, job_id) == "awaited"
    assert (await home.b.result(job_id))["status"] == "succeeded"
    await home.a.push(home.a.say(job_id))
    result = await home.a.result(job_id)
    assert (result["status"], result["attempts"]) == ("cancelled", [])


async def test_a_cancel_that_waits_for_one_tenants_job_does_not_meet_anothers(home: Home) -> None:
    """A cancels an id before it is pushed; B pushes that id first and its job runs, A's is cancelled."""
    job_id = home.fresh("early")
    assert await cancelled(home, home.a, job_id) == "awaited"
    await home.b.push(home.b.say(job_id))
    assert (await home.b.result(job_id))["status"] == "succeeded"
    await home.a.add(home.a.say(job_id))
    assert (await home.a.result(job_id))["status"] == "cancelled"


async def test_one_tenants_cancels_do_not_fill_the_memory_of_anothers(home: Home) -> None:
    """A cancels ids without end; A is refused in the end, and what was acknowledged for B still holds."""
    # Not one of the shared tenants: its memory stays full.
    filler, before, after = home.stranger("filler"), home.fresh("kept"), home.fresh("kept")
    assert await cancelled(home, home.b, before) == "awaited"
    answers = await remembered(home, filler, PER_TENANT + 200, 600_000)
    assert answers.count(b"unknown") >= 200
    assert await cancelled(home, home.b, after) == "awaited"
    await home.b.push(home.b.say(before), home.b.say(after))
    for job_id in (before, after):
        assert (await home.b.result(job_id))["status"] == "cancelled"


async def test_a_text_in_anothers_name_does_not_undo_its_cancel(home: Home) -> None:
    """A pushes an invalid text that names B's cancelled id; B's job of that id still does not run."""
    job_id = home.fresh("undone")
    assert await cancelled(home, home.b, job_id) == "awaited"
    await home.a.push(home.b.broken(job_id))
    await home.a.fence()
    await home.b.push(home.b.say(job_id, {"seconds": 30}))
    statuses = [result["status"] for result in await home.b.results(job_id, 2)]
    assert statuses == ["rejected", "cancelled"]


async def test_a_tenant_that_cancels_its_backlog_delays_no_other(home: Home) -> None:
    """A cancels 200 of its waiting jobs at once; B's job, pushed just then, is answered within seconds."""
    ids = [home.fresh("mass") for _ in range(200)]
    await home.a.push(*(home.a.say(job_id, delay_seconds=AN_HOUR) for job_id in ids))
    await home.a.fence()
    mine = home.fresh("beside")
    for job_id in ids[:100]:
        assert await cancelled(home, home.a, job_id) == "cancelled"
    await home.b.push(home.b.say(mine))
    for job_id in ids[100:]:
        assert await cancelled(home, home.a, job_id) == "cancelled"
    assert (await home.b.result(mine, 10))["status"] == "succeeded"
    for job_id in ids:
        assert (await home.a.result(job_id))["status"] == "cancelled"


async def test_an_operator_is_told_whose_job_is_not_known(home: Home) -> None:
    """An operator mistypes the tenant of B's running job; the answer says so, and B's job goes on."""
    job_id = home.fresh("typo")
    await home.b.push(home.b.say(job_id, {"seconds": 8}))
    await home.working(home.b.ref(job_id))
    code, said = await home.workerctl("cancel", f"{home.c.name}/{job_id}")
    assert code == 0
    assert "the queue does not know this job" in said
    code, said = await home.workerctl("cancel", f"{home.c.name}/{job_id}", "--json")
    assert json.loads(said) == {
        "job_id": job_id,
        "tenant_id": home.c.name,
        "outcome": "cancelling",
        "known": False,
    }
    assert (await home.b.result(job_id))["status"] == "succeeded"
