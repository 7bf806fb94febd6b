"""Logged in on any host: a profile moves between workers with different data folders by its snapshots."""

import asyncio
from pathlib import Path

import pytest
from pw_profiles.fleet import snapshot_fleet

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(200)]

AT_WORK_SECONDS = 1.0
"""From the claim of a job until it has logged in."""


async def test_a_login_follows_its_profile_from_host_to_host(tmp_path: Path) -> None:
    async with snapshot_fleet(tmp_path) as here:
        with here.worker("a") as a:
            assert await here.cookie(user="anna") == ""
            assert a.terminate() == 0
        with here.worker("b") as b:
            assert await here.cookie() == "user=anna"
            # Killed in the middle of a job that logs in as another user: the last good snapshot counts.
            await here.push(user="half", seconds=5)
            # No event tells from outside when a job has done so much.
            while not any(job.since_seconds > AT_WORK_SECONDS for job in b.status().jobs):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.05)
            await here.disown(b)
        with here.worker("c") as c:
            # The job of the killed worker runs again, and finds the login.
            await here.producer.collect(3, 90)
            assert here.producer.results["j3"]["data"] == {"cookie": "user=anna"}
            assert c.terminate() == 0
        assert len(here.head()["snapshots"]) == 2, "b published nothing"
        assert here.head()["holder"] is None
