"""Spans of an attempt, with a clock of the test's own."""

import asyncio

import msgspec
import pytest
from pw_doubles import any_typed

from pageworker_runner.attempts.span_recorder import UNFINISHED, SpanRecorder
from pageworker_sandbox.wire import messages as m


class SteppedClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_blocks_within_blocks_are_children() -> None:
    clock = SteppedClock()
    spans = SpanRecorder(clock)
    with spans.span("log in", {"shop": "north", "tries": 2}):
        clock.now += 1
        with spans.span("type", {}):
            clock.now += 2
    with spans.span("after", {}):
        clock.now += 4
    sent = spans.message("a", 99.0).spans
    assert [(span.name, span.began_seconds, span.seconds, span.parent) for span in sent] == [
        ("log in", 1.0, 3.0, None),
        ("type", 2.0, 2.0, 0),
        ("after", 4.0, 4.0, None),
    ]
    assert sent[0].attributes == {"shop": "north", "tries": "2"}


def test_an_error_is_named_and_raised() -> None:
    spans = SpanRecorder()
    with pytest.raises(KeyError), spans.span("read", {}):
        raise KeyError("a secret")
    (span,) = spans.message("a", 0.0).spans
    assert (span.error, "secret" in str(span)) == ("KeyError", False)


def test_what_is_open_at_the_end_is_unfinished() -> None:
    clock = SteppedClock()
    spans = SpanRecorder(clock)
    spans.begin("navigate", {})
    clock.now += 5
    (span,) = spans.message("a", 100.0).spans
    assert (span.seconds, span.error) == (5.0, UNFINISHED)


async def test_tasks_have_parents_of_their_own() -> None:
    spans = SpanRecorder()

    async def step(name: str) -> None:
        with spans.span(name, {}):
            await asyncio.sleep(0)
            with spans.span(f"in {name}", {}):
                await asyncio.sleep(0)

    await asyncio.gather(step("one"), step("two"))
    sent = spans.message("a", 0.0).spans
    parents = {span.name: None if span.parent is None else sent[span.parent].name for span in sent}
    assert parents == {"one": None, "two": None, "in one": "one", "in two": "two"}


def test_the_message_fits_its_bounds_whatever_a_module_does() -> None:
    spans = SpanRecorder()
    for _ in range(m.MAX_SPANS + 10):
        with spans.span("\ud800" * 500, {f"{n}" * 100: "\U0001f600" * 5000 for n in range(30)}):
            pass
    with spans.span("", {}):
        pass
    message = spans.message("a" * 160, 1e12)
    (limit,) = [spec.max_bytes for spec in m.TO_SUPERVISOR.values() if spec.message is m.Spans]
    encoded = msgspec.msgpack.encode(message)
    assert len(encoded) < limit
    assert msgspec.msgpack.decode(encoded, type=m.Spans) == message
    assert (len(message.spans), message.left_out) == (m.MAX_SPANS, 11)


def test_values_that_are_no_text_fail_no_job() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    spans, untrusted_name = SpanRecorder(), any_typed(7)
    with spans.span(untrusted_name, {"shop": Mute(), "page": None}):
        pass
    (span,) = spans.message("a", 0.0).spans
    assert (span.name, span.attributes) == ("7", {"shop": "(Mute)", "page": "None"})


def test_a_block_that_is_left_out_does_not_hide_its_parent() -> None:
    spans = SpanRecorder()
    with spans.span("outer", {}):
        for _ in range(m.MAX_SPANS):
            with spans.span("inner", {}):
                pass
    assert {span.parent for span in spans.message("a", 0.0).spans[1:]} == {0}
