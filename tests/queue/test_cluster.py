"""Several shards on a real Redis Cluster."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from pw_queue import DONE, JobEnd, QueueHarness, everything, finish_all, ref, ticket
from pw_servers import Cluster
from pw_worker.reports import worker_report
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from pageworker_supervisor.contract.batch import BatchRef, BatchSpec
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.dead_letters import DeadLetter
from pageworker_supervisor.queue.errors import SchemaMismatch
from pageworker_supervisor.queue.fleet_workers import drain_of_tag
from pageworker_supervisor.queue.functions import packed
from pageworker_supervisor.queue.library import SCHEMA_VERSION
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.pauses import PauseKind
from pageworker_supervisor.queue.producer import QuotaLimits
from pageworker_supervisor.queue.retention import retention_request
from pageworker_supervisor.queue.wakeup import ConfigNotice, ReportNotice
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.cluster import ClusterClient
from pageworker_supervisor.redis_client.errors import NotReplicated, RedisRefused, RedisUnavailable
from pageworker_supervisor.redis_client.router import shard_of

SHARDS = 4
TENANTS = [f"t{n}" for n in range(12)]


@pytest.fixture
async def harness(live_cluster: Cluster) -> AsyncIterator[QueueHarness]:
    clients = [
        ClusterClient("127.0.0.1", live_cluster.nodes[0].port, retry=Retry(NoBackoff(), 0), socket_timeout=None)
        for _ in range(2)
    ]
    queue = QueueClient(Router(*clients), shards=SHARDS, options=QueueOptions(test_clock=True))
    await queue.load()
    opened = QueueHarness(queue, clients[0])
    yield opened
    assert await queue.inspection.check_consistency() == []
    for client in clients:
        await client.aclose()


async def test_jobs_go_through_all_shards_and_their_results_can_be_read(harness: QueueHarness) -> None:
    assert {shard_of(tenant, SHARDS) for tenant in TENANTS} == set(range(SHARDS))
    await harness.producer.enqueue([ticket(f"{tenant}-{n}", tenant) for tenant in TENANTS for n in range(10)])
    done = []
    while leases := await harness.take(capacity=everything(7)):
        assert len(leases) <= 7
        await harness.finish(leases)
        done += leases
    assert len({lease.job_id for lease in done}) == 120
    assert {lease.shard for lease in done} == set(range(SHARDS))
    assert len(await harness.results()) == 120
    assert await harness.inspection.result(ref("t0-0", "t0")) == DONE["result"]
    assert sum(shard.outbox_entries for shard in await harness.inspection.stats()) == 0, (
        "keys are written, nothing else promised"
    )


async def test_the_outbox_writes_the_key_that_a_dead_worker_did_not(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1"), ticket("j2")])
    plain, called = await harness.take()
    shard = shard_of("acme", SHARDS)
    for lease, url in ((plain, ""), (called, "http://n8n.test/")):
        # Only the function; the worker dies before it writes the key.
        retention = retention_request(harness.queue.options, cluster=True)
        job = {"ref": str(lease.ref), "token": lease.token, "status": "succeeded", "result": "result", "events": []}
        if url:
            job["callback_url"] = url
        words = (1, f"pw:{{{shard}}}", packed(retention=retention, **job))
        node = harness.client.get_node_from_key(f"pw:{{{shard}}}")
        await harness.client.execute_command("FCALL", harness.queue.function("finish"), *words, target_nodes=node)
    assert await harness.inspection.result(ref("j1")) is None
    (promise,) = await harness.outbox.take(10, 0)
    assert promise.ref.job_id == "j2"
    assert await harness.inspection.result(ref("j1")) == await harness.inspection.result(ref("j2")) == b"result"
    await harness.outbox.done([promise])
    assert sum(one.outbox_entries for one in await harness.inspection.stats()) == 0


async def test_a_promise_is_ticked_off_once_the_replicas_have_the_key(
    harness: QueueHarness, live_cluster: Cluster
) -> None:
    """The key lies on another node than the promise: a failover there would lose what no worker writes again."""
    home = live_cluster.owner(live_cluster.slot(f"pw:{{{shard_of('acme', SHARDS)}}}"))
    owners = ((f"j{n}", live_cluster.owner(live_cluster.slot(f"pw:result:acme:j{n}"))) for n in range(100))
    job_id, away = next((name, owner) for name, owner in owners if owner is not home)
    everybody = [*live_cluster.nodes, *live_cluster.replicas]
    follower = next(node for node in everybody if node.command("ROLE")[2] == away.port)
    await harness.producer.enqueue([ticket(job_id)])
    lease = await harness.one()
    follower.pause()
    try:
        with pytest.raises(NotReplicated):
            await _settling(harness, 0.1).consumer.finish(lease, **DONE)
        assert sum(one.outbox_entries for one in await harness.inspection.stats()) == 1
    finally:
        follower.resume()
    assert await _settling(harness, 5).consumer.finish(lease, **DONE)
    assert sum(one.outbox_entries for one in await harness.inspection.stats()) == 0


def _settling(harness: QueueHarness, wait_seconds: float) -> QueueClient:
    options = QueueOptions(test_clock=True, replicas=1, replica_wait_seconds=wait_seconds)
    return QueueClient(Router(harness.client, harness.client), shards=SHARDS, options=options)


async def test_a_push_to_any_shard_wakes_the_worker(harness: QueueHarness) -> None:
    for n, tenant in enumerate(TENANTS[:6]):
        assert not await harness.take("w1")
        while (await harness.consumer.wait("w1", 0.01)).work:
            await harness.take("w1")
        async with asyncio.timeout(1.8), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(harness.consumer.wait("w1", 5))
            await asyncio.sleep(0)
            await harness.producer.enqueue([ticket(f"j{n}", tenant)])
        assert waiting.result().work
        assert await harness.drain("w1") == [f"j{n}"]


async def test_a_cluster_of_which_no_node_answers_is_away() -> None:
    """What the client raises then is no RedisError of its."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clients = [ClusterClient("127.0.0.1", port, retry=Retry(NoBackoff(), 0)) for _ in range(2)]
    queue = QueueClient(Router(*clients), shards=SHARDS, options=QueueOptions(replicas=1))
    for call in (
        queue.inspection.stats(),
        queue.consumer.wait("w1", 1),
        queue.producer.enqueue([ticket("j1")]),
        queue.inspection.result(ref("j1")),
    ):
        with pytest.raises(RedisUnavailable):
            await call


async def test_a_shard_that_refuses_is_told_as_it_is(harness: QueueHarness) -> None:
    """Callers look for RedisUnavailable and RedisRefused, not for groups of them."""
    key = f"pw:{{{SHARDS - 1}}}:control:w1"
    await harness.client.set(key, "no list")
    with pytest.raises(RedisRefused, match="WRONGTYPE"):
        await harness.consumer.wait("w1", 5)
    await harness.client.delete(key)


async def test_a_word_is_heard_though_others_cannot_be_told(harness: QueueHarness, live_cluster: Cluster) -> None:
    """At maxmemory the first to hear something cannot nudge the shards that sleep on."""
    await harness.client.rpush("pw:{0}:wake:slots", "work")
    try:
        for node in live_cluster.nodes:
            node.command("CONFIG", "SET", "maxmemory", "1mb")
        assert (await harness.consumer.wait("w1", 5)).work
    finally:
        for node in live_cluster.nodes:
            node.command("CONFIG", "SET", "maxmemory", "0")


async def test_a_domains_limit_is_shared_out_over_the_shards(harness: QueueHarness) -> None:
    four = QuotaLimits(concurrency=SHARDS * 2)
    await harness.producer.enqueue(
        [ticket(f"{tenant}-{n}", tenant, domain="x.test", domain_limits=four) for tenant in TENANTS for n in range(10)]
    )
    assert len(await harness.take()) == SHARDS * 2


async def test_while_a_slot_moves_nothing_is_half_done(harness: QueueHarness, live_cluster: Cluster) -> None:
    """A function would find some of its keys on the old node and some on the new one."""
    tenant = "acme"
    shard = shard_of(tenant, SHARDS)
    await harness.producer.enqueue([ticket(f"j{n}", tenant, domain="x.test") for n in range(20)])
    leases = await harness.take(capacity=everything(5))
    slot = live_cluster.slot(f"pw:{{{shard}}}")
    source = live_cluster.owner(slot)
    target = next(node for node in live_cluster.nodes if node is not source)
    live_cluster.start_migration(slot, target)
    keys = source.command("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys[::2])
    with pytest.raises(RedisUnavailable):
        await harness.consumer.finish(leases[0], **DONE)
    with pytest.raises(RedisUnavailable):
        await harness.producer.enqueue([ticket("more", tenant)])
    live_cluster.migrate_slot(slot, target)
    await harness.finish(leases)
    assert len(await harness.drain()) == 15
    assert len(await harness.results()) == 20


async def test_a_cancelled_function_call_leaves_no_reply(harness: QueueHarness, live_cluster: Cluster) -> None:
    """redis-py#2624: on connections that are taken by hand, too."""
    queue = QueueClient(
        Router(harness.client, harness.client), shards=SHARDS, options=QueueOptions(test_clock=True, replicas=1)
    )
    assert await queue.producer.enqueue([ticket("first", "t0")]) == ["queued"]
    node = live_cluster.owner(live_cluster.slot(f"pw:{{{shard_of('t0', SHARDS)}}}"))
    node.command("CLIENT", "PAUSE", 60_000, "WRITE")
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await queue.producer.enqueue([ticket("a", "t0"), ticket("b", "t0")])
    finally:
        node.command("CLIENT", "UNPAUSE")
    assert await queue.producer.enqueue([ticket("c", "t0")]) == ["queued"]


async def test_a_rejected_text_is_answered_on_its_tenants_shard(harness: QueueHarness) -> None:
    assert await harness.producer.reject(b"{", "broken", ref("j1", TENANTS[0]), b"rejected", "http://n8n.test/")
    assert await harness.inspection.result(ref("j1", TENANTS[0])) == b"rejected"
    (promise,) = await harness.outbox.take(10, 0)
    assert promise.ref.job_id == "j1"


async def test_letters_of_all_shards_are_listed(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"{tenant}-0", tenant) for tenant in TENANTS])
    ending = JobEnd(status="failed", result=b"{}", dead_letter=b"{}")
    while leases := await harness.take():
        assert await finish_all(harness.consumer, leases, ending)
    seen: list[DeadLetter] = []
    cursor = None
    while True:
        page = await harness.dead_letters.page(2, cursor)
        seen += page.letters
        cursor = page.cursor
        if cursor is None:
            break
    assert len({letter.job_id for letter in seen}) == len(TENANTS)
    assert set((await harness.dead_letters.retry([letter.id for letter in seen])).values()) == {"queued"}
    assert len(await harness.drain()) == len(TENANTS)


async def test_the_newest_result_keeps_the_key_against_a_worker_that_writes_late(harness: QueueHarness) -> None:
    """A rejected text frees its id; the worker that stored the rejection may write the key late."""
    shard = shard_of("acme", SHARDS)
    assert await harness.producer.reject(b"no job", "why", ref("j1"), b"rejected", "http://n8n.test/", "first")
    (late,) = await harness.outbox.take(10, 0)
    await harness.producer.enqueue([ticket("j1")], "second")
    await harness.finish([await harness.one()])
    assert await harness.inspection.result(ref("j1")) == DONE["result"]
    await harness.outbox.put_result(shard, late.id, ref("j1"), b"rejected")
    assert await harness.inspection.result(ref("j1")) == DONE["result"]


async def test_a_push_of_an_ended_job_gets_its_result_on_a_cluster(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")], "first")
    await harness.finish([await harness.one()])
    again = ticket("j1", body=b"another text", callback="http://n8n.test/2")
    assert await harness.producer.enqueue([again], "second") == ["duplicate"]
    (promise,) = await harness.outbox.take(10, 0)
    assert (promise.ref, promise.callback_url, promise.result) == (ref("j1"), "http://n8n.test/2", DONE["result"])


async def test_another_schema_on_one_shard_is_refused(harness: QueueHarness) -> None:
    """Which shard, and both versions."""
    await harness.producer.enqueue([ticket("j1", TENANTS[0])])
    home = shard_of(TENANTS[0], SHARDS)
    await harness.client.hset(f"pw:{{{home}}}:meta", "schema", SCHEMA_VERSION + 1)
    with pytest.raises(SchemaMismatch, match=rf"pw:\{{{home}\}} has schema version {SCHEMA_VERSION + 1}, this worker"):
        await harness.queue.load()
    await harness.client.hset(f"pw:{{{home}}}:meta", "schema", SCHEMA_VERSION)
    await harness.queue.load()
    assert await harness.drain() == ["j1"]


async def test_the_central_configuration_is_on_one_shard(harness: QueueHarness) -> None:
    store = harness.queue.config
    await harness.consumer.register_worker("w1")
    empty = (await store.state()).digest
    await store.look("w1", 0, empty)
    assert await store.propose("p1", 0, {"pool.runners": "3"}, "me", "because") == "open"
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(store.wait_outcome("p1", 5))
        await store.vote("w1", (await store.look("w1", 0, empty)).id, [])
        await waiting
    outcome = await store.outcome("p1")
    assert outcome is not None
    assert outcome.agreed == {"w1": True}
    assert [version.version for version in await store.history(5)] == [1]
    assert (await harness.consumer.wait("w1", 5)).control == (ConfigNotice(), ConfigNotice())


async def test_reports_and_stored_drains_are_on_one_shard(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    report = worker_report("w1", "eu")
    await harness.consumer.register_worker(report.name)
    assert (await workers.report(report)).drain is None
    stored = await workers.store_drain(
        drain_of_tag("eu"), "d1", 60.0, else_seconds=1.0, who="me", reason="", cancel=False
    )
    assert stored.workers == (report.name,)
    assert (await harness.consumer.wait(report.name, 10.0)).control == (ReportNotice(),)
    assert (await workers.report(report)).drain == stored.drain
    assert [heard.name for heard in (await workers.everyone()).workers] == [report.name]
    await harness.consumer.forget_worker(report.name)
    page = await workers.everyone()
    assert (page.workers, page.drains) == ((), (stored.drain,))


@pytest.mark.parametrize("kind", ["module", "domain"])
async def test_a_module_or_domain_is_paused_on_every_shard(harness: QueueHarness, kind: PauseKind) -> None:
    """A shard that refuses is named, and the same call again pauses it there too."""
    name = {"module": "shop.product", "domain": "shop.test"}[kind]
    jobs = [ticket("j", tenant, module=("shop.product", None), domain="shop.test") for tenant in TENANTS]
    await harness.producer.enqueue(jobs)
    key = f"pw:{{{SHARDS - 1}}}:paused"
    await harness.client.set(key, "no hash")
    change = await harness.queue.pauses.pause(kind, name, "why", "ann", for_seconds=60)
    assert list(change.failed) == [SHARDS - 1]
    assert "WRONGTYPE" in change.failed[SHARDS - 1]
    leases = await harness.take()
    assert {lease.shard for lease in leases} == {SHARDS - 1}
    await harness.finish(leases)
    await harness.client.delete(key)
    await harness.producer.enqueue(
        [ticket("k", tenant, module=("shop.product", None), domain="shop.test") for tenant in TENANTS]
    )
    assert (await harness.queue.pauses.pause(kind, name, "why", "ann", for_seconds=60)).failed == {}
    assert await harness.take() == []
    (view,) = await harness.queue.pauses.all()
    assert (view.kind, view.name, view.shards) == (kind, name, tuple(range(SHARDS)))
    assert (await harness.queue.pauses.unpause(kind, name, "ann")).changed
    assert len(await harness.take()) == 2 * len(TENANTS) - len(leases)


async def test_a_tenant_is_paused_on_its_own_shard(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j", tenant) for tenant in TENANTS])
    await harness.queue.pauses.pause("tenant", TENANTS[5], "why", "ann")
    assert [stats.paused["tenant"] for stats in await harness.inspection.stats()].count(1) == 1
    assert {lease.tenant_id for lease in await harness.take()} == set(TENANTS) - {TENANTS[5]}


async def test_a_batch_is_counted_on_the_shard_of_its_tenant(harness: QueueHarness) -> None:
    batches = harness.queue.batches
    for tenant in TENANTS:
        spec = BatchSpec(batch_id="b", size=3, callback_url="https://n8n.test/", deadline_seconds=60)
        assert await batches.open(tenant, spec) == "opened"
    await harness.producer.enqueue([ticket(f"j{n}", tenant, batch_id="b") for tenant in TENANTS for n in range(3)])
    late = TENANTS[0]
    for lease in await harness.take(capacity=everything(100)):
        if (lease.tenant_id, lease.job_id) != (late, "j1"):
            assert await harness.consumer.finish(lease, **DONE)
    await harness.later(60_000)
    await harness.consumer.reap()
    views = [await batches.show(BatchRef(tenant, "b")) for tenant in TENANTS]
    assert [view and view.reason for view in views] == ["deadline", *["all_ended"] * (len(TENANTS) - 1)]
    taken = [entry for entry in await harness.outbox.take(200, 0) if entry.is_batch]
    assert sorted(entry.idempotency_key for entry in taken) == sorted(f"{tenant}:batch:b" for tenant in TENANTS)
    found, cursor = [], None
    while True:
        page = await batches.page(2, cursor)
        found += [view.tenant_id for view in page.batches]
        if (cursor := page.cursor) is None:
            break
    assert sorted(found) == sorted(TENANTS)
