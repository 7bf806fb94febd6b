"""The secret that signs links to artifacts: fetched for each link, and cached by the store of secrets."""

import time

from pageworker_supervisor.artifacts.links import MIN_KEY_BYTES, ArtifactLink, link_to, verify
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets

USE = "links to artifacts"


class LinkSecretAway(Exception):
    """The secret cannot be had, or is too short. The message holds no value."""


class ArtifactLinks:
    """Signs and verifies links."""

    def __init__(self, secrets: FleetSecrets, name: str, public_url: str, seconds: int) -> None:
        """`name`: of the fleet's secret. `seconds`: for which a link works."""
        self._secrets = secrets
        self._name = name
        self._public_url = public_url
        self._seconds = seconds

    @classmethod
    def of(cls, settings: Settings, secrets: FleetSecrets) -> "ArtifactLinks | None":
        """None: the settings name no secret. The settings are valid."""
        artifacts, public_url = settings.artifacts, settings.api.public_url
        if artifacts.link_secret is None or public_url is None:
            return None
        return cls(secrets, artifacts.link_secret, public_url, artifacts.link_seconds)

    async def link(self, key: str) -> str:
        """A link to the artifact under this key. Raises LinkSecretAway."""
        return link_to(self._public_url, key, int(time.time()) + self._seconds, await self._secret())

    async def verified(self, untrusted_key: str, expires: str, signature: str) -> ArtifactLink | None:
        """The link if it is one of the fleet's, and its time is not over. Raises LinkSecretAway."""
        return verify(untrusted_key, expires, signature, await self._secret(), time.time())

    async def _secret(self) -> bytes:
        try:
            value = (await self._secrets.fetch(self._name, USE)).value.strip().encode()
        except (SecretMissing, SecretUnavailable) as error:
            raise LinkSecretAway(f"secret {self._name}: {error}") from error
        if len(value) < MIN_KEY_BYTES:
            reason = f"{len(value)} bytes, at least {MIN_KEY_BYTES} are needed"
            self._secrets.refuse(self._name, USE, reason)
            raise LinkSecretAway(f"secret {self._name}: {reason}")
        return value
