"""What a snapshot store of profiles needs beside its address. Pure."""

from collections.abc import Iterator

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.value_checks import RuleFinding, url_findings

SNAPSHOT_SCHEMES = ("file", "s3", "gs", "az")


def snapshot_findings(settings: Settings) -> Iterator[RuleFinding]:
    """A store without a key, a key without a store, and keys that no backend can give."""
    profiles = settings.profiles
    if profiles.store is not None:
        yield from url_findings(("profiles", "store"), profiles.store, SNAPSHOT_SCHEMES)
        if profiles.key_secret is None:
            hint = "snapshots hold the logins of all tenants, so they are always encrypted (docs/profiles.md)"
            yield ("profiles", "key_secret"), "not set", "the name of a secret with the key", hint
        elif settings.secrets.backend is None:
            hint = "it says where secrets are stored (docs/secrets.md)"
            yield ("profiles", "key_secret"), "no secrets.backend", "`secrets.backend` to be set too", hint
        return
    for name in ("key_secret", "key_secrets_before"):
        if getattr(profiles, name):
            yield ("profiles", name), "no profiles.store", "`store` to be set too", "only snapshots have keys"
