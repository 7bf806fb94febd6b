"""What all requests share, so that one tenant cannot take all of it. Pure."""

from collections import Counter
from contextlib import ExitStack

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class TenantQuota:
    """`total` units, at most half of them for one tenant."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Units of all tenants."""
        return self._held.total()

    def take(self, tenant_id: str, units: int = 1) -> bool:
        """Take units. False: there are not as many for this tenant, and nothing is taken."""
        mine = self._held[tenant_id] + units
        if mine > max(1, self.total // 2) or self._held.total() + units > self.total:
            return False
        self._held[tenant_id] = mine
        return True

    def give_back(self, tenant_id: str, units: int = 1) -> None:
        """Give units back that were taken."""
        self._held[tenant_id] -= units
        if self._held[tenant_id] <= 0:
            del self._held[tenant_id]


class HoldingResponse(StreamingResponse):
    """Closes `held` once it was sent, or could not be: the generator of its body may never begin."""

    held: ExitStack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See StreamingResponse."""
        with self.held:
            await super().__call__(scope, receive, send)
