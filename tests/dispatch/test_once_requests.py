"""What a handler asks about side effects is recorded and answered while its attempt runs."""

import asyncio

import msgspec
from pw_doubles import any_typed

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.dispatch.once_requests import answer_once_requests, masked_value
from pageworker_supervisor.queue.once import OnceReply
from pageworker_supervisor.runners.attempt_messages import tell_page
from pageworker_supervisor.runners.page_reservation import PageReservation, RunnerPages
from pageworker_supervisor.secrets.masker import SecretMasker

MASKER = SecretMasker()
MASKER.add("login", "correct-horse")


class AskingOnce:
    """A page whose requests are recorded."""

    def __init__(self) -> None:
        self.answers: list[m.OnceAnswer] = []
        self.page = PageReservation(any_typed(self), RunnerPages(lambda: None), exclusive=False)
        self.recorded: list[m.OnceRequest] = []

    async def answer(self, page: PageReservation, answer: m.OnceAnswer) -> None:
        self.answers.append(answer)
        if len(self.answers) == 2:
            page.end(m.Done(attempt_id="a", outcome="succeeded"))

    async def record(self, request: m.OnceRequest) -> OnceReply:
        self.recorded.append(request)
        return OnceReply("done" if request.act == "done" else "begun", request.value)


async def test_requests_are_answered_in_their_order_until_the_attempt_ends() -> None:
    it = AskingOnce()
    it.page.masker.add("login", "correct-horse")
    begin = m.OnceRequest(attempt_id="a", number=1, key="order", act="begin")
    done = m.OnceRequest(attempt_id="a", number=2, key="order", act="done", value=b'{"by":"correct-horse"}')
    for request in (begin, done):
        tell_page(it.page, request, [])
    async with asyncio.timeout(10):
        await answer_once_requests(it.page, it.record)
    assert [(each.number, each.state) for each in it.answers] == [(1, "begun"), (2, "done")]
    assert b"correct-horse" not in (it.recorded[1].value or b"")


def test_only_json_without_secrets_is_stored() -> None:
    assert masked_value(b'{"a":1}', SecretMasker()) == b'{"a":1}'
    assert masked_value(b"{", SecretMasker()) is None
    assert masked_value(None, MASKER) is None
    kept = masked_value(b'["correct-horse"]', MASKER)
    assert kept is not None
    assert msgspec.json.decode(kept) != ["correct-horse"]
