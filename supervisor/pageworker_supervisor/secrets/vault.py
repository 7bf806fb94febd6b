"""Secrets in HashiCorp Vault or OpenBao: a KV store of version 2, read by hvac in a thread."""

import asyncio
from typing import Any

from hvac.exceptions import Forbidden, InvalidPath, Unauthorized, VaultError
from requests import RequestException

from pageworker_supervisor.config.secret_settings import VaultSecretSettings
from pageworker_supervisor.secrets.backend import FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.secret_text import value_of
from pageworker_supervisor.secrets.vault_login import VaultLogin, explained, no_answer


class VaultBackend:
    """One Vault, with one login for all tenants."""

    def __init__(self, settings: VaultSecretSettings, lease_seconds: float) -> None:
        """`lease_seconds`: of values for which Vault names none, as it does for KV entries."""
        self._settings = settings
        self._lease_seconds = lease_seconds
        self._login = VaultLogin(settings)

    async def run(self) -> None:
        """Renew the token before it expires."""
        await self._login.run()

    async def log_in(self) -> None:
        """See BackendAccess."""
        await self._login.client()

    def login_ends_in(self) -> float | None:
        """See BackendLogin."""
        return self._login.ends_in()

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """See SecretBackend."""
        for last_try in (False, True):
            client = await self._login.client()
            try:
                return await asyncio.to_thread(self._read, client, ref)
            except (Forbidden, Unauthorized) as denied:
                if last_try or not self._login.may_be_revoked:
                    path = f"{self._settings.mount}/data/{self._path(ref)}"
                    raise SecretUnavailable(
                        f"Vault denies this worker to read {path}: add `read` on it to the worker's policy in Vault"
                    ) from denied
                # The token may have been revoked, or have expired with a suspended worker.
                self._login.forget(client)
            except InvalidPath:
                where = f"{self._settings.mount}/{self._path(ref)}"
                raise SecretMissing(f"Vault has no entry {where}, or its newest version is deleted") from None
            except VaultError as error:
                raise SecretUnavailable(f"Vault does not answer: {explained(error)}") from None
            except RequestException as error:
                raise no_answer(error) from None
        raise AssertionError("unreachable")

    def _path(self, ref: SecretRef) -> str:
        return f"{self._settings.path}/{ref.tenant_id}/{ref.name}"

    def _read(self, client: Any, ref: SecretRef) -> FetchedSecret:
        answer = client.secrets.kv.v2.read_secret_version(
            path=self._path(ref), mount_point=self._settings.mount, raise_on_deleted_version=True
        )
        entry = answer["data"]["data"]
        if self._settings.key not in entry:
            raise SecretMissing(
                f"the entry {self._settings.mount}/{self._path(ref)} in Vault has no key `{self._settings.key}` "
                "(setting secrets.vault.key)"
            )
        return FetchedSecret(
            value=value_of(ref, entry[self._settings.key]),
            version=str(answer["data"]["metadata"]["version"]),
            lease_seconds=float(answer.get("lease_duration") or self._lease_seconds),
        )
