"""Modules that isolate their jobs: which of them share a runner, on a worker with echo runners."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs
from pw_daemon.usual_modules import MODULES, publish_usual
from pw_servers import RedisServer
from pw_worker import Echoes, change, echoes, nap, taken

KINDS = {
    "alone": 'isolation = "job"',
    "apart": 'isolation = "module"',
    "cart": 'group = "cart"',
    "till": 'group = "cart"',
}


@pytest.fixture(scope="module")
def isolating(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A registry with a nap of each kind beside the usual one, and the key to trust."""
    folder = tmp_path_factory.mktemp("isolating")
    modules = []
    for kind, line in KINDS.items():
        module = folder / kind
        shutil.copytree(MODULES / "test_nap", module)
        text = (module / "module.toml").read_text().replace('"test.nap"', f'"test.{kind}"')
        (module / "module.toml").write_text(f"{line}\n{text}")
        modules.append(module)
    return folder / "registry", publish_usual(folder / "registry", *modules)


@pytest.fixture
async def isolator(live_redis: RedisServer, isolating: tuple[Path, str]) -> AsyncIterator[Echoes]:
    """With four runner slots."""
    async with echoes(live_redis.url, live_redis, isolating, more={"pool": {"runners": 4}}) as opened:
        yield opened


def runners_of(worker: Echoes, *jobs: str) -> set[str]:
    """The runners that ran these jobs."""
    assert {worker.results[job]["status"] for job in jobs} == {"succeeded"}, worker.results
    return {worker.results[job]["runner_id"] for job in jobs}


async def test_each_job_of_an_isolating_module_has_a_runner_of_its_own(isolator: Echoes) -> None:
    jobs = [f"j{n}" for n in range(6)]
    await isolator.push(*(nap(job, 150, module="test.alone") for job in jobs))
    await isolator.until(lambda: taken(isolator) == 4)
    assert {runner.pages for runner in isolator.components.fleet.runners.values()} == {1}
    await isolator.answered(6)
    assert len(runners_of(isolator, *jobs)) == 6
    await isolator.until(lambda: not isolator.components.fleet.runners)
    assert isolator.worker.status().counters.get("runner_restarts", 0) == 0, "their end is no failure"


async def test_a_module_alone_shares_with_itself_and_a_group_with_its_members(isolator: Echoes) -> None:
    names = ("apart-1", "apart-2", "nap-1", "nap-2", "cart-1", "till-1")
    await isolator.push(*(nap(name, 400, module=f"test.{name.partition('-')[0]}") for name in names))
    await isolator.answered(6)
    apart, plain, group = (runners_of(isolator, *names[at : at + 2]) for at in (0, 2, 4))
    assert [len(apart), len(plain), len(group), len(apart | plain | group)] == [1, 1, 1, 3]


async def test_the_operators_least_isolation_separates_modules_from_the_next_job_on(isolator: Echoes) -> None:
    await isolator.push(nap("cart-1", 200, module="test.cart"), nap("till-1", 200, module="test.till"))
    await isolator.answered(2)
    assert len(runners_of(isolator, "cart-1", "till-1")) == 1
    await change(isolator, {"modules.isolation": "module"})
    await isolator.push(nap("cart-2", 200, module="test.cart"), nap("till-2", 200, module="test.till"))
    await isolator.answered(4)
    assert len(runners_of(isolator, "cart-2", "till-2")) == 2


async def test_a_profile_is_rejected_by_name_where_each_job_is_alone(isolator: Echoes) -> None:
    job = nap("j", 1, module="test.alone", fields={"profile_id": "p1"})
    await isolator.push(structs.replace(job, profile_id="p1"))
    await isolator.answered(1)
    error = isolator.results["j"]["error"]
    assert (isolator.results["j"]["status"], error["type"]) == ("rejected", "module_isolation")
    assert "without `profile_id`" in error["detail"]["mend"]
