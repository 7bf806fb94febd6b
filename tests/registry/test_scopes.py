"""Scopes of keys in a worker's registry and for publishers: real folders, real signatures."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pw_modules.author import Author, packed
from pw_modules.clock import Clock

from pageworker_sandbox.signing import (
    BundleExpired,
    ChannelOutOfScope,
    IndexOutOfScope,
    KeyExpired,
    KeyRevoked,
    KeyScope,
    ModuleOutOfScope,
    PackedBundle,
    Revocation,
    SignatureRule,
    SignaturesMissing,
    TenantOutOfScope,
    TrustedKey,
    TrustStore,
    UntrustedBundle,
    UntrustedKey,
    VerifiedBundle,
    sign,
)
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.store import Store

SHOP, CHIEF = Author(), Author()
BUNDLE = packed()


def signed(bundle: PackedBundle, *authors: Author) -> UntrustedBundle:
    first, *more = [sign(bundle, author.key) for author in authors]
    return UntrustedBundle(bundle.data, first, tuple(more))


def store(shop: KeyScope, *rules: SignatureRule, chief: KeyScope = KeyScope()) -> TrustStore:
    keys = [TrustedKey(SHOP.key.public, shop, "shop"), TrustedKey(CHIEF.key.public, chief, "chief")]
    return TrustStore(keys, rules=rules)


@dataclass
class ScopedRegistry:
    """A registry that the chief publishes to, and a worker that reads it."""

    place: Path
    state: Path
    clock: Clock

    async def publish(self, untrusted: UntrustedBundle, channel: str = "stable") -> None:
        await Publisher(Store(self.place), CHIEF.key, SHOP.trust, now=self.clock).publish(untrusted, channel)

    async def worker(self, trust: TrustStore, channel: str = "stable") -> Registry:
        return await Registry.open(self.place, trust, self.state, channel, now=self.clock)


@pytest.fixture
def setting(place: Path, state: Path, clock: Clock) -> ScopedRegistry:
    return ScopedRegistry(place, state, clock)


async def used(registry: Registry, tenant: str = "acme", pin: str | None = None) -> VerifiedBundle:
    """As an attempt admits a job."""
    release = registry.resolve("shop.product", pin)
    bundle = await registry.bundle(release)
    registry.check_tenant(bundle, tenant, release.channel)
    return bundle


async def test_a_key_for_canary_does_not_reach_stable(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, SHOP), "canary")
    await setting.publish(signed(BUNDLE, SHOP), "stable")
    trust = store(KeyScope(channels=("canary",)))
    assert await used(await setting.worker(trust, "canary"))
    stable = await setting.worker(trust)
    with pytest.raises(ChannelOutOfScope):
        await used(stable)
    assert await used(stable, pin="1.4.2"), "a job that names the version needs no channel"


async def test_a_second_signature_takes_a_version_to_stable(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, SHOP))
    trust = store(KeyScope(channels=("canary",)))
    worker = await setting.worker(trust)
    with pytest.raises(ChannelOutOfScope):
        await used(worker)
    await setting.publish(signed(BUNDLE, SHOP, CHIEF))
    await worker.refresh()
    assert (await used(worker)).signers == (SHOP.key.id, CHIEF.key.id)
    assert (await used(await setting.worker(trust))).signers == (SHOP.key.id, CHIEF.key.id), "from the disk"


async def test_a_key_of_one_tenant_and_of_some_modules(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, SHOP))
    worker = await setting.worker(store(KeyScope(tenants=("acme",))))
    assert await used(worker)
    with pytest.raises(TenantOutOfScope):
        await used(worker, "other")
    worker.use_trust(store(KeyScope(modules=("pay.*",))))
    with pytest.raises(ModuleOutOfScope):
        await used(worker)


async def test_two_of_two_signatures(setting: ScopedRegistry) -> None:
    trust = store(KeyScope(), SignatureRule(("shop.*",), 2))
    await setting.publish(signed(BUNDLE, SHOP))
    worker = await setting.worker(trust)
    with pytest.raises(SignaturesMissing, match="needs signatures by 2 keys"):
        await used(worker)
    await setting.publish(signed(BUNDLE, SHOP, CHIEF))
    await worker.refresh()
    assert await used(worker)


async def test_a_revocation_counts_for_what_is_in_memory(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, SHOP))
    worker = await setting.worker(store(KeyScope()))
    assert await used(worker)
    keys = [TrustedKey(SHOP.key.public), TrustedKey(CHIEF.key.public)]
    revoked = Revocation(setting.clock.now, "lost")
    worker.use_trust(TrustStore(keys, {SHOP.key.id: revoked}))
    with pytest.raises(KeyRevoked):
        await used(worker)
    worker.use_trust(TrustStore(keys, {CHIEF.key.id: revoked}))
    with pytest.raises(KeyRevoked):
        worker.resolve("shop.product")
    with pytest.raises(KeyRevoked):
        await worker.refresh()
    restarted = await setting.worker(TrustStore(keys, {CHIEF.key.id: revoked}))
    with pytest.raises(KeyRevoked):
        restarted.resolve("shop.product")


async def test_a_key_expires_while_its_module_is_in_memory(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, SHOP))
    worker = await setting.worker(store(KeyScope(not_after=setting.clock.now + timedelta(days=5))))
    assert await used(worker)
    setting.clock.pass_days(6)
    with pytest.raises(KeyExpired):
        await used(worker)


async def test_a_version_expires_while_it_is_in_memory(setting: ScopedRegistry) -> None:
    until = f"{setting.clock.now + timedelta(days=5):%Y-%m-%dT%H:%M:%SZ}"
    await setting.publish(signed(packed(more=f"expires = {until}\n"), SHOP))
    worker = await setting.worker(store(KeyScope()))
    assert await used(worker)
    setting.clock.pass_days(6)
    with pytest.raises(BundleExpired, match=until):
        await used(worker)


async def test_a_key_that_may_not_sign_the_index(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, CHIEF))
    worker = await setting.worker(store(KeyScope(), chief=KeyScope(may_index=False)))
    with pytest.raises(IndexOutOfScope, match=r"\(chief\)"):
        worker.resolve("shop.product")
    worker.use_trust(store(KeyScope()))
    await worker.refresh()
    assert await used(worker)


async def test_new_keys_count_without_waiting_for_the_next_refresh(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, SHOP))
    worker = await Registry.open(
        setting.place, TrustStore([SHOP.key.public]), setting.state, now=setting.clock, refresh_seconds=3600
    )
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(worker.run())
        worker.use_trust(store(KeyScope()))
        await worker.changed.wait()
        running.cancel()
    assert await used(worker)


@pytest.mark.parametrize(
    ("trust", "error"),
    [
        (store(KeyScope(channels=("canary",))), ChannelOutOfScope),
        (store(KeyScope(modules=("pay.*",))), ModuleOutOfScope),
        (store(KeyScope(), SignatureRule(("*",), 2)), SignaturesMissing),
        (store(KeyScope(), chief=KeyScope(may_index=False)), IndexOutOfScope),
    ],
)
async def test_a_publisher_refuses_what_workers_would(
    setting: ScopedRegistry, trust: TrustStore, error: type[Exception]
) -> None:
    publisher = Publisher(Store(setting.place), CHIEF.key, trust, now=setting.clock)
    with pytest.raises(error):
        await publisher.publish(signed(BUNDLE, SHOP), "stable")
    assert not setting.place.exists() or not any(setting.place.glob("*.zip"))


async def test_a_channel_is_not_pointed_where_workers_would_refuse(setting: ScopedRegistry) -> None:
    await setting.publish(signed(BUNDLE, SHOP), "canary")
    trust = store(KeyScope(channels=("canary",)))
    publisher = Publisher(Store(setting.place), CHIEF.key, trust, now=setting.clock)
    with pytest.raises(ChannelOutOfScope):
        await publisher.point("shop.product", "stable", "1.4.2")
    await setting.publish(signed(BUNDLE, SHOP, CHIEF), "canary")
    await publisher.point("shop.product", "stable", "1.4.2")
    assert await used(await setting.worker(trust))


async def test_rotation_with_overlap(setting: ScopedRegistry) -> None:
    """Two keys for one scope: a version by either runs, and after the old key is gone only those by the new one."""
    old, new = SHOP, Author()
    both = TrustStore([old.key.public, new.key.public, CHIEF.key.public])
    await setting.publish(signed(packed(version="1.0.0"), old))
    worker = await setting.worker(both)
    publisher = Publisher(Store(setting.place), CHIEF.key, both, now=setting.clock)
    await publisher.publish(signed(packed(version="1.1.0"), new), "stable")
    await worker.refresh()
    assert await used(worker)
    assert await used(worker, pin="1.0.0")
    worker.use_trust(TrustStore([new.key.public, CHIEF.key.public]))
    assert await used(worker)
    with pytest.raises(UntrustedKey):
        await used(worker, pin="1.0.0")
