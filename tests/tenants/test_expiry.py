"""Expiry and delays of one tenant's jobs, and what they cost another."""

import datetime as dt
import time

import pw_tenants
from pw_tenants import Home

pytestmark = pw_tenants.MARKS
SOON_SECONDS = 5.0


def seconds_from_now(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()


async def test_many_that_expire_at_once_delay_no_other(home: Home) -> None:
    """A's 300 jobs expire in one instant; B's job is answered meanwhile, and each of A's has one result."""
    at = seconds_from_now(2)
    ids = [home.fresh("at-once") for _ in range(300)]
    await home.a.push(*(home.a.say(job_id, delay_seconds=600, expires_at=at) for job_id in ids))
    await home.a.fence()
    mine = home.fresh("meanwhile")
    await home.b.push(home.b.say(mine, {"seconds": 2}))
    result = await home.b.result(mine, 15)
    assert result["status"] == "succeeded"
    assert result["timing"]["queued"] < SOON_SECONDS
    for job_id in ids:
        assert (await home.a.result(job_id))["status"] == "expired"


async def test_a_job_expires_on_time_though_another_tenant_has_all_pages(home: Home) -> None:
    """A's jobs take every page for a while; B's job that must start sooner gets its `expired` on time."""
    long = [home.fresh("long") for _ in range(12)]
    await home.a.push(*(home.a.say(job_id, {"seconds": 12}) for job_id in long))
    await home.working(*(home.a.ref(job_id) for job_id in long[:4]))
    # Profiles of its own: no page of a warm runner is theirs.
    late = [home.fresh("late") for _ in range(3)]
    began = time.monotonic()
    await home.b.push(
        *(home.b.say(job_id, delay_seconds=600, expires_at=seconds_from_now(2)) for job_id in late),
    )
    for job_id in late:
        result = await home.b.result(job_id)
        assert (result["status"], result["attempts"]) == ("expired", [])
    assert 1.5 < time.monotonic() - began < 2 + SOON_SECONDS
    for job_id in long:
        await home.queue.inspection.cancel(home.a.ref(job_id))
        await home.a.result(job_id)


async def test_a_time_beyond_all_bounds_is_rejected_and_its_neighbour_runs(home: Home) -> None:
    """A wants to stay in Redis until the year 9999; it is told which field, and B's job in the same push runs."""
    ids = {field: home.fresh("forever") for field in ("not_before", "expires_at")}
    mine = home.fresh("neighbour")
    await home.a.push(
        home.a.say(ids["not_before"], not_before="9999-12-31T23:59:59Z"),
        home.a.say(ids["expires_at"], expires_at="9999-12-31T23:59:59Z"),
        home.b.say(mine, expires_at=seconds_from_now(600)),
    )
    for field, job_id in ids.items():
        result = await home.a.result(job_id)
        assert (result["status"], result["error"]["type"]) == ("rejected", "invalid_field")
        assert result["error"]["detail"]["field"] == field
        assert "max_delay_seconds" in result["error"]["message"]
    assert (await home.b.result(mine))["status"] == "succeeded"
