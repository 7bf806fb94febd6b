"""Rules of [secrets]: one broken at a time, and which setting is named."""

from pathlib import Path

import pytest

from pageworker_supervisor.config.secret_rules import secret_settings_findings
from pageworker_supervisor.config.secret_settings import (
    AwsSecretSettings,
    EnvironmentSecretSettings,
    FileSecretSettings,
    SecretGrantSettings,
    SecretSettings,
    SystemdSecretSettings,
    VaultSecretSettings,
)

NOWHERE = Path("/nonexistent")
URL = "https://vault.example:8200"
ALL = SecretGrantSettings(tenants=("*",), modules=("*",))


def broken(settings: SecretSettings) -> list[str]:
    return [".".join(path) for path, _, _, _ in secret_settings_findings(settings)]


@pytest.mark.parametrize(
    "settings",
    [
        SecretSettings(),
        SecretSettings(backend="files", files=FileSecretSettings(folder=Path("/")), grants={"shop_*": ALL}),
        SecretSettings(backend="systemd"),
        SecretSettings(backend="environment", environment=EnvironmentSecretSettings(allow=True)),
        SecretSettings(backend="vault", vault=VaultSecretSettings(url=URL, token_file=NOWHERE)),
        SecretSettings(
            backend="vault", vault=VaultSecretSettings(url=URL, auth="approle", role_id="r", secret_id_file=NOWHERE)
        ),
        SecretSettings(backend="vault", vault=VaultSecretSettings(url=URL, auth="kubernetes", role="pageworker")),
        SecretSettings(backend="aws"),
        # What is not in use is not checked: one file may serve several kinds of hosts.
        SecretSettings(backend="aws", files=FileSecretSettings(folder=NOWHERE)),
    ],
)
def test_these_are_complete(settings: SecretSettings) -> None:
    assert broken(settings) == []


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        (SecretSettings(backend="files"), ["secrets.files.folder"]),
        (SecretSettings(backend="files", files=FileSecretSettings(folder=NOWHERE)), ["secrets.files.folder"]),
        (SecretSettings(backend="systemd", systemd=SystemdSecretSettings(folder=NOWHERE)), ["secrets.systemd.folder"]),
        (SecretSettings(backend="environment"), ["secrets.backend"]),
        (SecretSettings(backend="vault"), ["secrets.vault.url", "secrets.vault.token_file"]),
        (
            SecretSettings(backend="vault", vault=VaultSecretSettings(url="vault.example", auth="approle")),
            ["secrets.vault.url", "secrets.vault.role_id", "secrets.vault.secret_id_file"],
        ),
        (
            SecretSettings(backend="vault", vault=VaultSecretSettings(url=URL, auth="kubernetes", ca_file=NOWHERE)),
            ["secrets.vault.role", "secrets.vault.ca_file"],
        ),
        (
            SecretSettings(backend="aws", aws=AwsSecretSettings(endpoint_url="s3://x")),
            ["secrets.aws.endpoint_url"],
        ),
        (SecretSettings(grants={"login": ALL}), ["secrets.grants"]),
        (SecretSettings(backend="aws", grants={"Login": ALL}), ["secrets.grants.Login"]),
        (
            SecretSettings(backend="aws", grants={"login": SecretGrantSettings()}),
            ["secrets.grants.login.tenants", "secrets.grants.login.modules"],
        ),
        (
            SecretSettings(backend="aws", grants={"login": SecretGrantSettings(tenants=("A",), modules=("a-b",))}),
            ["secrets.grants.login.tenants", "secrets.grants.login.modules"],
        ),
    ],
)
def test_a_broken_rule_names_its_setting(settings: SecretSettings, keys: list[str]) -> None:
    assert broken(settings) == keys
