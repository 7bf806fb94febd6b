"""What the handler of one attempt asks and tells about side effects that must not repeat. Nothing is kept here."""

import asyncio
import re
from collections.abc import Callable

import msgspec

from pageworker import Failed
from pageworker.once import OnceAct, OnceState
from pageworker_runner.attempts.plain_data import plain
from pageworker_runner.errors import OutputLimit
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.once_messages import MAX_ONCE_KEYS, MAX_ONCE_VALUE_BYTES, ONCE_KEY

ENDED = "The attempt has ended: helpers.once works only while its handler runs."


class OnceRequests:
    """The requests of one attempt that have no answer yet."""

    def __init__(self, attempt_id: str, put: Callable[[m.Message], None]) -> None:
        self._attempt_id = attempt_id
        self._put = put
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[m.OnceAnswer]] = {}
        self._closed = False

    async def ask(self, key: str, act: OnceAct, value: object) -> tuple[OnceState, object]:
        """The record's state and value after `act`. Raises Failed, ValueError, OutputLimit."""
        if self._closed:
            raise ValueError(ENDED)
        if not re.fullmatch(ONCE_KEY, str(key)):
            raise ValueError(
                f"{key!r} is not a valid key of helpers.once: use 1 to 100 letters, digits, `.`, `_`, `:` and `-`, a "
                "letter or digit first, such as `order`."
            )
        if self._asked >= m.MAX_ONCE_REQUESTS:
            raise OutputLimit(
                f"An attempt may call helpers.once and its answers {m.MAX_ONCE_REQUESTS} times.",
                used=self._asked + 1,
                allowed=m.MAX_ONCE_REQUESTS,
                unit="requests",
            )
        packed = None if value is None else _json_of(value)
        self._asked += 1
        number = self._asked
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._put(m.OnceRequest(attempt_id=self._attempt_id, number=number, key=key, act=act, value=packed))
        try:
            answer = await answered
        finally:
            del self._waiting[number]
        return _state_of(answer, key), msgspec.json.decode(answer.value) if answer.value else None

    def answered(self, answer: m.OnceAnswer) -> None:
        """The supervisor's answer. One to a request that was given up is ignored."""
        waiting = self._waiting.get(answer.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def close(self) -> None:
        """The result is about to be sent: a task that the module left running gets no answer."""
        self._closed = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ValueError(ENDED))


def _json_of(value: object) -> bytes:
    packed = msgspec.json.encode(plain(value))
    if len(packed) > MAX_ONCE_VALUE_BYTES:
        raise ValueError(
            f"The value of helpers.once has {len(packed)} bytes of JSON: at most {MAX_ONCE_VALUE_BYTES} are kept."
        )
    return packed


def _state_of(answer: m.OnceAnswer, key: str) -> OnceState:
    match answer.state:
        case "full":
            text = f"helpers.once({key!r}): a job may have {MAX_ONCE_KEYS} keys."
            raise Failed(text, type="once_limit", detail={"key": key})
        case "lost":
            text = "The worker does not hold the job any more, so nothing may be begun: another worker has it."
            raise Failed(text, type="lease_lost", retryable=True, detail={"key": key})
        case state:
            return state
