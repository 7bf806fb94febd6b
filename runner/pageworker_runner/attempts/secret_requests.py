"""Secrets that the handler of one attempt asks the supervisor for. Nothing of them is kept here."""

import asyncio
import re
from collections.abc import Callable
from typing import Literal

from pageworker import Failed
from pageworker_runner.errors import OutputLimit
from pageworker_sandbox.wire import messages as m

ENDED = "The attempt has ended: a secret can be asked for only while its handler runs."


class SecretRequests:
    """The requests of one attempt that have no answer yet."""

    def __init__(self, attempt_id: str, put: Callable[[m.Message], None]) -> None:
        self._attempt_id = attempt_id
        self._put = put
        self._asked = 0
        self._waiting: dict[int, tuple[str, asyncio.Future[str]]] = {}
        self._closed = False

    async def ask(self, name: str, form: Literal["value", "totp"]) -> str:
        """The secret, or a one-time password made of it. Raises Failed (`secret_denied`), ValueError, OutputLimit."""
        if self._closed:
            raise ValueError(ENDED)
        if not re.fullmatch(m.SECRET_NAME, str(name)):
            raise ValueError(
                f"{name!r} is not a valid name of a secret: use 1 to 63 lower-case letters and digits, with single `_` "
                "between words, such as `shop_login`."
            )
        if self._asked >= m.MAX_SECRET_REQUESTS:
            raise OutputLimit(
                f"An attempt may ask for secrets {m.MAX_SECRET_REQUESTS} times: keep the value in a variable.",
                used=self._asked + 1,
                allowed=m.MAX_SECRET_REQUESTS,
                unit="requests",
            )
        self._asked += 1
        number = self._asked
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (name, answer)
        self._put(m.SecretRequest(attempt_id=self._attempt_id, number=number, name=name, form=form))
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def answered(self, message: m.SecretAnswer) -> None:
        """The supervisor's answer. One to a request that was given up is ignored."""
        name, answer = self._waiting.get(message.number, ("", None))
        if answer is None or answer.done():
            return
        if message.value is not None:
            answer.set_result(message.value)
        else:
            text = f"The job does not get the secret {name}: {message.denied}."
            answer.set_exception(Failed(text, type="secret_denied", detail={"secret": name}))

    def close(self) -> None:
        """The result is about to be sent: a task that the module left running gets nothing more."""
        self._closed = True
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ValueError(ENDED))
