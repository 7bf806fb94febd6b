"""The backend that the settings name."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pageworker_supervisor.config.secret_settings import SecretSettings
from pageworker_supervisor.secrets.backend import FetchedSecret, SecretBackend, SecretRef
from pageworker_supervisor.secrets.environment import EnvironmentBackend
from pageworker_supervisor.secrets.errors import SecretBackendAway, SecretMissing
from pageworker_supervisor.secrets.files import FileBackend
from pageworker_supervisor.secrets.secret_paths import secret_folder
from pageworker_supervisor.telemetry import log


class NoBackend:
    """Stands for a backend that is not there, and says why. `missing`: no secret exists; else all are out of reach."""

    def __init__(self, reason: str, *, missing: bool) -> None:
        self._error = SecretMissing if missing else SecretBackendAway
        self._reason = reason

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """See SecretBackend. Always raises."""
        raise self._error(self._reason)

    async def run(self) -> None:
        """There is no login to keep."""
        await asyncio.Event().wait()


def open_backend(settings: SecretSettings, environ: Mapping[str, str]) -> SecretBackend:
    """The backend, not logged in yet. `environ`: the environment of the worker."""
    match settings.backend:
        case None:
            return NoBackend("this worker has no secret backend (setting secrets.backend)", missing=True)
        case "files":
            return FileBackend(secret_folder(settings, environ) or Path("/nonexistent"), "/")
        case "systemd":
            folder = secret_folder(settings, environ)
            if folder is None:
                hint = "set LoadCredential= in the unit, or secrets.systemd.folder"
                return NoBackend(f"systemd gave this worker no credentials: {hint}", missing=False)
            return FileBackend(folder, ".")
        case "environment":
            log.warning("secrets are read from environment variables: for development only")
            return EnvironmentBackend(environ)
        case "vault":
            # These two libraries cost a worker 40 MB of memory, so they are imported where they are used.
            from pageworker_supervisor.secrets.vault import VaultBackend

            return VaultBackend(settings.vault, settings.lease_seconds)
        case "aws":
            from pageworker_supervisor.secrets.aws import AwsBackend

            return AwsBackend(settings.aws, settings.lease_seconds)
