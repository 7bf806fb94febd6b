"""Logged in on any host: a profile moves between workers with different data folders by its snapshots."""

import asyncio
import os
import signal
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
            assert here.producer.results["j3"]["data"] == {"cookie": "user=anna", "entry": "anna"}
            assert c.terminate() == 0
        assert len(here.head()["snapshots"]) == 2, "b published nothing"
        assert here.head()["holder"] is None


async def test_a_login_survives_a_killed_runner_by_its_checkpoint(tmp_path: Path) -> None:
    async with snapshot_fleet(tmp_path) as here:
        with here.worker("a", checkpoint_seconds=0.2) as a:
            await here.cookie(user="anna")
            # The store is outside of every process here: no event tells when it has an object.
            while (before := here.head()["checkpoint"]) is None:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.05)
            assert here.head()["snapshots"] == [], "nothing else has the login"
            job_id = await here.push(seconds=5)
            while not any(job.since_seconds > AT_WORK_SECONDS for job in a.status().jobs):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.05)
            (runner,) = a.status().runners
            assert runner.pid is not None
            os.kill(runner.pid, signal.SIGKILL)
            # The job runs again, with a new browser.
            await here.producer.collect(2, 90)
            assert here.producer.results[job_id]["data"] == {"cookie": "user=anna", "entry": "anna"}
            assert len(here.producer.results[job_id]["attempts"]) == 2
            assert a.terminate() == 0
        head = here.head()
        assert (len(head["snapshots"]), head["checkpoint"]) == (1, None)
        assert not list((here.store / "acme/buyer").glob(f"{before['id']}*")), "the snapshot is newer"
