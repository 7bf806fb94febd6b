"""The inboxes of tenants on a real Redis Cluster: each in a slot of its own, on whichever primary that is."""

import asyncio
from typing import Any

from pw_intake import QUICK, Counter, job, of_tenants, open_counter
from pw_servers.cluster import Cluster

from pageworker_supervisor.intake.cluster_inboxes import ClusterInboxes
from pageworker_supervisor.intake.tenant_inboxes import BATCH_PER_TENANT
from pageworker_supervisor.intake.timing import IntakeTimeouts

TENANTS = ("acme", "rival", "third", "fourth")
RARELY = IntakeTimeouts(block_seconds=0.5, upkeep_seconds=1000.0, silent_seconds=1.0, forget_seconds=2.0)
"""Without an upkeep that would find what a notice did not tell."""


async def on_the_way(counter: Counter) -> list[Any]:
    """The keys of inboxes, processing lists and their registers."""
    found = []
    for pattern in ("pw:inbox:*", "{pw:inbox:*"):
        for keys in await counter.redis_client.send_to_primaries("KEYS", pattern):
            found += keys
    return found


async def pushed(counter: Counter, number: int) -> None:
    """A job to the list and one to the stream of each tenant."""
    for tenant in TENANTS:
        await counter.push_to(tenant, job(number, tenant))
        await counter.add_to(tenant, job(number + 1, tenant))


async def test_jobs_come_in_on_every_primary_also_after_a_failover(live_cluster: Cluster) -> None:
    """By notices alone: nothing else looks at the inboxes."""
    owners = {live_cluster.owner(live_cluster.slot(f"pw:inbox:{tenant}")).port for tenant in TENANTS}
    assert len(owners) > 1
    async with open_counter(live_cluster.url) as counter:
        await pushed(counter, 0)
        async with counter.intake(admission=of_tenants(*TENANTS), timing=RARELY):
            await counter.reached(8)
            await pushed(counter, 2)
            await counter.reached(16)
            first = live_cluster.owner(live_cluster.slot("pw:inbox:acme"))
            range_of = next(
                at for at, node in enumerate(live_cluster.nodes) if node is first or _replica(live_cluster, at) is first
            )
            await asyncio.to_thread(live_cluster.failover, range_of)
            await pushed(counter, 4)
            await counter.reached(24)
            slot = live_cluster.slot("pw:inbox:rival")
            away = next(node for node in live_cluster.primaries() if node is not live_cluster.owner(slot))
            await asyncio.to_thread(live_cluster.migrate_slot, slot, away)
            await pushed(counter, 6)
            await counter.reached(32)
        assert await on_the_way(counter) == []


def _replica(cluster: Cluster, at: int) -> Any:
    return cluster.replicas[at]


async def test_texts_of_a_dead_worker_are_adopted_and_a_lost_reply_loses_none(live_cluster: Cluster) -> None:
    async with open_counter(live_cluster.url) as counter:
        dead = ClusterInboxes(counter.redis_client, "pw", "dead", QUICK)
        await counter.push_to("acme", *(job(number) for number in range(BATCH_PER_TENANT + 1)))
        await counter.push_to("rival", job(0, "rival"))
        texts, rest = await dead.take(["acme", "none", "rival"])
        assert (len(texts), rest) == (BATCH_PER_TENANT + 1, {"acme"})
        assert sorted(await dead.taken.leftovers() + await dead.taken.leftovers()) == sorted(texts[:-1] * 2)
        await dead.taken.remove(texts[:1])

        restarted = ClusterInboxes(counter.redis_client, "pw", "dead", QUICK)
        await restarted.look(TENANTS)
        assert await restarted.taken.leftovers() == texts[1:-1]

        other = ClusterInboxes(counter.redis_client, "pw", "w2", QUICK)
        assert await other.look(TENANTS) == ({"acme"}, set())
        assert await other.taken.heartbeat() == [], "it has a heartbeat"
        await dead.taken.leave()
        assert await other.taken.heartbeat() == ["dead"]
        found = []
        while some := await other.taken.adopt("dead"):
            found += some
            await other.taken.remove(some)
        assert sorted(found) == sorted(texts[1:])
        await other.look(TENANTS)
        assert await other.taken.heartbeat() == []
        assert await on_the_way(counter) == [b"pw:inbox:acme"]
