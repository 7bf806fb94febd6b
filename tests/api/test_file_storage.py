"""The bytes that a tenant may have stored."""

from contextlib import suppress

import pytest

from pageworker_supervisor.api.file_storage import COUNT_SECONDS, TenantStorage
from pageworker_supervisor.api.problem import ApiProblem


class CountedStore:
    """A store that is counted, and a clock."""

    def __init__(self) -> None:
        self.bytes = 40
        self.asked = 0
        self.now = 0.0
        self.storage = TenantStorage(self.count, 100, lambda: self.now)

    async def count(self, tenant_id: str) -> int:
        self.asked += 1
        return self.bytes if tenant_id == "acme" else 0

    async def refused(self, size: int) -> bool:
        with suppress(ApiProblem):
            async with self.storage.reserved("acme", size):
                return False
        return True


async def test_stored_and_arriving_files_count_and_other_tenants_do_not() -> None:
    store = CountedStore()
    assert not await store.refused(60)
    with pytest.raises(ApiProblem) as full:
        async with store.storage.reserved("acme", 61):
            raise AssertionError("not reached")
    assert full.value.document.code == "storage_full"
    async with store.storage.reserved("acme", 30), store.storage.reserved("beta", 100):
        assert await store.refused(31)
        assert not await store.refused(30)
    store.storage.changed("acme", 50)
    assert await store.refused(11)
    store.storage.changed("acme", -50)
    assert not await store.refused(60)
    assert store.asked == 2


async def test_what_others_store_counts_after_a_minute() -> None:
    store = CountedStore()
    assert not await store.refused(60)
    store.bytes = 90
    assert not await store.refused(60)
    store.now = COUNT_SECONDS
    assert await store.refused(60)


async def test_a_store_that_cannot_be_counted_reserves_nothing() -> None:
    store = CountedStore()

    async def away(_: str) -> int:
        raise OSError("away")

    storage = TenantStorage(away, 100)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            async with storage.reserved("acme", 60):
                raise AssertionError("not reached")
    storage.changed("acme", 10)
    assert not await store.refused(60)
