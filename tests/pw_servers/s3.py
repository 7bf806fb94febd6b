"""A real S3 server on loopback: moto's. It keeps objects private, and does not look at the expiry of links."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pw_servers.moto import moto_server
from pw_servers.no_tls import NO_TLS

BUCKET = "artifacts"
ACCESS_KEY, SECRET_KEY = "AKIAEXAMPLE", "a secret key"
ENVIRONMENT = {
    "AWS_ALLOW_HTTP": "true",
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REGION": "us-east-1",
}
"""What a worker needs to use the server, in addition to AWS_ENDPOINT."""


@contextmanager
def s3_server() -> Iterator[str]:
    """A server with one bucket. Yields its URL."""
    with moto_server() as (url, _):
        httpx.put(f"{url}/{BUCKET}", verify=NO_TLS).raise_for_status()
        yield url


def is_signed(link: str) -> bool:
    """Whether the link's signature is the one that AWS's own library computes for its address, time and expiry."""
    url = httpx.URL(link)
    signer = S3SigV4QueryAuth(
        Credentials(ACCESS_KEY, SECRET_KEY), "s3", ENVIRONMENT["AWS_REGION"], int(url.params["X-Amz-Expires"])
    )
    request = AWSRequest("GET", str(url.copy_with(query=url.query.rpartition(b"&X-Amz-Signature=")[0])))
    request.context["timestamp"] = url.params["X-Amz-Date"]
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return bool(expected == url.params["X-Amz-Signature"])
