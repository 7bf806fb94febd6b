"""Listings show the jobs of the tenant that was asked for, and take time only for what they list."""

import json
import time

import pw_tenants
from pw_tenants import Home

pytestmark = pw_tenants.MARKS
AN_HOUR = 3600
MANY = 1_000


async def test_a_huge_backlog_does_not_slow_the_listing_of_another_tenant(home: Home) -> None:
    """A has thousands of jobs; B's three are listed by themselves in milliseconds, and by `workerctl`."""
    backlog = [home.fresh("many") for _ in range(MANY)]
    await home.a.push(*(home.a.say(job_id, delay_seconds=AN_HOUR) for job_id in backlog))
    mine = [home.fresh("few") for _ in range(3)]
    await home.b.push(*(home.b.say(job_id, delay_seconds=AN_HOUR) for job_id in mine))
    await home.b.fence()
    took = []
    for _ in range(5):
        began = time.perf_counter()
        page = await home.queue.inspection.jobs(tenant_id=home.b.name)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.2
    assert {view.job_id for view in page.jobs} == set(mine)
    assert page.cursor is None
    code, said = await home.workerctl("jobs", "--tenant", home.b.name, "--state", "delayed", "--json")
    assert code == 0
    assert {job["job_id"] for job in json.loads(said)} == set(mine)
    seen = [view.job_id for view in await home.jobs() if view.tenant_id == home.a.name]
    assert sorted(seen) == sorted(backlog)
    for tenant, ids in ((home.a, backlog), (home.b, mine)):
        for job_id in ids:
            await home.queue.inspection.cancel(tenant.ref(job_id))
        for job_id in ids:
            assert (await tenant.result(job_id))["status"] == "cancelled"


async def test_what_runs_is_listed_beside_a_backlog_and_pages_go_on(home: Home) -> None:
    """A has jobs waiting; B's running job is the one that `--state running` shows, and A's come page by page."""
    backlog = [home.fresh("paged") for _ in range(25)]
    await home.a.push(*(home.a.say(job_id, delay_seconds=AN_HOUR) for job_id in backlog))
    running = home.fresh("runs")
    await home.b.push(home.b.say(running, {"seconds": 60}))
    await home.b.fence()
    await home.working(home.b.ref(running))
    code, said = await home.workerctl("jobs", "--state", "running", "--json")
    assert [(job["tenant_id"], job["job_id"]) for job in json.loads(said)] == [(home.b.name, running)]
    seen: list[str] = []
    words = ["jobs", "--tenant", home.a.name, "--count", "10"]
    cursor: list[str] = []
    for _ in range(5):
        code, said = await home.workerctl(*words, *cursor)
        assert code == 0
        seen += [line.split()[0].partition("/")[2] for line in said.splitlines() if line.startswith(home.a.name)]
        more = [line for line in said.splitlines() if "--cursor" in line]
        if not more:
            break
        cursor = ["--cursor", more[0].split("'")[1]]
    assert sorted(seen) == sorted(backlog)
    assert (await home.workerctl("jobs", "--cursor", "nonsense"))[0] == 2
    for job_id in backlog:
        await home.queue.inspection.cancel(home.a.ref(job_id))
        await home.a.result(job_id)
    await home.queue.inspection.cancel(home.b.ref(running))
    assert (await home.b.result(running))["status"] == "cancelled"
