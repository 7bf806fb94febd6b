"""Receivers verify with the library of Standard Webhooks."""

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from pageworker_supervisor.delivery.standard_webhooks import message_id, webhook_headers

SECRET = b"a secret of sixteen bytes or more\n"
BODY = '{"type": "job.succeeded", "data": {"name": "ü"}}'.encode()


def test_the_library_accepts_what_was_sent_and_nothing_else() -> None:
    receiver = Webhook("whsec_" + base64.b64encode(SECRET).decode())
    now, id_ = int(time.time()), message_id("0123~acme/sub_1")
    sent = webhook_headers(SECRET, id_, now, BODY)
    assert receiver.verify(BODY, sent) == {"type": "job.succeeded", "data": {"name": "ü"}}
    for headers, body in (
        (sent, BODY + b" "),
        ({**sent, "webhook-id": message_id("0124~acme/sub_1")}, BODY),
        ({**sent, "webhook-timestamp": str(now + 1)}, BODY),
        (webhook_headers(b"another secret of sixteen bytes", id_, now, BODY), BODY),
        (webhook_headers(SECRET, id_, now - 301, BODY), BODY),
    ):
        with pytest.raises(WebhookVerificationError):
            receiver.verify(body, headers)


def test_an_id_does_not_show_the_name_of_its_entry() -> None:
    assert message_id("token") == message_id("token")
    assert "." not in message_id("a.b")
    assert "token" not in message_id("token")
