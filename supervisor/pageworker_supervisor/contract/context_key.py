"""What jobs must have in common to share one runner, and with it one browser context.

In Redis a context is a text within its tenant, which `queue/lua/08_contexts.lua` reads: `~<egress>` (ephemeral),
`!<egress>` (a job that must run alone) or `<profile>~<egress>`.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

EGRESS, SOLO = "~", "!"


def egress_set(hosts: Iterable[str]) -> tuple[str, ...]:
    """Host globs as the egress gateway compares them, in one order: equal sets are equal tuples."""
    return tuple(sorted({host.lower().removesuffix(".") for host in hosts}))


def egress_digest(hosts: Iterable[str]) -> str:
    """The name of a set of host globs: 12 hex digits. It finds sets; whether two are equal, `egress_set` says."""
    return hashlib.blake2b("\n".join(egress_set(hosts)).encode(), digest_size=6).hexdigest()


ANY_PROFILE = "*"
"""In a claim's refused contexts: all of the tenant that the worker does not hold. No profile's name."""
NO_EGRESS = egress_digest(())
"""Of the jobs whose module allows no host, or is not known."""


class ContextKey(Struct, frozen=True):
    """Jobs with equal keys may share a runner; jobs with different keys never do.

    `profile_id` None: the tenant's ephemeral context. `egress` is the digest of the hosts that the job's module may
    reach: a runner is no boundary between its modules, so all of them must have the same set.
    """

    tenant_id: str
    profile_id: str | None = None
    egress: str = NO_EGRESS

    @property
    def profile(self) -> tuple[str, str] | None:
        """`(tenant_id, profile_id)`, which one runner at a time may have open; None for an ephemeral context."""
        return None if self.profile_id is None else (self.tenant_id, self.profile_id)

    @property
    def text(self) -> str:
        """As Redis has it, within the tenant."""
        return f"{self.profile_id or ''}{EGRESS}{self.egress}"


@lru_cache(4096)
def parse_context(tenant_id: str, text: str) -> tuple[ContextKey, bool]:
    """The key, and whether it is of a job that must run alone."""
    mark = SOLO if text.startswith(SOLO) else EGRESS
    profile, _, egress = text.partition(mark)
    return ContextKey(tenant_id, profile or None, egress), mark == SOLO
