"""What jobs must have in common to share one runner, and with it one browser context."""

from msgspec import Struct


class ContextKey(Struct, frozen=True):
    """Jobs with equal keys may share a runner; jobs with different keys never do.

    `profile_id` None: the tenant's ephemeral context. `egress` is the digest of the hosts that the job's module may
    reach: a runner is no boundary between its modules, so all of them must have the same set.
    """

    tenant_id: str
    profile_id: str | None = None
    egress: str = ""

    @property
    def profile(self) -> tuple[str, str] | None:
        """`(tenant_id, profile_id)`, which one runner at a time may have open; None for an ephemeral context."""
        return None if self.profile_id is None else (self.tenant_id, self.profile_id)
