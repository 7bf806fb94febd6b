"""Secrets in environment variables of the worker, for development: processes of its user can read them."""

import asyncio
import hashlib
from collections.abc import Mapping

from pageworker_supervisor.secrets.backend import FLEET, FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing
from pageworker_supervisor.secrets.secret_text import value_of

PREFIX = "SECRET__"
FLEET_PREFIX = "SECRET_FLEET__"


def variable_of(ref: SecretRef) -> str:
    """`SECRET__ACME__SHOP_LOGIN`, and `SECRET_FLEET__PROXY_LOGIN` for the fleet. Two secrets never share one: a
    tenant has no `_`, and a name no `__`."""
    if ref.tenant_id == FLEET:
        return f"{FLEET_PREFIX}{ref.name}".upper()
    return f"{PREFIX}{ref.tenant_id.replace('-', '_')}__{ref.name}".upper()


class EnvironmentBackend:
    """The variables that the worker was started with."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """See SecretBackend."""
        name = variable_of(ref)
        if name not in self._environ:
            raise SecretMissing(f"the environment variable {name} is not set")
        value = value_of(ref, self._environ[name])
        version = hashlib.blake2b(value.encode(), digest_size=4).hexdigest()
        return FetchedSecret(value=value, version=version, lease_seconds=0.0)

    async def run(self) -> None:
        """There is no login to keep."""
        await asyncio.Event().wait()
