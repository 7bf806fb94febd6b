"""A real server with the API of AWS Secrets Manager and KMS on loopback: moto's."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from pw_servers.moto import moto_server

REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "an access key", "AWS_REGION": REGION}
"""What a worker needs in its environment, beside the address."""


class SecretsManager:
    """A running server, and the operator's side of it."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url = url
        self.process = process
        # Any: boto3 has no types.
        self.client: Any = self._client("secretsmanager")

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def new_key(self) -> str:
        """The id of a new key of KMS."""
        return str(self._client("kms").create_key()["KeyMetadata"]["KeyId"])

    def put(self, tenant: str, name: str, value: str, **more: Any) -> None:
        """Store a secret, as a new version where it exists."""
        secret_id = f"pageworker/{tenant}/{name}"
        try:
            self.client.create_secret(Name=secret_id, SecretString=value, **more)
        except self.client.exceptions.ResourceExistsException:
            self.client.put_secret_value(SecretId=secret_id, SecretString=value)


@contextmanager
def secrets_manager() -> Iterator[SecretsManager]:
    """A new server."""
    with moto_server() as (url, process):
        yield SecretsManager(url, process)
