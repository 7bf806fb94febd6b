"""Which contexts a spare serves, which spare is adopted, and when another one starts."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.flavor import Flavor
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.spares import (
    BUSY_PERCENT,
    LONGEST_WAIT_SECONDS,
    Situation,
    SpareView,
    Unfit,
    Wants,
    select_spare,
    start_spare,
    surplus_spares,
    unfit,
)

PLAIN = Wants(ContextKey("acme"), "shell", 4, limited=False)
DUE = Situation(
    now=100.0,
    wanted=1,
    spares=0,
    may_start=True,
    starting=False,
    fits=True,
    busy_percent=0.0,
    missing_since=99.0,
    not_before=0.0,
)


@pytest.mark.parametrize(
    ("wants", "why"),
    [
        (PLAIN, None),
        (replace(PLAIN, context=ContextKey("acme", egress="0" * 12, proxy="isp")), None),
        (replace(PLAIN, context=ContextKey("acme", "shop")), "profile"),
        (replace(PLAIN, context=ContextKey("acme", options="0" * 12)), "options"),
        (replace(PLAIN, flavor="full"), "flavor"),
        (replace(PLAIN, pages=1), "pages"),
        (replace(PLAIN, limited=True), "request_limits"),
    ],
)
def test_a_spare_serves_only_what_it_was_started_for(wants: Wants, why: Unfit | None) -> None:
    assert unfit(wants, "shell", 4) == why


@pytest.mark.parametrize(
    ("wanted", "there", "why"),
    [("shell", "full", "flavor"), ("full", "shell", "flavor"), ("full", "full", None), ("shell", "shell", None)],
)
def test_a_spare_of_another_browser_is_not_used(wanted: Flavor, there: Flavor, why: Unfit | None) -> None:
    assert unfit(replace(PLAIN, flavor=wanted), there, 4) == why


@pytest.mark.parametrize(
    ("change", "starts"),
    [
        ({}, True),
        ({"spares": 1}, False),
        ({"wanted": 0}, False),
        ({"may_start": False}, False),
        ({"starting": True}, False),
        ({"fits": False}, False),
        ({"not_before": 100.1}, False),
        ({"busy_percent": BUSY_PERCENT + 1}, False),
        ({"busy_percent": 99.0, "missing_since": 100.0 - LONGEST_WAIT_SECONDS}, True),
        ({"busy_percent": None}, True),
        ({"missing_since": -inf, "starting": True}, False),
    ],
)
def test_when_a_spare_starts(change: dict[str, Any], starts: bool) -> None:
    assert start_spare(replace(DUE, **change)) == starts


view = st.builds(SpareView, st.uuids().map(str), st.booleans(), st.floats(0, 100))
views = st.lists(view, max_size=6, unique_by=lambda spare: spare.runner_id)


@given(views)
def test_the_oldest_spare_that_is_up_is_adopted(spares: list[SpareView]) -> None:
    chosen = select_spare(spares)
    ready = [spare for spare in spares if spare.ready]
    assert (chosen is None) == (not ready)
    assert all(spare.since >= next(s.since for s in ready if s.runner_id == chosen) for spare in ready)


@given(views, st.integers(0, 6))
def test_those_that_are_up_stay_where_some_have_to_go(spares: list[SpareView], wanted: int) -> None:
    gone = surplus_spares(spares, wanted)
    stay = [spare for spare in spares if spare.runner_id not in gone]
    assert len(stay) == min(wanted, len(spares))
    if any(not spare.ready for spare in stay):
        assert all(not spare.ready for spare in spares if spare.runner_id in gone)
