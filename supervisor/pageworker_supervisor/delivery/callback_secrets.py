"""The keys that sign callbacks: secrets of `[secrets]`, or files of their own."""

from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.config.value_checks import MIN_SECRET_BYTES
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretError
from pageworker_supervisor.secrets.secret_file import SecretFiles
from pageworker_supervisor.secrets.store import SecretStore


class CallbackSecretUnreadable(Exception):
    """The secret cannot be had now: a fault of the host. Retryable: the operator can put it back."""


class CallbackSecrets:
    """The key of each tenant. A new value counts from the next callback on, or within half a lease."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store
        self._files = SecretFiles()

    async def secret(self, tenant_id: str, tenant: TenantSettings) -> bytes:
        """The key, `tenant` being the tenant's settings. Raises CallbackSecretUnreadable."""
        try:
            if tenant.callback_secret_file is not None:
                # A file of the operator's choice may belong to a group, so its mode is not checked.
                return self._files.read(tenant.callback_secret_file).data
            name = tenant.callback_secret
            if name is None:
                raise CallbackSecretUnreadable("the tenant has no callback secret")
            key = (await self._store.fetch(SecretRef(tenant_id, name))).value.encode()
        except SecretError as error:
            raise CallbackSecretUnreadable(str(error)) from error
        if len(key) < MIN_SECRET_BYTES:
            raise CallbackSecretUnreadable(f"the secret {name} has fewer than {MIN_SECRET_BYTES} bytes")
        return key
