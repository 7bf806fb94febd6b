"""The worker's login at Vault: a token, renewed before it expires, or a new one if that fails."""

import asyncio
import time
from typing import Any

import hvac
import requests
from hvac.exceptions import VaultError
from requests import RequestException

from pageworker_supervisor.config.secret_settings import VaultSecretSettings
from pageworker_supervisor.secrets.errors import SecretBackendAway, SecretError, SecretUnavailable
from pageworker_supervisor.secrets.secret_file import SecretFiles
from pageworker_supervisor.telemetry import log

RENEW_SHARE = 2 / 3
"""Of a token's time: then it is renewed. The last third covers tries that fail."""
RETRY_SECONDS = 5.0
RETRY_SHARE = 0.1
"""Of a token's time: the pause after a try that failed, at most RETRY_SECONDS."""


class VaultLogin:
    """The client of a Vault, logged in. Use `client` for each question, and `run` beside it."""

    def __init__(self, settings: VaultSecretSettings) -> None:
        self._settings = settings
        self._files = SecretFiles()
        # Any: hvac has no types.
        self._client: Any = None
        self._token_version = ""
        self._since = 0.0
        self._ttl_seconds = 0.0
        """0: the token does not expire."""
        self._renewable = False
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    async def client(self) -> Any:
        """A client whose token is valid as far as this worker can tell. Raises SecretUnavailable."""
        async with self._lock:
            if self._client is None or self._expired() or self._token_is_new():
                await self._log_in()
            return self._client

    @property
    def may_be_revoked(self) -> bool:
        """Whether a new login may help if Vault denies: a token from a file would be the same again."""
        return self._settings.auth != "token" or self._token_is_new()

    def forget(self, client: Any) -> None:
        """Vault does not accept this client's token any more."""
        if self._client is client:
            self._client = None

    def ends_in(self) -> float | None:
        """Seconds until the token ends unless it is renewed; None: it does not end, or there is none yet."""
        if self._client is None or not self._ttl_seconds:
            return None
        return self._since + self._ttl_seconds - time.monotonic()

    async def run(self) -> None:
        """Renew the token until cancelled. Without a login there is nothing to renew yet."""
        while True:
            self._changed.clear()
            pause = self._renew_in_seconds()
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
                continue
            except TimeoutError:
                await self._keep()

    def _renew_in_seconds(self) -> float | None:
        if self._client is None or not self._ttl_seconds:
            return None
        return max(0.0, self._since + RENEW_SHARE * self._ttl_seconds - time.monotonic())

    async def _keep(self) -> None:
        try:
            async with self._lock:
                if self._client is not None:
                    await self._renew()
        except SecretUnavailable as failed:
            log.error("the token for Vault is not renewed", reason=str(failed))
            await asyncio.sleep(min(RETRY_SECONDS, RETRY_SHARE * self._ttl_seconds))

    async def _renew(self) -> None:
        if self._renewable:
            asked_at = time.monotonic()
            try:
                answer = await asyncio.to_thread(self._client.auth.token.renew_self)
            except VaultError as refused:
                log.warning("Vault does not renew the token, the worker logs in again", reason=explained(refused))
            except RequestException as error:
                raise no_answer(error) from None
            else:
                ttl = float(answer["auth"]["lease_duration"])
                # At its maximum life a token is renewed for less and less. Then only a new login helps.
                if ttl > self._ttl_seconds / 2:
                    self._note(asked_at, ttl, renewable=bool(answer["auth"]["renewable"]))
                    return
        await self._log_in()

    async def _log_in(self) -> None:
        settings = self._settings
        asked_at = time.monotonic()
        try:
            client, ttl, renewable = await asyncio.to_thread(self._new_client)
        except SecretError as unreadable:
            raise SecretUnavailable(f"the worker cannot log in to Vault: {unreadable}") from None
        except VaultError as refused:
            raise SecretUnavailable(f"Vault refuses the login by {settings.auth}: {explained(refused)}") from None
        except RequestException as error:
            raise no_answer(error) from None
        self._client = client
        self._note(asked_at, ttl, renewable=renewable)
        log.info("logged in to Vault", auth=settings.auth, lease_seconds=ttl, renewable=renewable)

    def _new_client(self) -> tuple[Any, float, bool]:
        """In a thread: a client, the seconds until its token expires, whether it can be renewed."""
        settings = self._settings
        session = requests.Session()
        # Neither ~/.netrc nor proxies of the environment: the settings alone say whom the worker talks to.
        session.trust_env = False
        client = hvac.Client(
            url=settings.url,
            token="",
            verify=str(settings.ca_file) if settings.ca_file else True,
            timeout=settings.timeout_seconds,
            session=session,
            namespace=settings.namespace,
        )
        mount = settings.auth_mount or settings.auth
        match settings.auth:
            case "token":
                read = self._files.read(_set(settings.token_file))
                client.token, self._token_version = read.data.decode(), read.version
                data = client.auth.token.lookup_self()["data"]
                return client, float(data["ttl"]), bool(data.get("renewable"))
            case "approle":
                secret_id = self._files.read(_set(settings.secret_id_file)).data.decode()
                answer = client.auth.approle.login(settings.role_id, secret_id, mount_point=mount)
            case "kubernetes":
                jwt = self._files.read(settings.service_account_token_file).data.decode()
                answer = client.auth.kubernetes.login(settings.role, jwt, mount_point=mount)
        return client, float(answer["auth"]["lease_duration"]), bool(answer["auth"]["renewable"])

    def _note(self, since: float, ttl_seconds: float, *, renewable: bool) -> None:
        self._since, self._ttl_seconds, self._renewable = since, ttl_seconds, renewable
        self._changed.set()

    def _expired(self) -> bool:
        return bool(self._ttl_seconds) and time.monotonic() >= self._since + self._ttl_seconds

    def _token_is_new(self) -> bool:
        if self._settings.auth != "token" or self._settings.token_file is None:
            return False
        try:
            return self._files.read(self._settings.token_file).version != self._token_version
        except SecretError:
            return False  # the token in use is still good


def no_answer(error: RequestException) -> SecretUnavailable:
    """The error for a request without a usable answer. A certificate that is not accepted is an answer."""
    lost = isinstance(error, requests.ConnectionError | requests.Timeout) and not isinstance(
        error, requests.exceptions.SSLError
    )
    return (SecretBackendAway if lost else SecretUnavailable)(f"Vault does not answer: {explained(error)}")


def explained(error: Exception) -> str:
    """What hvac or requests reports, without bodies: those may hold secrets."""
    if isinstance(error, VaultError):
        told = error.errors if isinstance(error.errors, list) else []
        return f"{type(error).__name__}: {'; '.join(map(str, told))[:300]}" if told else type(error).__name__
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not accepted (setting secrets.vault.ca_file)"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__


def _set(value: Any) -> Any:
    if value is None:
        raise AssertionError("config/rules.py ensures that it is set")
    return value
