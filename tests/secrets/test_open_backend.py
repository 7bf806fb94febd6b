"""The backend that the settings name, and what is said where there is none."""

import io
from pathlib import Path

import pytest

from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.config.secret_settings import (
    EnvironmentSecretSettings,
    FileSecretSettings,
    SecretSettings,
    SystemdSecretSettings,
)
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.telemetry import log_to

REF = SecretRef("acme", "login")


async def test_without_a_backend_no_secret_exists() -> None:
    with pytest.raises(SecretMissing, match=r"secrets\.backend"):
        await open_backend(SecretSettings(), {}).fetch(REF)


async def test_files(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "login").write_text("correct-horse")
    (tmp_path / "acme" / "login").chmod(0o600)
    settings = SecretSettings(backend="files", files=FileSecretSettings(folder=tmp_path))
    assert (await open_backend(settings, {}).fetch(REF)).value == "correct-horse"


async def test_credentials_of_systemd_are_where_it_says(tmp_path: Path) -> None:
    (tmp_path / "acme.login").write_text("correct-horse")
    (tmp_path / "acme.login").chmod(0o400)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert (await open_backend(SecretSettings(backend="systemd"), environ).fetch(REF)).value == "correct-horse"
    settings = SecretSettings(backend="systemd", systemd=SystemdSecretSettings(folder=tmp_path))
    assert (await open_backend(settings, {}).fetch(REF)).value == "correct-horse"


async def test_without_credentials_of_systemd_the_job_waits() -> None:
    with pytest.raises(SecretUnavailable, match="LoadCredential="):
        await open_backend(SecretSettings(backend="systemd"), {}).fetch(REF)


async def test_the_environment_is_warned_about() -> None:
    lines = io.StringIO()
    log_to(LogSettings(format="text"), lines)
    settings = SecretSettings(backend="environment", environment=EnvironmentSecretSettings(allow=True))
    backend = open_backend(settings, {"SECRET__ACME__LOGIN": "correct-horse"})
    log_to(LogSettings())
    assert "for development only" in lines.getvalue()
    assert (await backend.fetch(REF)).value == "correct-horse"
