"""A limited resource that tenants share. Each holds a part of it at most; the tenant that holds least is served
first."""

import asyncio
from collections import Counter, deque
from types import TracebackType
from typing import Self


class TenantShares:
    """`total` units. One tenant holds at most `per_tenant` of them. Claims of one tenant are served in order."""

    def __init__(self, total: int, per_tenant: int) -> None:
        self.total = total
        self.per_tenant = per_tenant
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[ShareClaim]] = {}

    @property
    def used(self) -> int:
        """Units that are held now."""
        return self._held.total()

    def claim(self, tenant_id: str, amount: int) -> "ShareClaim":
        """Queue a claim for `amount` units. Raises ValueError if that is more than one tenant may hold."""
        if amount > self.per_tenant:
            raise ValueError(f"{amount} units, a tenant holds at most {self.per_tenant}")
        claim = ShareClaim(self, tenant_id, amount)
        self._waiting.setdefault(tenant_id, deque()).append(claim)
        self._serve()
        return claim

    def release(self, claim: "ShareClaim") -> None:
        tenant_id = claim.tenant_id
        if claim.held:
            self._held[tenant_id] -= claim.amount
            if not self._held[tenant_id]:
                del self._held[tenant_id]
        else:
            self._waiting[tenant_id].remove(claim)
            if not self._waiting[tenant_id]:
                del self._waiting[tenant_id]
        self._serve()

    def shrink(self, claim: "ShareClaim", amount: int) -> None:
        """A claim that is held needs less than was thought. Raises ValueError if it needs more, or is not held."""
        if not claim.held or not 0 <= amount <= claim.amount:
            raise ValueError(f"{amount} units of a claim for {claim.amount}, held: {claim.held}")
        self._held[claim.tenant_id] -= claim.amount - amount
        claim.amount = amount
        self._serve()

    def _serve(self) -> None:
        while (tenant_id := self._next()) is not None:
            # Removed and inserted again: behind the other tenants that hold as little.
            waiting = self._waiting.pop(tenant_id)
            claim = waiting.popleft()
            if waiting:
                self._waiting[tenant_id] = waiting
            self._held[tenant_id] += claim.amount
            claim.grant()

    def _next(self) -> str | None:
        """The tenant that is served next; None if all have to wait."""
        for tenant_id in sorted(self._waiting, key=lambda one: self._held[one]):
            amount = self._waiting[tenant_id][0].amount
            if self._held[tenant_id] + amount <= self.per_tenant:
                # A large claim is not overtaken by small ones: it might wait forever.
                return tenant_id if self.used + amount <= self.total else None
        return None


class ShareClaim:
    """One claim. Its units are released at the end of its `with` block. `granted` is done once they are held."""

    def __init__(self, shares: TenantShares, tenant_id: str, amount: int) -> None:
        self.tenant_id = tenant_id
        self.amount = amount
        self.held = False
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shares = shares

    def grant(self) -> None:
        """The units are held from now on."""
        self.held = True
        if not self.granted.done():  # the waiting task may be cancelled, and about to leave its block
            self.granted.set_result(None)

    def shrink(self, amount: int) -> None:
        """Give back all but `amount` of its units."""
        self._shares.shrink(self, amount)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shares.release(self)
