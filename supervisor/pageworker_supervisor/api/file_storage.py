"""How many bytes of uploads each tenant may have stored, counted in the store once a minute."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from pageworker_supervisor.api.problem import ApiProblem

COUNT_SECONDS = 60.0
MOST_COUNTED = 10_000
"""Tenants whose count is remembered. Then all are counted anew."""


class TenantStorage:
    """`count` gives the bytes of a tenant that the store has now."""

    def __init__(
        self, count: Callable[[str], Awaitable[int]], most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._most_bytes = most_bytes
        self._clock = clock
        self._counted: dict[str, tuple[float, int]] = {}
        """When a tenant was counted, and its bytes since then."""
        self._reserved: Counter[str] = Counter()

    @asynccontextmanager
    async def reserved(self, tenant_id: str, size: int) -> AsyncIterator[None]:
        """Space for `size` bytes until the end of the block. Raises ApiProblem (`storage_full`), and as `count`."""
        self._reserved[tenant_id] += size
        try:
            used = await self._used(tenant_id)
            if used + self._reserved[tenant_id] > self._most_bytes:
                detail = f"The tenant has {used} bytes of files, and may have {self._most_bytes}"
                hint = "delete files that no job needs, or wait until they expire"
                raise ApiProblem("storage_full", detail, hint=hint)
            yield
        finally:
            self._reserved[tenant_id] -= size
            if not self._reserved[tenant_id]:
                del self._reserved[tenant_id]

    def changed(self, tenant_id: str, size: int) -> None:
        """A file of `size` bytes was stored, or deleted if `size` is negative."""
        if (counted := self._counted.get(tenant_id)) is not None:
            self._counted[tenant_id] = (counted[0], max(0, counted[1] + size))

    async def _used(self, tenant_id: str) -> int:
        now = self._clock()
        counted = self._counted.get(tenant_id)
        if counted is None or now - counted[0] >= COUNT_SECONDS:
            if len(self._counted) >= MOST_COUNTED:
                self._counted.clear()
            counted = self._counted[tenant_id] = (now, await self._count(tenant_id))
        return counted[1]
