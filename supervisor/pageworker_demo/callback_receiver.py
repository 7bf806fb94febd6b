"""Receives callbacks as n8n's Wait node does, and checks their signatures as every receiver should."""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pageworker_supervisor.contract.job import JobRef

MAX_AGE_SECONDS = 300
STILL_RUNNING = {"code": 409, "message": "The execution is running already."}
"""n8n's answer to a callback that comes before the execution waits for it."""


@dataclass(frozen=True)
class ReceivedCallback:
    """One callback. `accepted`: it was answered with 200. `genuine`: its signature is valid."""

    ref: JobRef
    genuine: bool
    accepted: bool


def genuine(secret: bytes, signature: str, body: bytes, now: float) -> bool:
    """Whether `t=<unix>,v1=<hex>` is the HMAC-SHA256 of "t.body" under `secret`, and less than five minutes old."""
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    stamp = parts.get("t", "")
    if not stamp.isdigit() or abs(now - int(stamp)) > MAX_AGE_SECONDS:
        return False
    expected = hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts.get("v1", ""))


class DemoReceiver:
    """Answers each tenant's first callback with 409, as n8n does until the execution waits; all others with 200."""

    def __init__(self, secret: bytes) -> None:
        self.callbacks: list[ReceivedCallback] = []
        self.changed = asyncio.Event()
        self.app = Starlette(routes=[Route("/{tenant}", self._receive, methods=["POST"])])
        self.secret = secret
        self._seen: set[str] = set()

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        tenant: str = request.path_params["tenant"]
        signature = request.headers.get("pageworker-signature", "")
        is_genuine = genuine(self.secret, signature, body, time.time())
        too_early = tenant not in self._seen
        self._seen.add(tenant)
        accepted = is_genuine and not too_early
        result = json.loads(body)
        ref = JobRef(result["tenant_id"], result["job_id"])
        self.callbacks.append(ReceivedCallback(ref, genuine=is_genuine, accepted=accepted))
        self.changed.set()
        if not is_genuine:
            return JSONResponse({"error": "wrong signature"}, 401)
        return JSONResponse(STILL_RUNNING, 409) if too_early else JSONResponse({"ok": True})
