"""The settings of secrets, as a file gives them."""

import msgspec
import pytest

from pageworker_supervisor.config.secret_settings import (
    AwsSecretSettings,
    SecretGrantSettings,
    SecretSettings,
    VaultSecretSettings,
)
from pageworker_supervisor.config.settings import TenantSettings


def test_by_default_there_is_no_backend_and_nothing_is_granted() -> None:
    settings = SecretSettings()
    assert (settings.backend, settings.grants, settings.environment.allow) == (None, {}, False)
    assert SecretGrantSettings() == SecretGrantSettings(tenants=(), modules=())


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "a b", "../a?", "a/\n"])
@pytest.mark.parametrize("field", ["mount", "path", "auth_mount"])
def test_a_path_in_vault_is_plain(field: str, path: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({field: path}, VaultSecretSettings)
    assert msgspec.convert({field: "team-1/page.worker"}, VaultSecretSettings)


@pytest.mark.parametrize(
    "wrong", [{"region": "eu central"}, {"prefix": "a b"}, {"prefix": "ä"}, {"timeout_seconds": 0}, {"key": ""}]
)
def test_a_name_that_aws_does_not_have_is_a_mistake(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, AwsSecretSettings)


def test_a_callback_secret_is_named_like_every_secret() -> None:
    assert msgspec.convert({"callback_secret": "callback_key"}, TenantSettings)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"callback_secret": "/etc/key"}, TenantSettings)
