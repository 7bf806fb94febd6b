"""The only secret that the API needs: the one that signs links to artifacts."""

from collections.abc import Mapping
from functools import partial

from pageworker_supervisor.artifacts.link_secret import ArtifactLinks
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry import mask_lines
from pageworker_supervisor.telemetry.metrics import Metrics


def open_links(settings: Settings, environ: Mapping[str, str]) -> tuple[SecretStore | None, ArtifactLinks | None]:
    """The store of secrets, which the caller runs, and the links. None: the settings name no secret for links."""
    if settings.artifacts.link_secret is None:
        return None, None
    store, masker = SecretStore(open_backend(settings.secrets, environ)), SecretMasker()
    mask_lines(partial(masker.text, cut=False))
    return store, ArtifactLinks.of(settings, FleetSecrets(store, masker, Metrics()))
