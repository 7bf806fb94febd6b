"""The spans of one attempt: steps that its module names, and navigations. The supervisor makes real spans of them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_sandbox.wire import messages as m

OPEN_SPAN: ContextVar[int | None] = ContextVar("span", default=None)
"""Place of the span in which the current code runs. Each attempt has contexts of its own."""
UNFINISHED = "unfinished"
"""Error of a span that is open when the attempt ends."""


@dataclass
class _Step:
    name: str
    began: float
    parent: int | None
    attributes: dict[str, str]
    ended: float | None = None
    error: str | None = None


class SpanRecorder:
    """At most MAX_SPANS spans are kept, the first ones. Times are monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: list[_Step] = []
        self._left_out = 0

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, object]) -> Iterator[None]:
        """A step, for the block. Within it, further spans are its children."""
        parent = OPEN_SPAN.get()
        place = self._open(name, attributes, parent)
        OPEN_SPAN.set(parent if place is None else place)
        try:
            yield
        except BaseException as error:
            self.end(place, type(error).__name__)
            raise
        else:
            self.end(place)
        finally:
            OPEN_SPAN.set(parent)

    def begin(self, name: str, attributes: Mapping[str, object]) -> int | None:
        """A step of the current code that `end` ends. Returns its place; None: it is left out."""
        return self._open(name, attributes, OPEN_SPAN.get())

    def end(self, place: int | None, error: str | None = None) -> None:
        """The step at this place is over. `error`: type of the exception that ended it."""
        if place is not None:
            step = self._steps[place]
            step.ended, step.error = self._clock(), error

    def message(self, attempt_id: str, handler_began: float) -> m.Spans:
        """All of them. A step that is not over ends now."""
        return m.Spans(
            attempt_id=attempt_id,
            spans=tuple(self._sent(step, handler_began) for step in self._steps),
            left_out=self._left_out,
        )

    def _open(self, name: str, attributes: Mapping[str, object], parent: int | None) -> int | None:
        if len(self._steps) >= m.MAX_SPANS:
            self._left_out += 1
            return None
        texts = {each: _text(value) for each, value in attributes.items()}
        kept = fit_fields(texts, count=m.MAX_SPAN_ATTRIBUTES, value_chars=256, total_chars=800)
        shown = fit(_text(name), m.MAX_SPAN_NAME) or "span"
        self._steps.append(_Step(shown, self._clock(), parent, kept))
        return len(self._steps) - 1

    def _sent(self, step: _Step, handler_began: float) -> m.RunnerSpan:
        ended = self._clock() if step.ended is None else step.ended
        error = UNFINISHED if step.ended is None else step.error
        return m.RunnerSpan(
            name=step.name,
            began_seconds=max(0.0, step.began - handler_began),
            seconds=max(0.0, ended - step.began),
            parent=step.parent,
            attributes=step.attributes,
            error=None if error is None else fit(error, 64),
        )


def _text(value: object) -> str:
    """The value as text. What has none must not fail the jobs that are sampled, and only those."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - code of a module
        return f"({type(value).__name__})"
