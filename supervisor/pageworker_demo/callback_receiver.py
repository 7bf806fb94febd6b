"""Receives callbacks as n8n's Wait node does, and checks their signatures as a careful receiver should."""

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

from pageworker_supervisor.contract.job_ref import JobRef

MAX_AGE_SECONDS = 300
NOT_PARKED_YET = {"code": 409, "message": "The execution is running already."}


@dataclass(frozen=True)
class ReceivedCallback:
    """One callback. `accepted` where it was answered with 200; `genuine` where its signature holds."""

    ref: JobRef
    genuine: bool
    accepted: bool


def genuine(secret: bytes, signature: str, body: bytes, now: float) -> bool:
    """Check `t=<unix>,v1=<hex>`: HMAC-SHA256 of "t.body", not older than five minutes."""
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    stamp = parts.get("t", "")
    if not stamp.isdigit() or abs(now - int(stamp)) > MAX_AGE_SECONDS:
        return False
    right = hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right, parts.get("v1", ""))


class DemoReceiver:
    """Answers the first callback of every tenant as n8n does while it has not parked the execution yet."""

    def __init__(self, secret: bytes) -> None:
        self.deliveries: list[ReceivedCallback] = []
        self.changed = asyncio.Event()
        self.app = Starlette(routes=[Route("/{tenant}", self._receive, methods=["POST"])])
        self.secret = secret
        self._met: set[str] = set()

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        tenant: str = request.path_params["tenant"]
        signature = request.headers.get("pageworker-signature", "")
        real = genuine(self.secret, signature, body, time.time())
        too_early = tenant not in self._met
        self._met.add(tenant)
        accepted = real and not too_early
        result = json.loads(body)
        ref = JobRef(result["tenant_id"], result["job_id"])
        self.deliveries.append(ReceivedCallback(ref, genuine=real, accepted=accepted))
        self.changed.set()
        if not real:
            return JSONResponse({"error": "wrong signature"}, 401)
        return JSONResponse(NOT_PARKED_YET, 409) if too_early else JSONResponse({"ok": True})
