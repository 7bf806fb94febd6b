"""Secrets in AWS Secrets Manager, which decrypts them with KMS: read by boto3 in a thread."""

import asyncio
import threading
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, SSLError

from pageworker_supervisor.config.secret_settings import AwsSecretSettings
from pageworker_supervisor.secrets.backend import FLEET, FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretBackendAway, SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.secret_text import value_of

MISSING = {
    "ResourceNotFoundException": "does not exist",
    "InvalidRequestException": "is marked for deletion",
}
"""Codes of GetSecretValue's errors that are about one secret. Source: AWS Secrets Manager API Reference."""
DENIED = "AccessDeniedException"
"""Whose answer it is: credentials that AWS accepts, without this right."""
NEVER_STORED = "workerctl_check"
"""Asked for to see whether AWS accepts the credentials."""


class AwsBackend:
    """The Secrets Manager of one account and region. The SDK renews the worker's credentials by itself."""

    def __init__(self, settings: AwsSecretSettings, lease_seconds: float) -> None:
        self._settings = settings
        self._lease_seconds = lease_seconds
        # Any: boto3 has no types.
        self._client: Any = None
        self._making = threading.Lock()

    async def run(self) -> None:
        """There is no login to keep."""
        await asyncio.Event().wait()

    async def log_in(self) -> None:
        """See BackendAccess. AWS has no call for it: each request carries the credentials."""
        await asyncio.to_thread(self._ask)

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """See SecretBackend."""
        return await asyncio.to_thread(self._read, ref)

    def _read(self, ref: SecretRef) -> FetchedSecret:
        secret_id = f"{self._settings.prefix}{ref}"
        try:
            answer = self._made_client().get_secret_value(SecretId=secret_id)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "no code")
            if code in MISSING:
                raise SecretMissing(f"the secret {secret_id} {MISSING[code]} in AWS Secrets Manager") from None
            raise SecretUnavailable(f"AWS Secrets Manager refuses to give {secret_id}: {code}") from None
        except BotoCoreError as error:
            # Its text names endpoints and settings, no values.
            raise _no_answer(error) from None
        value = value_of(ref, answer.get("SecretString") or answer.get("SecretBinary"))
        if self._settings.key is not None:
            value = value_of(ref, _inner(secret_id, value, self._settings.key))
        return FetchedSecret(value=value, version=str(answer["VersionId"]), lease_seconds=self._lease_seconds)

    def _ask(self) -> None:
        try:
            self._made_client().get_secret_value(SecretId=f"{self._settings.prefix}{FLEET}/{NEVER_STORED}")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "no code")
            if code not in MISSING and code != DENIED:
                raise SecretUnavailable(f"AWS Secrets Manager refuses this worker: {code}") from None
        except BotoCoreError as error:
            raise _no_answer(error) from None

    def _made_client(self) -> Any:
        """Made at the first use, in a thread: the SDK reads its files, and may ask the instance's metadata."""
        with self._making:
            if self._client is None:
                seconds = self._settings.timeout_seconds
                # One try: the store asks again, and jobs that wait are deferred.
                config = Config(
                    connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1, "mode": "standard"}
                )
                self._client = boto3.session.Session().client(
                    "secretsmanager",
                    region_name=self._settings.region,
                    endpoint_url=self._settings.endpoint_url,
                    config=config,
                )
            return self._client


def _no_answer(error: BotoCoreError) -> SecretUnavailable:
    lost = isinstance(error, ConnectionError | HTTPClientError) and not isinstance(error, SSLError)
    return (SecretBackendAway if lost else SecretUnavailable)(f"AWS Secrets Manager does not answer: {error}")


def _inner(secret_id: str, text: str, key: str) -> object:
    try:
        entry = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise SecretMissing(f"the secret {secret_id} is no JSON, so it has no key `{key}`") from None
    if not isinstance(entry, dict) or key not in entry:
        raise SecretMissing(f"the secret {secret_id} has no key `{key}` (setting secrets.aws.key)")
    return entry[key]
