"""The ledger against the installed Playwright: no name in it is a slip, and what it does not know is not trusted."""

import inspect

import pytest
from playwright._impl import protocol_channels as channels

from pageworker_runner.pages import side_effects
from pageworker_runner.pages.revert import CONTEXT, PAGE
from pageworker_runner.pages.side_effects import SideEffect, side_effect_of


def commands(kind: str) -> set[str]:
    """What an object of this kind can be told, by the client's own channels."""
    found = inspect.getmembers(getattr(channels, f"{kind}Channel"), inspect.isfunction)
    return {name for name, _ in found if not name.startswith(("_", "on", "off")) or name == "open"}


@pytest.mark.parametrize(
    ("kind", "table"),
    [("Page", side_effects.PAGE), ("BrowserContext", side_effects.CONTEXT), ("Tracing", side_effects.TRACING)],
)
def test_every_name_is_a_command_of_playwright(kind: str, table: dict[str, SideEffect]) -> None:
    assert set(table) - commands(kind) == set()


@pytest.mark.parametrize("kind", sorted(side_effects.HARMLESS | side_effects.REFUSED))
def test_every_kind_is_an_object_of_playwright(kind: str) -> None:
    assert hasattr(channels, f"{kind}Channel")


@pytest.mark.parametrize("kind", ["Page", "BrowserContext", "Tracing", "Debugger", "Unheard"])
def test_what_it_does_not_know_is_not_trusted(kind: str) -> None:
    assert side_effect_of(kind, "somethingNew") is SideEffect.PERMANENT


@pytest.mark.parametrize(
    ("kind", "method"),
    [("BrowserType", "launch"), ("Browser", "close"), ("BrowserContext", "close"), ("Browser", "newContext")],
)
def test_what_is_the_hosts_is_refused(kind: str, method: str) -> None:
    assert side_effect_of(kind, method) is SideEffect.REFUSED


def test_every_mark_that_can_be_left_can_be_taken_back_or_replaces_the_page() -> None:
    elsewhere = {
        SideEffect.NOTHING,
        SideEffect.REFUSED,
        SideEffect.PERMANENT,
        SideEffect.DISPOSABLE,
        SideEffect.PRESSED,
        SideEffect.RELEASED,
        SideEffect.DIALOGS,
    }
    assert set(side_effects.PAGE.values()) <= elsewhere | set(PAGE)
    assert {*side_effects.CONTEXT.values(), *side_effects.TRACING.values()} <= elsewhere | set(CONTEXT)
