"""A change of the central configuration takes effect while a worker runs, and disturbs no job."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer
from pw_worker import PAGES, Echoes, change, echoes, nap, taken

MOST = 2**53 - 1
CENTURIES = 10_000_000_000


@pytest.mark.parametrize(
    "values",
    [
        {"results.ttl_seconds": CENTURIES},
        {"results.stream_length": MOST, "results.dead_length": MOST, "results.dead_bytes": MOST},
        {'tenants."*".backlog_bytes': MOST, 'tenants."*".backlog_jobs': MOST, 'tenants."*".burst': MOST},
        {"limits.fleet.concurrency": MOST, "limits.fleet.burst": MOST, "limits.fleet.rate_per_second": MOST},
        {"jobs.retry_cap_seconds": CENTURIES, "callbacks.max_seconds": CENTURIES, "pool.recycle_seconds": CENTURIES},
    ],
    ids=str,
)
async def test_jobs_run_with_the_largest_numbers(worker: Echoes, values: Mapping[str, Any]) -> None:
    await change(worker, values)
    await worker.push(nap("job", 1))
    await worker.answered(1, 60)
    assert worker.results["job"]["status"] == "succeeded"


async def test_a_larger_pool_runs_more_jobs_at_once(worker: Echoes) -> None:
    await worker.push(*(nap(f"j{n}", 1500) for n in range(8)))
    await worker.until(lambda: taken(worker) == PAGES)
    await change(worker, {"pool.runners": 3})
    await worker.until(lambda: taken(worker) == 3 * PAGES)
    await worker.answered(8, 30)
    assert {result["status"] for result in worker.results.values()} == {"succeeded"}


async def test_a_smaller_pool_lets_jobs_finish(worker: Echoes) -> None:
    await change(worker, {"pool.runners": 3})
    await worker.push(*(nap(f"j{n}", 700) for n in range(12)))
    await worker.until(lambda: taken(worker) == 3 * PAGES)
    await change(worker, {"pool.runners": 1})
    await worker.until(lambda: len(worker.components.fleet.runners) == 1)
    await worker.answered(12, 30)
    assert {(result["status"], len(result["attempts"])) for result in worker.results.values()} == {("succeeded", 1)}


@pytest.mark.parametrize(
    "values",
    [
        {"pool.pages": 4},
        {"egress.ports": [443]},
        {"tenants.acme.egress": ["a.test"]},
        {"artifacts.on_failure": False},
        {"pool.recycle_seconds": 7},
    ],
    ids=str,
)
async def test_a_runner_with_other_terms_finishes_its_job_and_takes_no_more(
    worker: Echoes, values: Mapping[str, Any]
) -> None:
    await worker.push(nap("before", 600))
    await worker.until(lambda: taken(worker) == 1)
    (old,) = worker.components.fleet.runners
    await change(worker, values)
    assert old in worker.components.fleet.runners
    await worker.push(nap("after", 1))
    await worker.answered(2, 30)
    assert [worker.results[job]["status"] for job in ("before", "after")] == ["succeeded", "succeeded"]
    assert (worker.results["before"]["runner_id"], worker.results["after"]["runner_id"] != old) == (old, True)


async def test_a_setting_of_the_job_counts_from_the_next_attempt_on(worker: Echoes) -> None:
    await change(worker, {"jobs.max_retries": 0, "jobs.timeout_seconds": 0.3})
    await worker.push(nap("failing", 1, "fail", times=9), nap("slow", 60_000, fields={"max_retries": 0}))
    await worker.answered(2, 30)
    assert (worker.results["failing"]["status"], len(worker.results["failing"]["attempts"])) == ("failed", 1)
    assert worker.results["slow"]["status"] == "timed_out"


async def test_a_callback_is_accepted_once_the_tenant_may_have_it(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 16)
    own = {"tenants": {"acme": {"callback_secret_file": str(secret)}}}
    job = {"tenant_id": "acme", "endpoint_module": "test.nap", "payload": {"do": "echo", "ms": 1}}
    job["callback_url"] = "http://127.0.0.1:9/x"
    async with echoes(live_redis.url, live_redis, registry_key, more=own) as worker:
        await worker.client.rpush("pw:inbox", json.dumps({**job, "job_id": "a"}))
        await worker.answered(1, 30)
        assert worker.results["a"]["error"]["type"] == "callback_not_allowed"
        await change(worker, {"tenants.acme.callback_allow": ["http://127.0.0.1:9/*"]})
        await worker.client.rpush("pw:inbox", json.dumps({**job, "job_id": "b"}))
        await worker.answered(2, 30)
        assert worker.results["b"]["status"] == "succeeded"


async def test_a_flag_counts_from_the_next_job_on(worker: Echoes) -> None:
    await worker.push(nap("before", 1, "flags"))
    await worker.answered(1, 30)
    await change(worker, {"flags.new_cart.on": True, "flags.old.on": False})
    await worker.push(nap("after", 1, "flags"))
    await worker.answered(2, 30)
    flags = [worker.results[job]["data"]["flags"] for job in ("before", "after")]
    assert flags == [{}, {"new_cart": True, "old": False}]


async def test_results_are_kept_as_long_as_the_new_setting_says(worker: Echoes) -> None:
    await change(worker, {"results.ttl_seconds": 100})
    await worker.push(nap("j", 1))
    await worker.answered(1, 30)
    assert 0 < await worker.client.ttl("pw:result:acme:j") <= 100


async def test_a_worker_that_starts_uses_the_central_configuration(
    live_redis: RedisServer, registry_key: tuple[Path, str], worker: Echoes
) -> None:
    await change(worker, {"pool.runners": 3, "artifacts.link_seconds": 60})
    report = worker.worker.status().config
    assert (report.version, report.waiting_for_restart) == (1, ("artifacts.link_seconds",))
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="w2") as second:
        assert second.worker.status().config.waiting_for_restart == ()
        assert second.worker.status().config.version == 1
        assert second.components.fleet.capacity(99).runner_slots == 3


async def test_a_worker_for_which_the_version_is_invalid_claims_nothing_until_it_is_corrected(
    live_redis: RedisServer, registry_key: tuple[Path, str], worker: Echoes
) -> None:
    await change(worker, {"pool.runners": 20})
    narrow = {"sandbox": {"uids": 20}}
    async with echoes(
        live_redis.url, live_redis, registry_key, worker_id="w2", more=narrow, until_ready=False
    ) as second:
        await second.until(lambda: second.started)
        assert second.worker.ready() == (False, second.worker.status().reason)
        assert "sandbox.uids" in second.worker.status().reason
        await worker.push(*(nap(f"j{n}", 100) for n in range(6)))
        await worker.answered(6, 30)
        assert {result["worker_id"] for result in worker.results.values()} == {"w1"}
        await change(worker, {"pool.runners": 2})
        await second.until(lambda: second.worker.ready()[0])


async def test_with_central_off_a_worker_reads_its_file_alone(
    live_redis: RedisServer, registry_key: tuple[Path, str], worker: Echoes
) -> None:
    await change(worker, {"pool.runners": 3})
    off = {"config": {"central": "off"}}
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="w2", more=off) as second:
        assert second.worker.status().config.version == 0
        assert second.components.fleet.capacity(99).runner_slots == 1


async def test_a_lower_limit_governs_what_waits_already(worker: Echoes) -> None:
    await change(worker, {"pool.runners": 3})
    await worker.push(*(nap(f"j{n}", 400) for n in range(10)))
    await worker.until(lambda: taken(worker) == 3 * PAGES)
    await change(worker, {"pool.runners": 3, "tenants.acme.concurrency": 1})
    await worker.until(lambda: taken(worker) == 1)
    assert [(one.version if one else 0) for one in await worker.queue.limits.ids()] == [2]
    await worker.answered(10, 30)
