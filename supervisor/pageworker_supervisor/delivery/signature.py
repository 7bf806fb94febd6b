"""The signature of a callback, in the scheme of Stripe's webhooks."""

import hashlib
import hmac

HEADER = "Pageworker-Signature"


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """`t=<unix>,v1=<hex HMAC-SHA256 of "t.body">`."""
    digest = hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
