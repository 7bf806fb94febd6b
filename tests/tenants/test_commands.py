"""Operators name a job by tenant and id, and commands act on that job only."""

import json

import pw_tenants
from pw_tenants import Home

pytestmark = pw_tenants.MARKS
AN_HOUR = 3600


async def test_cancel_ends_the_named_tenants_job(home: Home) -> None:
    """A's job is cancelled while B's job of the same id runs; B's succeeds."""
    job_id = home.fresh("cancel")
    await home.a.push(home.a.say(job_id, {"seconds": 30}))
    await home.b.push(home.b.say(job_id, {"seconds": 8}))
    await home.working(home.a.ref(job_id), home.b.ref(job_id))
    code, said = await home.workerctl("cancel", f"{home.a.name}/{job_id}")
    assert (code, said.strip()) == (0, f"{home.a.name}/{job_id}: cancelling")
    assert (await home.a.result(job_id))["status"] == "cancelled"
    assert (await home.b.result(job_id))["status"] == "succeeded"


async def test_cancel_of_a_waiting_job_leaves_the_other_tenants_one(home: Home) -> None:
    """A's and B's jobs of one id wait; A's is cancelled and B's still waits."""
    job_id = home.fresh("waiting")
    for tenant in (home.a, home.b):
        await tenant.push(tenant.say(job_id, delay_seconds=AN_HOUR))
        await tenant.fence()
    assert (await home.workerctl("cancel", f"{home.a.name}/{job_id}"))[0] == 0
    assert (await home.a.result(job_id))["status"] == "cancelled"
    views = {view.tenant_id: view.state for view in await home.jobs() if view.job_id == job_id}
    assert views == {home.b.name: "delayed"}
    await home.workerctl("cancel", f"{home.b.name}/{job_id}")
    await home.b.result(job_id)


async def test_a_bare_id_is_a_usage_error_that_says_how_to_write_it(home: Home) -> None:
    """An operator types an id that A and B both use; neither job is touched, and the message shows the form."""
    job_id = home.fresh("bare")
    for tenant in (home.a, home.b):
        await tenant.push(tenant.say(job_id, {"seconds": 1.5}))
        await tenant.fence()
    for command in ("cancel", "results"):
        code, said = await home.workerctl(command, job_id)
        assert code == 2, said
        assert "TENANT/ID" in said
        assert "acme/17" in said
    for tenant in (home.a, home.b):
        assert (await tenant.result(job_id))["status"] == "succeeded"


async def test_results_shows_the_named_tenants_result(home: Home) -> None:
    """A's and B's results of one id are shown each by its own name, and listed as two."""
    job_id = home.fresh("shown")
    for tenant in (home.a, home.b):
        await tenant.run(job_id, {"words": tenant.name})
    for tenant in (home.a, home.b):
        code, said = await home.workerctl("results", f"{tenant.name}/{job_id}", "--json")
        assert (code, json.loads(said)["data"]["words"]) == (0, tenant.name)
    _, said = await home.workerctl("results", "--count", "10")
    assert f"{home.a.name}/{job_id}" in said
    assert f"{home.b.name}/{job_id}" in said
    code, said = await home.workerctl("results", f"{home.c.name}/{job_id}")
    assert (code, "there is no result" in said) == (1, True)


async def test_submit_waits_for_its_own_tenants_result(home: Home) -> None:
    """B's result of an id is there already; a submit for A with that id brings A's."""
    job_id = home.fresh("submit")
    await home.b.run(job_id, {"words": "of B"})
    words = ("--tenant", home.a.name, "--job-id", job_id, "--payload", '{"words": "of A"}', "--wait", "--json")
    code, said = await home.workerctl("submit", "tenants.say", *words)
    assert (code, json.loads(said)["data"]["words"]) == (0, "of A")


async def test_status_and_jobs_name_both(home: Home) -> None:
    """A's and B's running jobs of one id stand in `status` and `jobs` as two."""
    job_id = home.fresh("listed")
    for tenant in (home.a, home.b):
        await tenant.push(tenant.say(job_id, {"seconds": 60}))
    await home.working(home.a.ref(job_id), home.b.ref(job_id))
    for command in ("status", "jobs"):
        _, said = await home.workerctl(command)
        for tenant in (home.a, home.b):
            assert f"{tenant.name}/{job_id}" in said, said
    for tenant in (home.a, home.b):
        await home.queue.inspection.cancel(tenant.ref(job_id))
        assert (await tenant.result(job_id))["status"] == "cancelled"
