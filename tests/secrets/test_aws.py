"""Secrets in a real server with the API of AWS Secrets Manager: read, rotated, deleted, and out of reach."""

import pytest
from pw_servers.secrets_manager import REGION, SecretsManager

from pageworker_supervisor.config.secret_settings import AwsSecretSettings
from pageworker_supervisor.secrets.aws import AwsBackend
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretBackendAway, SecretMissing, SecretUnavailable


def backend(aws: SecretsManager, *, key: str | None = None, url: str | None = None) -> AwsBackend:
    return AwsBackend(
        AwsSecretSettings(region=REGION, endpoint_url=url or aws.url, key=key, timeout_seconds=10.0), 300.0
    )


@pytest.mark.usefixtures("aws_credentials")
class TestSecretsManager:
    """All with credentials from the environment."""

    async def test_a_secret_under_a_key_of_kms_and_its_rotation(self, aws: SecretsManager) -> None:
        ref = SecretRef("acme", "rotated")
        aws.put("acme", "rotated", "correct-horse", KmsKeyId=aws.new_key())
        manager = backend(aws)
        first = await manager.fetch(ref)
        aws.put("acme", "rotated", "battery-staple")
        second = await manager.fetch(ref)
        assert (first.value, first.lease_seconds) == ("correct-horse", 300.0)
        assert second.value == "battery-staple"
        assert first.version != second.version

    async def test_tenants_have_names_of_their_own(self, aws: SecretsManager) -> None:
        aws.put("acme", "shared_name", "of acme")
        with pytest.raises(SecretMissing, match="pageworker/globex/shared_name does not exist"):
            await backend(aws).fetch(SecretRef("globex", "shared_name"))

    async def test_a_secret_that_is_marked_for_deletion_is_missing(self, aws: SecretsManager) -> None:
        aws.put("acme", "deleted", "correct-horse")
        aws.client.delete_secret(SecretId="pageworker/acme/deleted")
        with pytest.raises(SecretMissing, match="is marked for deletion"):
            await backend(aws).fetch(SecretRef("acme", "deleted"))

    async def test_a_binary_secret_is_its_text(self, aws: SecretsManager) -> None:
        aws.client.create_secret(Name="pageworker/acme/binary", SecretBinary="pässwörd".encode())
        assert (await backend(aws).fetch(SecretRef("acme", "binary"))).value == "pässwörd"

    async def test_one_value_of_a_json_object(self, aws: SecretsManager) -> None:
        aws.put("acme", "login", '{"user": "ada", "password": "correct-horse"}')
        ref = SecretRef("acme", "login")
        assert (await backend(aws, key="password").fetch(ref)).value == "correct-horse"
        with pytest.raises(SecretMissing, match=r"no key `pin` \(setting secrets\.aws\.key\)") as caught:
            await backend(aws, key="pin").fetch(ref)
        assert "horse" not in str(caught.value)
        aws.put("acme", "plain", "correct-horse")
        with pytest.raises(SecretMissing, match="is no JSON") as caught:
            await backend(aws, key="password").fetch(SecretRef("acme", "plain"))
        assert "horse" not in str(caught.value)

    async def test_a_server_that_is_not_there_is_named_so(self, aws: SecretsManager) -> None:
        away = backend(aws, url="http://127.0.0.1:1")
        with pytest.raises(SecretBackendAway, match="does not answer"):
            await away.fetch(SecretRef("acme", "any"))
        with pytest.raises(SecretBackendAway, match="does not answer"):
            await away.log_in()

    async def test_a_login_needs_no_secret(self, aws: SecretsManager) -> None:
        await backend(aws).log_in()


async def test_without_credentials_the_job_waits(
    aws: SecretsManager, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SecretUnavailable, match="does not answer: Unable to locate credentials"):
        await backend(aws).fetch(SecretRef("acme", "any"))
    with pytest.raises(SecretUnavailable, match="Unable to locate credentials") as caught:
        await backend(aws).log_in()
    assert not isinstance(caught.value, SecretBackendAway)
