"""A whole worker: running jobs are kept alive and may finish; jobs that do not run take no page."""

import asyncio
import datetime as dt
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chaos.echo import EchoComponents
from pw_daemon.usual_modules import MODULES
from pw_queue import blocked, ref
from pw_servers import RedisServer, RespProxy
from pw_worker import PAGES, Echoes, echoes, nap

from pageworker_demo.workspace import publish
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.status import DrainLine
from pageworker_supervisor.dispatch import attempt as attempt_file
from pageworker_supervisor.dispatch.attempt import Attempt
from pageworker_supervisor.dispatch.handler_stop import answer_in_time
from pageworker_supervisor.dispatch.running_calls import RunningCalls
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.views import JobView
from pageworker_supervisor.task_supervision import TaskExitedUnexpectedly

DEADLINE = b"\npageworker_drain_deadline_timestamp_seconds "


async def test_a_drain_lets_everything_finish_that_runs(worker: Echoes) -> None:
    """docker-selenium#1423: scaling down killed nodes that were at work."""
    # The first page becomes free long before the last: there is time to claim a job that must not be claimed.
    await worker.push(*(nap(f"j{n}", 150 + 300 * n) for n in range(PAGES + 3)))
    await worker.until(lambda: len(worker.components.dispatcher.attempts) == PAGES)
    lines = [line.event async for line in worker.worker.drain(10)]
    assert lines == [*["waiting"] * PAGES, *["ended"] * PAGES, "done"]
    await worker.answered(PAGES)
    assert {(result["status"], len(result["attempts"])) for result in worker.results.values()} == {("succeeded", 1)}
    (stats,) = await worker.queue.inspection.stats()
    assert (stats.queued, stats.running) == (3, 0), "it takes nothing more"


async def test_what_is_left_at_the_drains_deadline_is_requeued_uncharged(worker: Echoes) -> None:
    await worker.push(nap("j1", 60_000))
    await worker.until(lambda: bool(worker.components.dispatcher.attempts))
    assert b"pageworker_draining 0.0" in worker.metrics()
    async with asyncio.timeout(5):
        assert [line.event async for line in worker.worker.drain(0.1)] == ["waiting", "requeued", "deadline"]
    assert b"pageworker_draining 1.0" in worker.metrics()
    assert DEADLINE not in worker.metrics(), "it is done"
    (view,) = (await worker.queue.inspection.jobs()).jobs
    assert (view.state, view.crashes) == ("queued", 0)


async def test_a_claim_under_way_when_the_drain_begins_is_waited_for(
    live_redis: RedisServer, proxied_redis: RespProxy, registry_key: tuple[Path, str]
) -> None:
    """The drain reported that it was done. Then the claim's reply came, and the jobs ran."""
    async with echoes(proxied_redis.url, live_redis, registry_key) as worker:
        await worker.push(nap("before", 1))
        await worker.answered(1)
        await worker.until(lambda: not worker.components.dispatcher.busy)
        proxied_redis.delay(0.4)
        await worker.push(nap("j1", 60_000))
        while [view.state for view in (await worker.queue.inspection.jobs()).jobs] != ["running"]:
            await worker.turn()
        assert not worker.components.dispatcher.attempts, "the reply is still under way"
        assert [line.event async for line in worker.worker.drain(10)] == ["done"]
        (view,) = (await worker.queue.inspection.jobs()).jobs
        assert (view.state, view.crashes) == ("queued", 0)
        assert not worker.components.dispatcher.busy
        proxied_redis.heal()


async def test_undrain_cancels_a_drain(worker: Echoes) -> None:
    await worker.push(nap("j1", 500))
    await worker.until(lambda: bool(worker.components.dispatcher.attempts))
    async with asyncio.TaskGroup() as tasks:
        drain = tasks.create_task(collected(worker.worker.drain(0.2)))
        await worker.until(lambda: worker.components.dispatcher.draining)
        assert DEADLINE in worker.metrics()
        await worker.worker.undrain()
        assert DEADLINE not in worker.metrics()
        assert b"pageworker_draining 0.0" in worker.metrics()
    assert drain.result() == ["waiting", "cancelled"]
    await worker.answered(1)
    assert len(worker.results["j1"]["attempts"]) == 1, "nothing was requeued"


async def test_two_drains_at_once_both_have_an_end(worker: Echoes) -> None:
    await worker.push(nap("j1", 100))
    await worker.until(lambda: bool(worker.components.dispatcher.attempts))
    async with asyncio.TaskGroup() as tasks:
        drains = [tasks.create_task(collected(worker.worker.drain(10))) for _ in range(2)]
    assert [drain.result()[-1] for drain in drains] == ["done", "done"]


async def collected(drain: AsyncIterator[DrainLine]) -> list[str]:
    """Its events."""
    events: list[str] = []
    try:
        async for line in drain:
            events.append(line.event)
    except WorkerRefused:
        events.append("cancelled")
    return events


async def test_a_job_outlives_many_leases(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    """kombu#337: it would be reclaimed, and run beside itself."""
    async with echoes(live_redis.url, live_redis, registry_key, lease_ms=500) as worker:
        await worker.push(nap("long", 2_500))
        await worker.answered(1)
        assert (await worker.queue.inspection.stats())[0].running == 0
        assert len(worker.results["long"]["attempts"]) == 1


async def test_a_worker_that_lost_its_lease_stops_the_work(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    """taskiq-redis#123: two ran the same job, and neither knew."""
    async with echoes(live_redis.url, live_redis, registry_key, lease_ms=600) as worker:
        await worker.push(nap("j1", 60_000))
        await worker.until(lambda: any(runner.running for runner in worker.components.fleet.runners.values()))
        (lease,) = worker.components.dispatcher.leases
        (view,) = (await worker.queue.inspection.jobs()).jobs
        assert await worker.queue.consumer.disown_worker(view.worker_id or "") == 1
        await worker.until(lambda: lease.token not in worker.components.dispatcher.attempts)
        assert b'pageworker_leases_lost_total{tenant="other"} 1.0' in worker.metrics()


async def test_a_profile_whose_lock_is_lost_is_closed_and_its_job_runs_again_uncharged(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker may open the profile from then on."""
    monkeypatch.setattr(EchoComponents, "locks", tmp_path)
    async with echoes(live_redis.url, live_redis, registry_key, lease_ms=600) as worker:
        of_profile = nap("j1", 60_000, fields={"profile_id": "p1"})
        await worker.push(msgspec.structs.replace(of_profile, profile_id="p1"))
        runners = worker.components.fleet.runners
        await worker.until(lambda: any(runner.running for runner in runners.values()))
        (before,) = runners.values()
        (view,) = (await worker.queue.inspection.jobs()).jobs
        assert await worker.queue.consumer.release_profile(view.worker_id or "", "acme", "p1", before.fence or 0)
        await worker.until(lambda: any(each is not before and each.running for each in runners.values()))
        assert before.runner_id not in runners
        (view,) = (await worker.queue.inspection.jobs()).jobs
        assert (view.state, view.crashes, view.attempts_used) == ("running", 0, 0)


async def test_a_job_that_opens_no_profile_leaves_no_lock(worker: Echoes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the job releases it, at no further call."""
    calls: list[str] = []

    async def release_profile(self: JobConsumer, worker_id: str, tenant_id: str, profile_id: str, fence: int) -> bool:
        calls.append(profile_id)
        return True

    monkeypatch.setattr(JobConsumer, "release_profile", release_profile)
    await worker.push(msgspec.structs.replace(nap("bad", 1, module="no.such"), profile_id="p1"))
    await worker.answered(1)
    (stats,) = await worker.queue.inspection.stats()
    assert stats.profiles_held == 0
    await worker.push(nap("good", 1))
    await worker.answered(2)
    assert calls == []


async def test_a_job_that_never_ran_gives_its_page_back(worker: Echoes) -> None:
    """browserless#1423: slots counted as busy that had no session."""
    await worker.push(*(nap(f"bad{n}", 1, module="no.such") for n in range(3 * PAGES)))
    await worker.answered(3 * PAGES)
    assert {result["status"] for result in worker.results.values()} == {"rejected"}
    await worker.push(nap("good", 1))
    await worker.answered(3 * PAGES + 1)
    await worker.until(lambda: not any(runner.taken for runner in worker.components.fleet.runners.values()))


async def test_a_page_that_falls_free_is_used_at_once(worker: Echoes) -> None:
    """docker-selenium#2169: jobs waited, and slots were free."""
    await worker.push(*(nap(f"j{n}", 50) for n in range(5 * PAGES)))
    await worker.answered(5 * PAGES, seconds=3)


async def test_a_runner_that_died_takes_no_place(worker: Echoes) -> None:
    """browserless#1423, and changedetection.io#3804: a job stayed "running" whose browser was gone."""
    await worker.push(*(nap(f"j{n}", 300) for n in range(PAGES)))
    await worker.until(lambda: any(len(runner.running) == PAGES for runner in worker.components.fleet.runners.values()))
    worker.components.echo.hit(None)
    await worker.answered(PAGES)
    assert {len(result["attempts"]) for result in worker.results.values()} == {2}


async def test_a_runner_that_hears_nothing_does_not_outlast_its_jobs_time(worker: Echoes) -> None:
    await worker.push(nap("j1", 60_000, fields={"timeout_seconds": 0.3, "max_retries": 0}))
    await worker.until(lambda: any(runner.running for runner in worker.components.fleet.runners.values()))
    worker.components.echo.hit(60)
    await worker.answered(1, seconds=5)
    assert worker.results["j1"]["status"] == "timed_out"
    assert (await worker.queue.inspection.stats())[0].running == 0


async def test_a_job_whose_work_ends_in_silence_ends_the_worker(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with echoes(live_redis.url, live_redis, registry_key) as worker:
            await worker.push(nap("j1", 60_000))
            await worker.until(lambda: any(runner.running for runner in worker.components.fleet.runners.values()))
            (running,) = (one for runner in worker.components.fleet.runners.values() for one in runner.running.values())
            running.done.cancel()
            await asyncio.Event().wait()
    assert caught.group_contains(TaskExitedUnexpectedly, match="job acme/j1")


@pytest.mark.parametrize("where", ["before", "while"])
async def test_a_bug_in_an_attempt_ends_its_job_and_not_the_worker(
    worker: Echoes, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """`where`: before or while the handler runs."""
    admit, answer = Attempt._admit, answer_in_time

    async def admit_or_fail(attempt: Attempt, *arguments: Any) -> Any:
        if attempt.job.job_id == "bad":
            raise KeyError("a bug")
        return await admit(attempt, *arguments)

    async def answer_or_fail(page: Any, message: Any, bundle: Any, grace_seconds: float, stop: Any) -> Any:
        if stop.__self__.job.job_id != "bad":
            return await answer(page, message, bundle, grace_seconds, stop)
        async with asyncio.TaskGroup() as tasks:
            sent = tasks.create_task(page.runner.run(page, message, bundle))
            await worker.until(lambda: stop.__self__.begun)
            sent.cancel()
        raise KeyError("a bug")

    if where == "before":
        monkeypatch.setattr(Attempt, "_admit", admit_or_fail)
    else:
        monkeypatch.setattr("pageworker_supervisor.dispatch.attempt.answer_in_time", answer_or_fail)
    await worker.push(nap("bad", 60_000), nap("good", 1))
    await worker.answered(2, seconds=20)
    assert worker.results["good"]["status"] == "succeeded"
    assert worker.results["bad"]["status"] == "dead"
    assert [attempt["outcome"] for attempt in worker.results["bad"]["attempts"]] == ["lost"] * 3
    await worker.until(lambda: not any(runner.running for runner in worker.components.fleet.runners.values()))


def fails(*_: object, **__: object) -> Any:
    raise KeyError("a bug")


async def test_a_bug_while_a_job_is_ended_without_running_does_not_end_the_worker(
    worker: Echoes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.push(*(nap(f"busy-{n}", 300) for n in range(PAGES)), nap("bad", 1))
    await worker.until(lambda: len(worker.components.dispatcher.attempts) == PAGES)
    with monkeypatch.context() as patch:
        patch.setattr(attempt_file, "end_without_running", fails)
        assert await worker.queue.inspection.cancel(ref("bad")) == "cancelled"
        await worker.push(nap("good", 1))
        await worker.answered(PAGES + 1)
    assert "bad" not in worker.results, "its lease must run out first"
    assert not worker.components.dispatcher.closing


async def test_a_bug_while_the_begin_is_told_does_not_end_the_worker(
    worker: Echoes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunningCalls, "begun", fails)
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    expiring = nap("expiring", 100, fields={"expires_at": soon})
    await worker.push(msgspec.structs.replace(expiring, expires_at_ms=int(time.time() * 1000) + 3_600_000))
    await worker.answered(1)
    assert worker.results["expiring"]["status"] == "succeeded"


async def test_a_bug_while_a_late_claim_is_requeued_does_not_end_the_worker(
    live_redis: RedisServer, proxied_redis: RespProxy, registry_key: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with echoes(proxied_redis.url, live_redis, registry_key) as worker:
        await worker.push(nap("before", 1))
        await worker.answered(1)
        await worker.until(lambda: not worker.components.dispatcher.busy)
        proxied_redis.delay(0.4)
        await worker.push(nap("j1", 1))
        while [view.state for view in (await worker.queue.inspection.jobs()).jobs] != ["running"]:
            await worker.turn()
        with monkeypatch.context() as patch:
            patch.setattr(Settlement, "requeue", fails)
            assert [line.event async for line in worker.worker.drain(10)] == ["done"]
        proxied_redis.heal()
        await worker.worker.undrain()
        await worker.push(nap("after", 1))
        await worker.answered(2)
        assert worker.results["after"]["status"] == "succeeded"


async def test_what_was_pushed_while_redis_was_away_is_not_slept_through(
    live_redis: RedisServer, proxied_redis: RespProxy, registry_key: tuple[Path, str]
) -> None:
    """celery#8030, bullmq#2466: after a failover the consumer was connected, and took nothing."""
    async with echoes(proxied_redis.url, live_redis, registry_key) as worker:
        await worker.push(nap("before", 1))
        await worker.answered(1)
        await worker.until(lambda: worker.components.fleet.next_evictable_in() is None)
        await blocked(worker.client, 1)
        proxied_redis.cut()
        await worker.until(lambda: not worker.worker.ready()[0])
        await worker.push(nap("meanwhile", 1))
        tokens = [key async for key in worker.client.scan_iter("pw:{0}:wake:*")]
        await worker.client.delete(*tokens)  # as Redis does after five seconds
        proxied_redis.heal()
        await worker.answered(2, seconds=3)  # less than the fleet's own check every five seconds


async def test_a_job_of_another_version_is_deferred_with_the_reason_and_can_be_cancelled(worker: Echoes) -> None:
    """A rolling update: a newer worker queued a job with a field that this version does not know."""
    (view,) = await queued_by_another_version(worker, "j1")
    assert (view.state, view.crashes) == ("delayed", 0)
    assert view.why is not None
    assert "update the worker" in view.why
    assert "field_of_tomorrow" in view.why
    await worker.push(nap("j2", 1))
    await worker.answered(1)
    assert await worker.queue.inspection.cancel(ref("j1")) == "cancelled"
    await worker.answered(2)
    assert worker.results["j1"]["status"] == "cancelled"


async def queued_by_another_version(worker: Echoes, job_id: str) -> tuple[JobView, ...]:
    """Queue a job as that version does, and wait until this worker has tried it. Returns what is then listed."""
    job = nap(job_id, 1)
    body = msgspec.json.encode({**msgspec.json.decode(job.body), "field_of_tomorrow": 1})
    await worker.push(msgspec.structs.replace(job, body=body))
    async with asyncio.timeout(10):
        while True:
            views = (await worker.queue.inspection.jobs()).jobs
            if any(view.why for view in views):
                return views
            await worker.turn()


async def test_a_modules_own_time_goes_over_the_setting_and_under_the_jobs(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    hurried = tmp_path / "test_nap"
    shutil.copytree(MODULES / "test_nap", hurried)
    text = (hurried / "module.toml").read_text()
    (hurried / "module.toml").write_text(text.replace("[input]", "timeout_seconds = 0.3\n[input]"))
    key, _ = await publish([hurried], tmp_path / "registry")
    async with echoes(live_redis.url, live_redis, (tmp_path / "registry", key)) as worker:
        await worker.push(
            nap("module", 60_000, fields={"max_retries": 0}),
            nap("job", 1_000, fields={"max_retries": 0, "timeout_seconds": 50}),
        )
        await worker.answered(2, 30)
        assert {name: result["status"] for name, result in worker.results.items()} == {
            "module": "timed_out",
            "job": "succeeded",
        }
