"""Every side effect that a module can leave is undone, or replaces the page; what a neighbour still uses stays."""

from typing import Any

import pytest

from pageworker_runner.pages import revert, side_effects
from pageworker_runner.pages.command_recorder import SideEffects
from pageworker_runner.pages.side_effects import SideEffect

UNDONE_ELSEWHERE = {
    SideEffect.NOTHING,
    SideEffect.REFUSED,
    SideEffect.PERMANENT,
    SideEffect.DISPOSABLE,
    SideEffect.RESPONSE,
    SideEffect.PRESSED,
    SideEffect.RELEASED,
    SideEffect.DIALOGS,
}


class CallList:
    """Notes which calls undo something."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: object, **named: object) -> None:
            self.calls.append(name)

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
    untyped: Any = (context := CallList())
    await revert.revert_context(untyped, left(effect), [left(effect)])
    assert context.calls == []
    await revert.revert_context(untyped, left(effect), [left(SideEffect.ROUTES)])
    assert context.calls == [call]


async def test_a_page_without_side_effects_costs_no_call() -> None:
    untyped: Any = (page := CallList())
    await revert.revert_page(untyped, SideEffects())
    assert page.calls == []
    await revert.revert_page(untyped, left(SideEffect.MEDIA, SideEffect.VIEWPORT))
    assert sorted(page.calls) == ["emulate_media", "set_viewport_size"]
