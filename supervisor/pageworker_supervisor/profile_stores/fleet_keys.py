"""The keys of snapshots, from the fleet's secrets."""

from pageworker_profiles.errors import SnapshotKeyMissing
from pageworker_profiles.snapshots.keys import SnapshotKey, parse_key
from pageworker_supervisor.secrets.errors import SecretError
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets

USE = "profile snapshots"


class FleetKeys:
    """See SnapshotKeys. `current`: the secret's name of the key that encrypts. `before`: those of older keys."""

    def __init__(self, secrets: FleetSecrets, current: str, before: tuple[str, ...] = ()) -> None:
        self._secrets = secrets
        self._current = current
        self._before = before

    async def current(self) -> SnapshotKey:
        """See SnapshotKeys."""
        return await self._key(self._current)

    async def find(self, key_id: str) -> SnapshotKey:
        """See SnapshotKeys."""
        troubles = []
        for name in (self._current, *self._before):
            try:
                key = await self._key(name)
            except SnapshotKeyMissing as missing:
                troubles.append(str(missing))
                continue
            if key.id == key_id:
                return key
        more = f" ({'; '.join(troubles)})" if troubles else ""
        raise SnapshotKeyMissing(
            f"the snapshot has key {key_id}, and this worker has none of that name{more}: "
            "add its secret to profiles.key_secrets_before"
        )

    async def _key(self, name: str) -> SnapshotKey:
        try:
            secret = await self._secrets.fetch(name, USE)
        except SecretError as error:
            raise SnapshotKeyMissing(f"secret {name}: {error}") from error
        try:
            return parse_key(secret.value, name)
        except SnapshotKeyMissing as unusable:
            self._secrets.refuse(name, USE, str(unusable))
            raise
