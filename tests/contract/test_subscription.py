"""What may be subscribed to."""

import re
from pathlib import Path

import pytest

from pageworker_supervisor.contract.subscription import (
    ALL_RESULTS,
    CHANNEL_EVENTS,
    RESULT_EVENTS,
    SubscriptionInvalid,
    callback_trouble,
    checked_events,
    checked_modules,
)

PAGE = (Path(__file__).parents[2] / "docs" / "subscriptions.md").read_text()


def test_the_page_names_every_event() -> None:
    rows = "".join(re.findall(r"^\| `(?:job|event)\..*$", PAGE, re.MULTILINE))
    assert set(re.findall(r"`((?:job|event)\.[a-z_*]+)`", rows)) == {ALL_RESULTS, *RESULT_EVENTS, *CHANNEL_EVENTS}


def test_events_and_modules_are_sorted_and_stand_once() -> None:
    assert checked_events(["job.failed", "event.dead", "job.failed"]) == ("event.dead", "job.failed")
    assert checked_modules(["shop.*", "a", "a"], ["job.*"]) == ("a", "shop.*")
    assert checked_modules([], ["event.dead"]) == ()


@pytest.mark.parametrize(
    ("events", "modules", "field"),
    [
        (["job.done"], [], "events"),
        (["event.progress"], [], "events"),
        (["job.*"], ["shop product"], "modules"),
        (["job.*"], ["shop.product@1.0.0"], "modules"),
        (["event.dead"], ["shop.*"], "modules"),
    ],
)
def test_what_is_refused_names_its_field(events: list[str], modules: list[str], field: str) -> None:
    with pytest.raises(SubscriptionInvalid) as refused:
        checked_modules(modules, checked_events(events))
    assert refused.value.field == field
    assert refused.value.hint


def test_a_url_has_to_be_allowed_and_its_tenant_needs_a_secret() -> None:
    globs = ("https://hooks.test/in*",)
    assert callback_trouble("https://hooks.test/in?a=b", globs, has_secret=True) is None
    for url, has_secret in (("https://hooks.test/in", False), ("https://hooks.test/out", True), ("no url", True)):
        assert callback_trouble(url, globs, has_secret=has_secret) is not None
