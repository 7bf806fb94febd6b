"""Steps that a handler reports: what goes over the wire, and when. The last test has a real page."""

from typing import Any

import pytest
from pw_runner.bundles import handler
from pw_runner.supervisor import Supervisor

from pageworker_runner.attempts.step_recorder import StepRecorder
from pageworker_sandbox.wire import messages as m


class RecordedSteps:
    """The reports of one attempt whose handler began at 100.0."""

    def __init__(self) -> None:
        self.now = 100.0
        # Any: a message of any kind would be a mistake that the tests see.
        self.sent: list[Any] = []
        self.warnings: list[str] = []
        self.steps = StepRecorder("a", self.sent.append, self.warnings.append, 100.0, lambda: self.now)


def test_a_step_is_sent_at_once_with_short_strings() -> None:
    it = RecordedSteps()
    it.now = 102.5
    it.steps.step("x" * 600 + "\ud83d", {"items": 3, "long": "y" * 300})
    (sent,) = it.sent
    assert (sent.number, sent.at_seconds, sent.seconds, len(sent.text)) == (1, 2.5, None, 500)
    assert (sent.fields["items"], len(sent.fields["long"])) == ("3", 256)


def test_a_block_tells_its_duration_and_what_ended_it() -> None:
    it = RecordedSteps()
    with pytest.raises(KeyError), it.steps.step("pay", {}):
        it.now = 101.0
        with it.steps.step("", {}):
            it.now = 104.0
        raise KeyError
    assert [(each.number, each.text, each.at_seconds, each.seconds, each.error) for each in it.sent] == [
        (1, "pay", 0.0, None, None),
        (2, "step", 1.0, None, None),
        (2, "step", 1.0, 3.0, None),
        (1, "pay", 0.0, 4.0, "KeyError"),
    ]


def test_the_first_thousand_steps_are_sent_and_one_warning() -> None:
    it = RecordedSteps()
    for _ in range(m.MAX_STEPS + 2):
        with it.steps.step("x", {}):
            pass
    assert len(it.sent) == 2 * m.MAX_STEPS
    assert it.warnings == ["more steps were left out: an attempt reports at most 1000"]


def test_nothing_is_sent_once_the_result_is_about_to_leave() -> None:
    it = RecordedSteps()
    open_step = it.steps.step("x", {})
    it.steps.close()
    with open_step:
        it.steps.step("y", {})
    assert len(it.sent) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_handler_reports_its_steps_while_it_works(runner: Supervisor) -> None:
    module = handler(
        """
        helpers.step("begun", items=2)
        with helpers.step("look"):
            await page.title()
        with helpers.step("fail"):
            raise KeyError
        """,
        name="steps",
    )
    report = await runner.run(module)
    assert report.failure.type == "handler_error"
    assert [(each.text, each.seconds is not None, each.error) for each in report.steps] == [
        ("begun", False, None),
        ("look", False, None),
        ("look", True, None),
        ("fail", False, None),
        ("fail", True, "KeyError"),
    ]
    assert report.steps[0].fields == {"items": "2"}
