"""What waits in the inboxes of tenants, on a real Redis and on a real Redis Cluster."""

import time

import pytest
from pw_servers import RedisServer
from pw_servers.cluster import Cluster
from scaling.conftest import FleetClients, fleet_clients

from pageworker_supervisor.config.ingress_settings import IngressSettings
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.scaling.fleet_watch import FleetWatch
from pageworker_supervisor.scaling.reader import FleetReader
from pageworker_supervisor.scaling.tenant_backlog import inbox_tenants

NAMED = {"acme": TenantSettings(), "rival": TenantSettings(), "shop-*": TenantSettings()}


async def push(fleet: FleetClients) -> None:
    """Two texts and one entry; one text that a silent worker took; keys of other types."""
    now = int((await fleet.redis_client.send("TIME", key=""))[0])
    await fleet.send("RPUSH", "pw:inbox:acme", "a", "b")
    await fleet.send("XADD", "pw:jobs:rival", f"{now - 4}000-0", "job", "{}")
    await fleet.send("SET", "pw:jobs:acme", "no stream")
    if fleet.redis_client.is_cluster:
        await fleet.send("SADD", "{pw:inbox:rival}:workers", "dead", "alive")
        for worker, heard in (("dead", now - 100), ("alive", now)):
            await fleet.send("ZADD", "{pw:inbox}:tenants:workers", heard, worker)
            await fleet.send("RPUSH", f"{{pw:inbox:rival}}:processing:{worker}", "c")
        return
    for worker, heard in (("dead", now - 100), ("alive", now)):
        await fleet.send("ZADD", "{pw:inbox}:tenants:workers", heard, worker)
        await fleet.send("RPUSH", f"{{pw:inbox}}:tenants:processing:{worker}", "rival c")


async def see_all(fleet: FleetClients) -> None:
    reading = FleetReader(fleet.redis_client, fleet.queue, fleet.settings)
    await fleet.queue.load()
    await push(fleet)
    first = await reading.read()
    assert (first.jobs["inbox"], first.jobs["stream"], first.load.waiting) == (3, 1, 4)
    assert 3 <= first.oldest_seconds["stream"] < 60
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        second = await reading.read()
    assert 0.15 < second.oldest_seconds["inbox"] < 30
    await fleet.send("LPOP", "pw:inbox:acme")
    assert (await reading.read()).oldest_seconds["inbox"] < second.oldest_seconds["inbox"]


async def test_what_waits_in_inboxes_is_load_that_starts_a_worker(live_redis: RedisServer) -> None:
    async with fleet_clients(live_redis.url, tenants=NAMED, max_workers=5) as fleet:
        assert (
            await FleetWatch(fleet.redis_client, fleet.queue, fleet.settings).look(keep=False)
        ).decision.wanted_workers == 0
        await see_all(fleet)
        look = await FleetWatch(fleet.redis_client, fleet.queue, fleet.settings).look(keep=False)
        assert look.decision.needed_workers >= 1


async def test_a_cluster_is_read_on_every_primary(live_cluster: Cluster) -> None:
    async with fleet_clients(live_cluster.url, tenants=NAMED) as fleet:
        await see_all(fleet)


@pytest.mark.parametrize(
    ("given", "central", "names"),
    [
        (False, {}, ()),
        (False, {"tenants.new.weight": "2"}, ()),
        (True, {}, ("acme", "rival")),
        (
            True,
            {"tenants.new.weight": "2", "tenants.acme.weight": "2", 'tenants."n*".weight': "1"},
            ("acme", "rival", "new"),
        ),
        (False, {"ingress.require_origin": "true"}, ("acme", "rival")),
    ],
)
def test_tenants_of_the_file_and_of_the_central_configuration_have_inboxes(
    given: bool, central: dict[str, str], names: tuple[str, ...]
) -> None:
    assert inbox_tenants(Settings(tenants=NAMED, ingress=IngressSettings(tenant_inboxes=given)), central) == names
