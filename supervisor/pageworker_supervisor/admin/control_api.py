"""The application of the control socket: what `workerctl` asks of a running worker. It can change the worker's
state."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pageworker_supervisor.admin.drain_stream import RunningDrains
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.log_stream import LogRequest, log_lines
from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.admin.peer_credentials import PEER_UID
from pageworker_supervisor.admin.status import CancelRequest, DrainRequest, WorkerControl
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.audit.outcome_text import failed_text
from pageworker_supervisor.telemetry.recent_lines import RecentLines

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 5.0

T = TypeVar("T")


class BadRequest(Exception):
    """The caller sent a body that is not valid."""


def control_app(
    worker: WorkerControl, drains: RunningDrains, recent_lines: RecentLines, decisions: Decisions
) -> Starlette:
    """The routes of the control socket. Who changes the worker is recorded in the audit log, also if it refuses."""

    async def status(_: Request) -> Response:
        return json_response(worker.status())

    async def drain(request: Request) -> Response:
        asked = await _body(request, DrainRequest)
        if asked.deadline_seconds is not None and asked.deadline_seconds < 0:
            raise BadRequest("`deadline_seconds` is negative: give 0 or more")
        detail = {"cancel": "yes"} if asked.cancel else {}
        if asked.deadline_seconds is not None:
            detail["deadline_seconds"] = f"{asked.deadline_seconds:g}"
        with _recorded(decisions, request, "drain", worker.status().worker_id, detail):
            lines = await drains.start(worker.drain(asked.deadline_seconds, cancel=asked.cancel))
        return StreamingResponse(lines, media_type="application/jsonl")

    async def undrain(request: Request) -> Response:
        with _recorded(decisions, request, "undrain", worker.status().worker_id):
            await worker.undrain()
        return json_response(worker.status())

    async def cancel(request: Request) -> Response:
        asked = await _body(request, CancelRequest)
        with _recorded(decisions, request, "cancel", str(asked.job)):
            cancelled = await worker.cancel(asked.job)
        return json_response(cancelled)

    async def logs(request: Request) -> Response:
        asked = await _body(request, LogRequest)
        return StreamingResponse(log_lines(recent_lines, asked), media_type="application/jsonl")

    return Starlette(
        routes=[
            Route("/status", status, methods=["GET"]),
            Route("/drain", drain, methods=["POST"]),
            Route("/undrain", undrain, methods=["POST"]),
            Route("/resume", undrain, methods=["POST"]),  # the name before 0.2, answered until 1.0
            Route("/cancel", cancel, methods=["POST"]),
            Route("/logs", logs, methods=["POST"]),
        ],
        exception_handlers={BadRequest: _bad_request, WorkerRefused: _refused},
    )


@contextmanager
def _recorded(
    decisions: Decisions, request: Request, action: str, target: str, detail: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Record how it went. The record waits in the worker: a worker that Redis does not reach can be drained, too."""
    uid = getattr(request.state, PEER_UID)
    outcome = "done"
    try:
        yield
    except BaseException as failed:
        outcome = failed_text(failed)
        raise
    finally:
        decisions.record(action, target, outcome=outcome, detail=detail, uid=uid)


async def _body(request: Request, type_: type[T]) -> T:
    """Raises BadRequest."""
    untrusted_body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                untrusted_body += chunk
                if len(untrusted_body) > MAX_BODY_BYTES:
                    raise BadRequest(f"the body is larger than {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise BadRequest(f"the body did not arrive within {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise BadRequest("the caller closed the connection before the body was complete") from None
    try:
        return msgspec.json.decode(untrusted_body or b"{}", type=type_)
    except msgspec.DecodeError as error:
        raise BadRequest(str(error)) from error


async def _bad_request(_: Request, error: Exception) -> Response:
    return json_response({"error": str(error)}, 400)


async def _refused(_: Request, error: Exception) -> Response:
    return json_response({"error": str(error)}, 409)
