"""What a worker can take."""

from collections.abc import Sequence

from msgspec import Struct

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.redis_client.sharding import shard_of


class ContextCapacity(Struct, frozen=True):
    """A context that the worker holds warm, and how many more jobs it takes now.

    A held profile is named even when it is full. `free_pages` below 0: no runner slot may be used for it either.
    `idle`: it counts among the runner slots too, as it would be closed for another context; a job for it uses that
    slot.
    """

    context: ContextKey
    free_pages: int
    idle: bool = False
    refused: bool = False
    """It has no runner here and gets none: `free_pages` of its jobs are claimed only to be answered. None of a profile
    that another worker has open."""


class Capacity(Struct, frozen=True, kw_only=True):
    """At most `limit` jobs, in warm contexts and in new ones, for which there are `runner_slots`.

    `quiet`: neither ask other workers for profiles nor name wanted contexts.
    """

    limit: int
    contexts: Sequence[ContextCapacity] = ()
    runner_slots: int = 0
    pages_per_runner: int = 1
    quiet: bool = False

    def request(self, shard: int, shards: int) -> list[dict[str, object]]:
        """The contexts of this shard's tenants, as `claim` in queue/lua/fn_claim.lua reads them."""
        return [
            {
                "tenant": warm.context.tenant_id,
                "context": warm.context.text,
                "free_pages": warm.free_pages,
                "idle": warm.idle,
                "refused": warm.refused,
            }
            for warm in self.contexts
            if shards == 1 or shard_of(warm.context.tenant_id, shards) == shard
        ]
