"""The way in: once queued, the same id is the same job, whoever pushes it and however often."""

from pw_queue import DONE, QueueBench, everything, ticket
from pw_servers import RespProxy

from pageworker_supervisor.queue.options import QuotaLimits

from pageworker_supervisor.queue import QueueClient  # isort: skip


async def test_an_id_is_queued_once_in_one_call_and_over_several(desk: QueueBench) -> None:
    assert await desk.engine.enqueue([ticket("j1"), ticket("j1"), ticket("j2")]) == ["queued", "duplicate", "queued"]
    assert await desk.engine.enqueue([ticket("j2")]) == ["duplicate"]
    assert sorted(await desk.drain()) == ["j1", "j2"]


async def test_a_running_and_a_finished_job_are_still_the_same_job(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1")])
    lease = await desk.one()
    assert await desk.engine.enqueue([ticket("j1")]) == ["duplicate"]
    await desk.finish([lease])
    assert await desk.engine.enqueue([ticket("j1")]) == ["duplicate"]


async def test_the_id_is_free_again_when_its_result_is_gone(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1")])
    await desk.drain()
    ttl = await desk.client.pttl("pw:{0}:done:acme/j1")
    assert 0 < ttl <= 86_400_000
    await desk.client.delete("pw:{0}:done:acme/j1")  # what Redis does after that time
    assert await desk.engine.enqueue([ticket("j1")]) == ["queued"]


async def test_more_jobs_than_one_call_takes(desk: QueueBench) -> None:
    tickets = [ticket(f"j{number}", f"t{number % 7}") for number in range(500)]
    assert await desk.engine.enqueue(tickets) == ["queued"] * 500
    assert len(await desk.drain()) == 500


async def test_a_delayed_job_runs_no_earlier_and_then_at_once(desk: QueueBench) -> None:
    seconds, _ = await desk.client.time()
    await desk.engine.enqueue(
        [ticket("delay", delay_ms=5_000), ticket("instant", not_before_ms=(seconds + 8) * 1000), ticket("now")]
    )
    assert await desk.drain() == ["now"]
    await desk.later(4_000)
    assert await desk.drain() == []
    await desk.later(1_500)
    assert await desk.drain() == ["delay"]
    await desk.later(4_000)
    assert await desk.drain() == ["instant"]


async def test_an_expired_job_comes_as_a_verdict_even_from_the_middle_of_a_backlog(desk: QueueBench) -> None:
    seconds, _ = await desk.client.time()
    backlog = [ticket(f"j{number}", concurrency=1) for number in range(20)]
    await desk.engine.enqueue([*backlog, ticket("late", concurrency=1, expires_at_ms=(seconds + 5) * 1000)])
    running = await desk.one()
    await desk.later(6_000)
    expired = await desk.one()
    assert (expired.job_id, expired.verdict) == ("late", "expired")
    await desk.finish([running, expired])
    assert "late" not in await desk.drain()


async def test_a_started_job_does_not_expire(desk: QueueBench) -> None:
    seconds, _ = await desk.client.time()
    await desk.engine.enqueue([ticket("j1", expires_at_ms=(seconds + 5) * 1000)])
    lease = await desk.one()
    await desk.later(10_000)
    assert await desk.engine.retry(lease, 0, b"{}")
    assert (await desk.one()).verdict is None


async def test_a_lost_reply_queues_nothing_twice(desk: QueueBench, proxied_redis: RespProxy) -> None:
    from pw_queue import plain_client

    client = plain_client(proxied_redis.port)
    engine = QueueClient(client, client, options=desk.engine.options)
    proxied_redis.drop_reply(command="FCALL")
    assert await engine.enqueue([ticket("j1")]) == ["duplicate"], "said again, and known already"
    assert await desk.drain() == ["j1"]
    await client.aclose()


async def test_new_limits_reach_jobs_that_wait_already(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"j{number}", concurrency=1) for number in range(5)])
    running = await desk.take()
    assert len(running) == 1
    await desk.engine.set_limits({"acme": QuotaLimits(concurrency=3)})
    assert len(await desk.take()) == 2
    assert (await desk.engine.claim("w1", everything())).leases == ()
    assert await desk.engine.finish(running[0], DONE)
    assert len(await desk.take()) == 1
