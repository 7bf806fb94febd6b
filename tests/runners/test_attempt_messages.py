"""What a runner says of an attempt reaches the page of the attempt."""

import os

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_supervisor.runners.attempt_messages import tell_page
from pageworker_supervisor.runners.page_reservation import PageReservation, RunnerPages


@pytest.fixture
async def page() -> PageReservation:
    return PageReservation(any_typed(None), RunnerPages(lambda: None), exclusive=False)


async def test_each_message_changes_what_it_is_about(page: PageReservation) -> None:
    begun: list[str] = []
    page.send(lambda: begun.append("begun"))
    asked = m.SecretRequest(attempt_id="a", number=1, name="login", form="value")
    once = m.OnceRequest(attempt_id="a", number=1, key="order", act="begin")
    step = m.StepReport(attempt_id="a", number=1, text="x", at_seconds=0)
    spans = m.Spans(attempt_id="a", spans=())
    for message in (m.Accepted(attempt_id="a", page=3), asked, once, step, spans):
        tell_page(page, message, [])
    assert (begun, page.number, page.spans, page.steps.newest) == (["begun"], 3, spans, step)
    assert (list(page.secret_requests), list(page.once_requests)) == ([asked], [once])
    assert await page.next_request(page.once_requests) is once
    page.end(m.Done(attempt_id="a", outcome="succeeded"))
    assert await page.next_request(page.secret_requests) is None, "the attempt has ended"


async def test_an_artifact_that_was_not_offered_is_refused(page: PageReservation) -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    descriptors = [read_end]
    with pytest.raises(ProtocolViolation, match="not offered"):
        tell_page(page, m.ArtifactData(attempt_id="a", kind="html", content_type="text/html"), descriptors)
    assert descriptors == [], "it was taken from the list, and closed"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)
