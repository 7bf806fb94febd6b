"""Keys of callbacks come from a file or from the secret backend, each tenant its own."""

from pathlib import Path

import pytest

from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.delivery.callback_secrets import CallbackSecrets, CallbackSecretUnreadable
from pageworker_supervisor.secrets.environment import EnvironmentBackend
from pageworker_supervisor.secrets.store import SecretStore

KEY = "a key that receivers know"
BY_NAME = TenantSettings(callback_secret="callback_key")


def secrets(**environ: str) -> CallbackSecrets:
    return CallbackSecrets(SecretStore(EnvironmentBackend(environ)))


async def test_a_key_from_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "acme.callback"
    file.write_text(f"{KEY}\n")
    tenant, known = TenantSettings(callback_secret_file=file), secrets()
    assert await known.secret("acme", tenant) == KEY.encode()
    file.write_text("another key of this tenant")
    assert await known.secret("acme", tenant) == b"another key of this tenant"
    file.unlink()
    with pytest.raises(CallbackSecretUnreadable, match=r"acme\.callback"):
        await known.secret("acme", tenant)


async def test_a_key_by_name_is_the_tenants_own() -> None:
    known = secrets(SECRET__ACME__CALLBACK_KEY=KEY)
    assert await known.secret("acme", BY_NAME) == KEY.encode()
    with pytest.raises(CallbackSecretUnreadable, match="SECRET__GLOBEX__CALLBACK_KEY is not set"):
        await known.secret("globex", BY_NAME)


async def test_a_key_that_is_too_short_signs_nothing() -> None:
    with pytest.raises(CallbackSecretUnreadable, match="fewer than 16 bytes"):
        await secrets(SECRET__ACME__CALLBACK_KEY="short").secret("acme", BY_NAME)


async def test_a_tenant_without_a_key_is_told_so() -> None:
    with pytest.raises(CallbackSecretUnreadable, match="no callback secret"):
        await secrets().secret("acme", TenantSettings())
