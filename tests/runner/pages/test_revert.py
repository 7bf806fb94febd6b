"""Every side effect that a module can leave is undone, or replaces the page; what a neighbour still uses stays."""

from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_runner.pages import revert, side_effects
from pageworker_runner.pages.command_recorder import SideEffects
from pageworker_runner.pages.side_effects import SideEffect
from pageworker_sandbox.page_rules import parse_options
from pageworker_sandbox.wire.page_options import PageOptions

UNDONE_ELSEWHERE = {
    SideEffect.NOTHING,
    SideEffect.REFUSED,
    SideEffect.PERMANENT,
    SideEffect.DISPOSABLE,
    SideEffect.RESPONSE,
    SideEffect.PRESSED,
    SideEffect.RELEASED,
    SideEffect.DIALOGS,
    SideEffect.UNNEEDED,
}


class CallList:
    """Notes which calls undo something."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.arguments: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: object, **named: object) -> None:
            self.calls.append(name)
            self.arguments.append(arguments or named)

        return call


def left(*effects: SideEffect) -> SideEffects:
    found = SideEffects()
    for effect in effects:
        found.counts[effect] += 1
    return found


def test_every_side_effect_can_be_undone_or_replaces_the_page() -> None:
    assert set(side_effects.PAGE.values()) <= UNDONE_ELSEWHERE | set(revert.PAGE)
    of_context = {*side_effects.CONTEXT.values(), *side_effects.TRACING.values(), *side_effects.REQUESTS.values()}
    assert of_context <= UNDONE_ELSEWHERE | set(revert.CONTEXT)


@pytest.mark.parametrize(
    ("effect", "call"),
    [
        (SideEffect.OFFLINE, "set_offline"),
        (SideEffect.GEOLOCATION, "set_geolocation"),
        (SideEffect.PERMISSIONS, "clear_permissions"),
        (SideEffect.HEADERS, "set_extra_http_headers"),
    ],
)
async def test_what_an_attempt_left_is_undone_unless_another_attempt_uses_it(effect: SideEffect, call: str) -> None:
    untyped = any_typed(context := CallList())
    await revert.revert_context(untyped, left(effect), [left(effect)], PageOptions())
    assert context.calls == []
    await revert.revert_context(untyped, left(effect), [left(SideEffect.ROUTES)], PageOptions())
    assert context.calls == [call]


async def test_a_page_without_side_effects_costs_no_call() -> None:
    untyped = any_typed(page := CallList())
    await revert.revert_page(untyped, SideEffects(), PageOptions())
    assert page.calls == []
    await revert.revert_page(untyped, left(SideEffect.MEDIA, SideEffect.VIEWPORT), PageOptions())
    assert sorted(page.calls) == ["emulate_media", "set_viewport_size"]


OPTIONS = parse_options(
    {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "dark",
        "extra_http_headers": {"x-team": "prices"},
        "geolocation": {"latitude": 52.5, "longitude": 13.4},
        "permissions": ["geolocation"],
    }
)


@pytest.mark.parametrize(
    ("effect", "calls", "arguments"),
    [
        (SideEffect.HEADERS, ["set_extra_http_headers"], [({"x-team": "prices"},)]),
        (SideEffect.GEOLOCATION, ["set_geolocation"], [({"latitude": 52.5, "longitude": 13.4, "accuracy": 0},)]),
        (SideEffect.PERMISSIONS, ["clear_permissions", "grant_permissions"], [{}, (["geolocation"],)]),
    ],
)
async def test_a_context_goes_back_to_its_options(effect: SideEffect, calls: list[str], arguments: list[Any]) -> None:
    untyped = any_typed(context := CallList())
    await revert.revert_context(untyped, left(effect), [], OPTIONS)
    assert (context.calls, context.arguments) == (calls, arguments)


async def test_a_page_goes_back_to_the_options_of_its_context() -> None:
    untyped = any_typed(page := CallList())
    await revert.revert_page(untyped, left(SideEffect.VIEWPORT), OPTIONS)
    await revert.revert_page(untyped, left(SideEffect.MEDIA), OPTIONS)
    assert page.arguments[0] == ({"width": 390, "height": 844},)
    assert page.arguments[1]["color_scheme"] == "dark"
    assert page.arguments[1]["reduced_motion"] == "null"
