"""Reads and writes the parameters below one path of the AWS Parameter Store. boto3 blocks, so each call is a thread's.

Region, credentials and endpoint come from where boto3 looks for them: environment, shared files, the instance's role.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from pageworker_supervisor.central.parameter_change import ParameterChange

T = TypeVar("T")

CONNECT_SECONDS = 5
READ_SECONDS = 10
UNKNOWN = "unknown"
MENDS = {
    "AccessDeniedException": "give the role ssm:GetParametersByPath and ssm:DescribeParameters for the path; to change"
    " parameters also ssm:PutParameter and ssm:DeleteParameter",
    "ExpiredTokenException": "renew the credentials of this host",
    "UnrecognizedClientException": "correct the credentials of this host",
    "InvalidSignatureException": "correct the credentials and the clock of this host",
    "ThrottlingException": "raise config.poll_seconds",
    "NoCredentialsError": "give this host credentials: a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "NoRegionError": "set AWS_DEFAULT_REGION",
    "EndpointConnectionError": "check network and region",
    "ConnectTimeoutError": "check network and region",
    "ReadTimeoutError": "check network and region",
}


class ParameterStoreAway(Exception):
    """The Parameter Store did not serve a call. `mend` says how to fix it."""

    def __init__(self, path: str, error: Exception) -> None:
        code = type(error).__name__
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", code))
        self.mend = MENDS.get(code, "read the documentation of AWS Systems Manager for this error")
        super().__init__(f"Parameter Store at {path}: {code}: {error}; {self.mend}")


class ParameterStore:
    """The parameters below a path, by their whole names. All methods raise ParameterStoreAway."""

    def __init__(self, path: str) -> None:
        self.path = path
        # Any: boto3 has no types.
        self._client: Any = None

    async def read(self) -> dict[str, str]:
        """Every parameter and its value; values of a SecureString are decrypted."""

        def call(client: Any) -> dict[str, str]:
            pages = client.get_paginator("get_parameters_by_path").paginate(
                Path=self.path, Recursive=True, WithDecryption=True
            )
            return {found["Name"]: found["Value"] for page in pages for found in page["Parameters"]}

        return await self._call(call)

    async def changed_by(self) -> str:
        """Who changed a parameter last: the ARN of a user, or `unknown`."""

        def call(client: Any) -> str:
            option = {"Key": "Path", "Option": "Recursive", "Values": [self.path]}
            pages = client.get_paginator("describe_parameters").paginate(ParameterFilters=[option])
            found = [found for page in pages for found in page["Parameters"]]
            if not found:
                return UNKNOWN
            return str(max(found, key=lambda one: one["LastModifiedDate"]).get("LastModifiedUser") or UNKNOWN)

        try:
            return await self._call(call)
        except ParameterStoreAway:
            return UNKNOWN  # The name is only told; the values count without it.

    async def write(self, change: ParameterChange) -> None:
        """Write parameters and delete others, one after the other: there is no transaction."""

        def call(client: Any) -> None:
            for name, value in change.put.items():
                client.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
            for name in change.delete:
                client.delete_parameter(Name=name)

        await self._call(call)

    async def _call(self, call: Callable[[Any], T]) -> T:
        try:
            return await asyncio.to_thread(lambda: call(self._connected()))
        except (BotoCoreError, ClientError) as error:
            raise ParameterStoreAway(self.path, error) from error

    def _connected(self) -> Any:
        if self._client is None:
            # Imported here: it takes 20 MB, which workers without a Parameter Store need not have.
            import boto3
            from botocore.config import Config

            options = Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": 2, "mode": "standard"},
            )
            # A session of its own: the default one is shared with every thread of the process.
            self._client = boto3.session.Session().client("ssm", config=options)
        return self._client
