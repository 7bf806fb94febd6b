"""Spare runners of a worker: who gets one, who never does, and what happens when one is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chaos.echo import EchoRunner
from msgspec.structs import replace
from pw_servers import RedisServer
from pw_worker import Echoes, change, echoes, nap

from pageworker_sandbox.launch import pressure
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.producer import NewJob
from pageworker_supervisor.runners.errors import BrowserNotReady
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.runner_state import RunnerState
from pageworker_supervisor.runners.spares import SPARE
from pageworker_supervisor.runners.start_history import HostState


@pytest.fixture
async def worker(
    live_redis: RedisServer, registry_key: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Echoes]:
    """One with two runner slots and one spare, on a host with nothing else to do."""
    idle = tmp_path / "cpu"
    idle.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    monkeypatch.setattr(pressure.cpu_busy_percent, "__defaults__", (idle,))
    more = {"pool": {"runners": 2, "spares": 1}}
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as opened:
        await opened.until(lambda: len(spares(opened)) == 1)
        yield opened


def spares(worker: Echoes) -> list[EchoRunner]:
    """Those that are up."""
    runners = worker.components.fleet.runners.values()
    return [
        runner
        for runner in runners
        if isinstance(runner, EchoRunner) and runner.context == SPARE and runner.state is RunnerState.READY
    ]


def job(job_id: str, tenant: str = "acme") -> NewJob:
    """One that ends after a millisecond."""
    return replace(nap(job_id, 1, fields={"tenant_id": tenant}), tenant_id=tenant)


async def test_a_tenant_gets_a_spare_and_no_other_tenant_gets_that_one(worker: Echoes) -> None:
    (spare,) = spares(worker)
    assert worker.components.fleet.slots() == [], "a spare takes no runner slot"
    await worker.push(job("j1"))
    await worker.answered(1)
    assert worker.results["j1"]["runner_id"] == spare.runner_id
    assert spare.assigned == ["acme"]
    await worker.until(lambda: len(spares(worker)) == 1)
    assert spares(worker)[0] is not spare, "another one has been started in its place"
    await worker.push(job("j2", "other"))
    await worker.answered(2)
    assert worker.results["j2"]["runner_id"] != spare.runner_id
    assert spare.assigned == ["acme"]
    with pytest.raises(ValueError, match="is no spare"):
        spare.adopt(spare.context)


async def test_a_context_with_options_gets_a_runner_of_its_own(worker: Echoes) -> None:
    (spare,) = spares(worker)
    await worker.push(nap("j1", 1, fields={"page": {"locale": "de-DE"}}))
    await worker.answered(1)
    assert worker.results["j1"]["runner_id"] != spare.runner_id
    assert spares(worker) == [spare]


async def test_a_spare_that_is_lost_while_it_is_adopted_loses_no_job(
    worker: Echoes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spare,) = spares(worker)
    adopt = spare.adopt

    def adopt_and_die(context: ContextKey) -> None:
        adopt(context)
        spare.crash("killed from outside")

    monkeypatch.setattr(spare, "adopt", adopt_and_die)
    await worker.push(job("j1"))
    await worker.answered(1)
    result = worker.results["j1"]
    assert result["status"] == "succeeded"
    assert result["runner_id"] != spare.runner_id
    assert [attempt["outcome"] for attempt in result["attempts"]] == ["succeeded"], (
        "its loss was not charged to the job"
    )


async def test_spares_that_do_not_start_hold_up_no_job(worker: Echoes, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_in = EchoRunner._serve_in

    async def fails(runner: EchoRunner, folder: RunnerFolder) -> None:
        if runner.context == SPARE:
            raise BrowserNotReady("told to fail")
        await serve_in(runner, folder)

    monkeypatch.setattr(EchoRunner, "_serve_in", fails)
    await worker.push(job("j1"))
    await worker.answered(1)
    failed = b'pageworker_runner_start_failures_total{blame="unknown"} 1.0'
    await worker.until(lambda: failed in worker.metrics())
    health = worker.components.fleet._starts.host
    await worker.until(lambda: health.state is HostState.WELL)
    await worker.push(job("j2", "other"))
    await worker.answered(2)
    assert {result["status"] for result in worker.results.values()} == {"succeeded"}
    assert worker.components.fleet._starts.broken() == 0


async def test_a_spare_is_no_free_page_of_the_pool(worker: Echoes) -> None:
    def counted() -> bool:
        lines = worker.metrics().decode().splitlines()
        return 'pageworker_runners{state="spare"} 1.0' in lines and 'pageworker_pages{state="free"} 0.0' in lines

    await worker.until(counted)


async def test_the_number_of_spares_follows_the_settings(worker: Echoes) -> None:
    (spare,) = spares(worker)
    await change(worker, {"pool.spares": 0})
    await worker.until(lambda: spare.state is RunnerState.GONE)
    await change(worker, {"pool.spares": 2})
    await worker.until(lambda: len(spares(worker)) == 2)
