"""The headers of Standard Webhooks, beside those of our own. Pure.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac

HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def message_id(entry_id: str) -> str:
    """The id of a message: the same for all tries of one outbox entry. The entry's name holds a fencing token, so it is
    not shown. It has no full stop, as the specification asks for: full stops separate the parts that are signed."""
    return f"msg_{hashlib.sha256(entry_id.encode()).hexdigest()[:32]}"


def webhook_headers(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers. The key is the secret itself; libraries take it as `whsec_` and its base64."""
    signed = b"%s.%d." % (webhook_id.encode(), timestamp) + body
    digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return {HEADER_ID: webhook_id, HEADER_TIMESTAMP: str(timestamp), HEADER_SIGNATURE: f"v1,{digest}"}
