"""What a secret is called, and the one interface of all places that hold secrets."""

from typing import Protocol, runtime_checkable

from msgspec import Struct

FLEET = "_fleet"
"""In place of a tenant: secrets that the worker uses itself. No tenant has this name."""


class SecretRef(Struct, frozen=True):
    """A secret of one tenant, or of FLEET. `name` fits `wire.messages.SECRET_NAME`."""

    tenant_id: str
    name: str

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.name}"


class FetchedSecret(Struct, frozen=True, kw_only=True):
    """A secret's value as a backend gave it."""

    value: str
    version: str
    """Changes with the value. Shown in the audit log."""
    lease_seconds: float
    """How long the value may be used without asking again. 0: it costs nothing to ask, so ask each time."""

    def __repr__(self) -> str:
        # Tracebacks and logs show arguments.
        return f"FetchedSecret(version={self.version!r}, lease_seconds={self.lease_seconds:g})"


class SecretBackend(Protocol):
    """A place that holds secrets."""

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """The secret's value now. Raises SecretMissing, SecretUnavailable."""

    async def run(self) -> None:
        """Keep the backend's own login alive, until cancelled."""


@runtime_checkable
class BackendLogin(Protocol):
    """A backend with a login that ends."""

    def login_ends_in(self) -> float | None:
        """Seconds until the login ends unless it is renewed; None: it does not end, or there is none yet."""


@runtime_checkable
class BackendAccess(Protocol):
    """A backend that can be asked whether it accepts this worker, without asking for a secret."""

    async def log_in(self) -> None:
        """Log in, unless that is done. Raises SecretUnavailable: the login is refused; SecretBackendAway."""
