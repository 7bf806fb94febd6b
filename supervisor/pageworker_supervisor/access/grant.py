"""What an access token permits. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pageworker_supervisor.access.errors import AccessTokenRefused

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "viewer": "read jobs, results, artifacts, limits, usage and events",
        "producer": "push jobs and cancel them, change batches and subscriptions, and read what became of them",
    }
)
"""Name of each scope, and what it permits. No scope contains another: a token names each that it has."""
PLANNED: Mapping[str, str] = MappingProxyType(
    {
        "operator": "pauses and dead letters are for `workerctl`, which needs no token",
        "publisher": "modules are published with a key that the workers trust",
    }
)
"""Names of scopes that no operation of the HTTP API needs yet, and what to do instead."""


@dataclass(frozen=True)
class TokenGrant:
    """A valid token. `tenant_id` None: it is a token of the fleet's operator, valid for every tenant.

    `expires_at`: seconds since the epoch; None: it has no end.
    """

    tenant_id: str | None
    scopes: frozenset[str]
    token_id: str
    expires_at: float | None

    def permits(self, scope: str, tenant_id: str) -> bool:
        """Whether it permits this for this tenant."""
        return scope in self.scopes and self.tenant_id in (None, tenant_id)


def checked_scopes(untrusted_names: Iterable[str]) -> frozenset[str]:
    """The scopes of a new token. Raises AccessTokenRefused for an unknown one, and for none."""
    names = frozenset(untrusted_names)
    known = ", ".join(SCOPES)
    if not names:
        raise AccessTokenRefused("a token needs a scope", f"Name at least one of {known}.")
    if planned := sorted(names & PLANNED.keys()):
        raise AccessTokenRefused(
            f"the scope {planned[0]!r} is not supported yet", f"Leave it out: {PLANNED[planned[0]]}."
        )
    if unknown := sorted(names - SCOPES.keys()):
        raise AccessTokenRefused(f"there is no scope {unknown[0]!r}", f"The scopes are {known}.")
    return names
