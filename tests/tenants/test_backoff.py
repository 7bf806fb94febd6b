"""Browser contexts of one tenant that do not come up: its jobs get a named error, and no other tenant is affected."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pw_tenants
import pytest_asyncio
from pw_tenants import Home, Tenant, home_with

pytestmark = pw_tenants.MARKS
RUNNERS = 3
TIRED_SECONDS = 60.0
"""For jobs that are tried again after each pause of a breaker."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home() -> AsyncIterator[Home]:
    """A separate worker, so that broken contexts do not slow the other tests."""
    async with home_with(pool={"runners": RUNNERS, "pages": 2}, jobs={"retry_base_seconds": 0.05}) as opened:
        yield opened


def data_of(home: Home, tenant: Tenant, profile: str) -> Path:
    """The folder of this profile, made as the profile store makes it."""
    data = home.daemon.data_dir / "profiles" / tenant.name / profile / "data"
    data.mkdir(parents=True)
    for folder in (data.parent.parent, data.parent):
        folder.chmod(0o711)
    return data


def give_to_worker(home: Home, data: Path) -> Path:
    """All of a profile to the user that the worker has become, as if the store had made it."""
    owner = home.daemon.data_dir.stat()
    for path in (data.parent.parent, data.parent, data, *data.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    return data


def tampered(home: Home, tenant: Tenant, profile: str) -> Path:
    """A profile that is not safe to open."""
    data = data_of(home, tenant, profile)
    (data / "SingletonLock").mkdir()
    return give_to_worker(home, data)


def damaged(home: Home, tenant: Tenant, profile: str) -> Path:
    """A profile that the browser does not start with."""
    data = data_of(home, tenant, profile)
    (data / "Default").write_bytes(b"a file where a folder should be")
    (data / "Local State").mkdir()
    return give_to_worker(home, data)


def lines(
    home: Home, message: str, tenant: Tenant | None = None, profile: str | None = None
) -> list[dict[str, object]]:
    """Of the worker's log: those with this message, of this tenant and profile."""
    return [
        line
        for line in home.daemon.log()
        if line.get("message") == message
        and (tenant is None or line.get("tenant_id") == tenant.name)
        and (profile is None or line.get("profile_id") == profile)
    ]


def runner_of(home: Home, tenant: Tenant) -> str:
    """The one runner of this tenant."""
    (runner,) = [runner for runner in home.daemon.status().runners if runner.tenant_id == tenant.name]
    return runner.runner_id


async def test_a_tampered_profile_ends_its_jobs_with_its_name_and_one_try(home: Home) -> None:
    """A pushes ten jobs for a tampered profile; each has a named error, and B's cold job starts beside."""
    tampered(home, home.a, "links")
    ids = [home.fresh("tampered") for _ in range(10)]
    cold = home.fresh("cold")
    await home.a.push(*(home.a.say(job_id, profile_id="links") for job_id in ids))
    await home.b.push(home.b.say(cold))
    for job_id in ids:
        result = await home.a.result(job_id)
        assert (result["status"], result["error"]["type"]) == ("failed", "profile_tampered")
        assert result["error"]["retryable"] is False
        assert str(home.daemon.data_dir) not in str(result)
    assert (await home.b.result(cold))["status"] == "succeeded"
    assert len(lines(home, "runner did not come up", home.a, "links")) <= 2
    assert lines(home, "job deferred", home.a) == []


async def test_a_damaged_profile_is_tried_a_bounded_number_of_times(home: Home) -> None:
    """A's browser does not start with one profile; its job ends with a named error while B's runs."""
    damaged(home, home.a, "bad")
    job_id, other = home.fresh("damaged"), home.fresh("beside")
    await home.a.push(home.a.say(job_id, profile_id="bad", max_retries=1))
    assert (await home.b.run(other))["status"] == "succeeded"
    result = await home.a.result(job_id, TIRED_SECONDS)
    assert (result["status"], result["error"]["type"]) == ("failed", "browser_start_failed")
    assert [attempt["outcome"] for attempt in result["attempts"]] == ["failed"] * 2
    assert "retrying" in home.a.events(job_id)
    while len(lines(home, "runner did not come up", home.a, "bad")) < 2:  # the log is written aside
        await home.turn()
    assert len(lines(home, "runner did not come up", home.a, "bad")) == 2
    assert home.daemon.get("/readyz").status_code == 200, "the worker is well"


async def test_many_jobs_of_a_damaged_profile_cost_few_starts(home: Home) -> None:
    """A pushes twenty jobs for a profile that never starts; they all end, and each start is not one job's."""
    damaged(home, home.a, "many")
    ids = [home.fresh("many") for _ in range(20)]
    await home.a.push(*(home.a.say(job_id, profile_id="many", max_retries=0) for job_id in ids))
    types = {(await home.a.result(job_id, TIRED_SECONDS))["error"]["type"] for job_id in ids}
    assert types == {"browser_start_failed"}
    assert len(lines(home, "runner did not come up", home.a, "many")) <= 5


async def test_the_tenants_other_profile_is_not_held_back(home: Home) -> None:
    """A's one profile is broken; A's other profile and its jobs without a profile run as ever."""
    damaged(home, home.a, "one")
    broken, other, plain = (home.fresh(name) for name in ("broken", "other", "plain"))
    await home.a.push(home.a.say(broken, profile_id="one", max_retries=1))
    while not lines(home, "runner did not come up", home.a, "one"):
        await home.turn()
    began = time.monotonic()
    assert (await home.a.run(other, profile_id="two"))["status"] == "succeeded"
    assert (await home.a.run(plain))["status"] == "succeeded"
    assert (await home.a.result(broken, TIRED_SECONDS))["error"]["type"] == "browser_start_failed"
    assert time.monotonic() - began < TIRED_SECONDS


async def test_a_profile_of_the_same_name_is_another_tenants(home: Home) -> None:
    """A's profile `main` is broken, and B has one of that name; B's comes up."""
    tampered(home, home.a, "main")
    mine, theirs = home.fresh("main"), home.fresh("main")
    await home.a.push(home.a.say(mine, profile_id="main"))
    assert (await home.a.result(mine))["error"]["type"] == "profile_tampered"
    assert (await home.b.run(theirs, profile_id="main"))["status"] == "succeeded"


async def test_a_broken_profile_never_takes_a_healthy_idle_runners_slot(home: Home) -> None:
    """All slots are held by idle runners of B and C; A's jobs for broken profiles end, and no runner is replaced."""
    await fill(home)
    mine = runner_of(home, home.b)
    ids = []
    for number in range(6):
        tampered(home, home.a, f"greedy-{number}")
        ids += [home.fresh("greedy") for _ in range(3)]
        await home.a.push(*(home.a.say(job_id, profile_id=f"greedy-{number}") for job_id in ids[-3:]))
    for job_id in ids:
        assert (await home.a.result(job_id))["error"]["type"] == "profile_tampered"
    assert runner_of(home, home.b) == mine
    assert (await home.b.run(home.fresh("warm")))["runner_id"] == mine


async def test_a_mended_profile_comes_up_again(home: Home) -> None:
    """A's broken profile is restored while its breaker is open; A's next job on it runs, and B never noticed."""
    data = tampered(home, home.a, "mended")
    first = home.fresh("first")
    await home.a.push(home.a.say(first, profile_id="mended"))
    assert (await home.a.result(first))["error"]["type"] == "profile_tampered"
    shutil.rmtree(data)
    async with asyncio.timeout(TIRED_SECONDS):
        while (await home.a.run(home.fresh("again"), profile_id="mended"))["status"] != "succeeded":
            await home.turn()
    assert (await home.b.run(home.fresh("beside")))["status"] == "succeeded"


async def test_other_tenants_cold_starts_are_not_slowed(home: Home) -> None:
    """A floods the worker with jobs for broken profiles; a start of C takes as long as without."""
    for number in range(8):
        tampered(home, home.a, f"flood-{number}")
    began = time.monotonic()
    await home.c.run(home.fresh("alone"), profile_id="cold-1")
    alone = time.monotonic() - began
    ids = [home.fresh("flood") for _ in range(160)]
    await home.a.push(*(home.a.say(i, profile_id=f"flood-{n % 8}") for n, i in enumerate(ids)))
    began = time.monotonic()
    await home.c.run(home.fresh("beside"), profile_id="cold-2")
    beside = time.monotonic() - began
    for job_id in ids:
        assert (await home.a.result(job_id))["error"]["type"] == "profile_tampered"
    # The bound of the bench is closer; here the host is shared with other tests.
    assert beside < 3 * alone + 2.0


async def fill(home: Home) -> None:
    """One idle runner of B without a profile, and idle runners of C in all other slots."""
    async with asyncio.timeout(TIRED_SECONDS):
        while not filled(home):
            await home.b.run(home.fresh("fill"))
            # At once: one after the other, each would replace the runner of the one before.
            profiles = [f"fill-{number}" for number in range(RUNNERS - 1)]
            await asyncio.gather(*(home.c.run(home.fresh("fill"), profile_id=profile) for profile in profiles))
            await home.turn()


def filled(home: Home) -> bool:
    runners = [runner for runner in home.daemon.status().runners if runner.tenant_id]
    of_b = [runner.profile_id for runner in runners if runner.tenant_id == home.b.name]
    return len(runners) == RUNNERS and {runner.state for runner in runners} == {"ready"} and of_b == [None]
