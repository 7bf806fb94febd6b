"""Answers what the handler of an attempt asks about side effects that must not repeat, while the attempt runs."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.once_messages import MAX_ONCE_VALUE_BYTES
from pageworker_supervisor.queue.once import OnceReply
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.secrets.masker import SecretMasker

Record = Callable[[m.OnceRequest], Awaitable[OnceReply]]


async def answer_once_requests(page: PageReservation, record: Record) -> None:
    """Answer one request after the other, in their order, until the attempt has ended."""
    while (request := await page.next_request(page.once_requests)) is not None:
        reply = await record(msgspec.structs.replace(request, value=masked_value(request.value, page.masker)))
        answer = m.OnceAnswer(
            attempt_id=request.attempt_id, number=request.number, state=reply.state, value=reply.value
        )
        await page.runner.answer(page, answer)


def masked_value(untrusted_json: bytes | None, masker: SecretMasker) -> bytes | None:
    """The JSON without the job's secrets; None for what is no JSON, or is too large then. Pure."""
    if untrusted_json is None:
        return None
    try:
        # Any: whatever the module stores.
        value: Any = msgspec.json.decode(untrusted_json)
        kept = msgspec.json.encode(masker.plain(value) if masker else value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return kept if len(kept) <= MAX_ONCE_VALUE_BYTES else None
