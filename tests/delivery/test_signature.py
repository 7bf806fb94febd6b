"""The signature that receivers verify."""

import hashlib
import hmac
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.delivery.signature import sign


def test_a_known_signature() -> None:
    """The expected value is openssl's: printf '1900000000.{}' | openssl dgst -sha256 -hmac key"""
    printed = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", "key"], input=b"1900000000.{}", capture_output=True, check=True
    ).stdout
    assert sign(b"key", 1_900_000_000, b"{}") == f"t=1900000000,v1={printed.decode().split()[-1]}"


@given(st.binary(min_size=1), st.integers(0, 2**40), st.binary())
def test_time_body_and_secret_are_all_signed(secret: bytes, timestamp: int, body: bytes) -> None:
    expected = hmac.new(secret, str(timestamp).encode() + b"." + body, hashlib.sha256).hexdigest()
    assert sign(secret, timestamp, body) == f"t={timestamp},v1={expected}"
    assert sign(secret, timestamp, body + b"x") != sign(secret, timestamp, body)
    assert sign(secret, timestamp + 1, body) != sign(secret, timestamp, body)
