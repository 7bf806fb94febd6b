"""The section `[secrets]`: where secrets of tenants are, and which jobs get which."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from pageworker_supervisor.config.section import Section
from pageworker_supervisor.contract.type_names import describe_pattern

VAULT_PATH = describe_pattern(
    r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*\Z", "a path without a slash at its ends, e.g. team/pageworker"
)


class FileSecretSettings(Section, frozen=True):
    """Secrets in a folder: the file `TENANT/NAME` holds the secret NAME of a tenant."""

    folder: Path | None = None
    """The folder. Other users must not be able to use its files: `chmod 600`. White space around a value is ignored. A
    file is read again when it changes."""


class SystemdSecretSettings(Section, frozen=True):
    """Credentials of the systemd unit: the credential `TENANT.NAME` holds the secret NAME of a tenant."""

    folder: Path | None = None
    """The folder of the credentials. Default: what $CREDENTIALS_DIRECTORY names, which systemd sets."""


class EnvironmentSecretSettings(Section, frozen=True):
    """Secrets in environment variables of the worker, for development: `SECRET__TENANT__NAME`, in capitals, with `_`
    for `-`."""

    allow: bool = False
    """Must be true to use this backend. Every process of the worker's user can read its variables."""


class VaultSecretSettings(Section, frozen=True):
    """HashiCorp Vault or OpenBao, a KV store of version 2: the secret NAME of a tenant is at `path/TENANT/NAME`."""

    url: str | None = None
    """Address, e.g. https://vault.example:8200."""
    auth: Literal["token", "approle", "kubernetes"] = "token"
    """How the worker logs in: with the token in `token_file`, as an AppRole (`role_id`, `secret_id_file`), or with its
    Kubernetes service account (`role`)."""
    auth_mount: Annotated[str, Meta(pattern=VAULT_PATH)] | None = None
    """Where the auth method is mounted. Default: its name."""
    token_file: Path | None = None
    """File with a token. The worker renews the token, and reads the file again when it changes."""
    role_id: str | None = None
    """The AppRole's role id. It is no secret."""
    secret_id_file: Path | None = None
    """File with the AppRole's secret id. It is read for each login."""
    role: str | None = None
    """Role of the Kubernetes auth method."""
    service_account_token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    """File with the token of the service account. It is read for each login."""
    mount: Annotated[str, Meta(pattern=VAULT_PATH)] = "secret"
    """Where the KV store is mounted."""
    path: Annotated[str, Meta(pattern=VAULT_PATH)] = "pageworker"
    """Path in the store below which the tenants are."""
    key: Annotated[str, Meta(min_length=1, max_length=128)] = "value"
    """Key of the entry that holds the value: `vault kv put secret/pageworker/acme/shop_login value=…`."""
    namespace: str | None = None
    """Namespace of Vault Enterprise or OpenBao. Default: none."""
    ca_file: Path | None = None
    """PEM file with the CA certificates for https. Default: the certificates of the system."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Maximum seconds to connect, and again for the answer. Then the backend counts as away."""


class AwsSecretSettings(Section, frozen=True):
    """AWS Secrets Manager, which decrypts with KMS: the secret NAME of a tenant is `prefix` and `TENANT/NAME`.

    The worker logs in as the AWS SDK does: by the role of its pod or instance, or by the usual variables."""

    region: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}\Z")] | None = None
    """Region. Default: what the AWS SDK finds."""
    endpoint_url: str | None = None
    """Address of the service, for a VPC endpoint. Default: that of the region."""
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9/_+=.@-]{0,200}\Z")] = "pageworker/"
    """How the names of all secrets begin."""
    key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    """Key of the JSON object that holds the value. Default: the secret's whole text is the value."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Maximum seconds to connect, and again for the answer. Then the backend counts as away."""


class SecretGrantSettings(Section, frozen=True):
    """Which tenants and modules get the secrets that a name or a glob of names covers. The longest matching key wins.

    A module gets a secret of its job's tenant only if `secrets` in its module.toml lists the name, too."""

    tenants: tuple[str, ...] = ()
    """Globs of tenants. Default: none."""
    modules: tuple[str, ...] = ()
    """Globs of module names, e.g. `shop.*`. Default: none."""


class SecretSettings(Section, frozen=True):
    """Where secrets of tenants are, and which jobs get which. docs/secrets.md shows each backend."""

    backend: Literal["files", "systemd", "environment", "vault", "aws"] | None = None
    """Where secrets are. Default: nowhere, so no job gets one."""
    lease_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    """Seconds for which a value of `vault` or `aws` may be used if the backend names no lease. The worker asks again
    after half of it. While the backend is away, it uses the last value to the end of the lease."""
    files: FileSecretSettings = FileSecretSettings()
    systemd: SystemdSecretSettings = SystemdSecretSettings()
    environment: EnvironmentSecretSettings = EnvironmentSecretSettings()
    vault: VaultSecretSettings = VaultSecretSettings()
    aws: AwsSecretSettings = AwsSecretSettings()
    grants: dict[str, SecretGrantSettings] = {}
