"""Passes what a runner says of an attempt to the page on which the attempt runs."""

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.runners.runner_lines import write_step

AttemptTold = m.Accepted | m.Offer | m.ArtifactData | m.Spans | m.SecretRequest | m.StepReport | m.OnceRequest
"""Messages that change nothing but the state of an attempt."""


def tell_page(page: PageReservation, message: AttemptTold, descriptors: list[int]) -> None:
    """Handle one message. A descriptor that is kept is removed from the list.

    Raises OutputExceeded, ProtocolViolation.
    """
    match message:
        case m.Accepted():
            page.accept(message.page)
        case m.Offer():
            page.offer(message)
        case m.ArtifactData():
            page.deliver(message, descriptors.pop())
        case m.Spans():
            page.spans = message
        case m.SecretRequest():
            page.secret_requests.append(message)
            page.changed.set()
        case m.OnceRequest():
            page.once_requests.append(message)
            page.changed.set()
        case m.StepReport():
            if page.steps.add(message):
                write_step(message, page)
            page.changed.set()
